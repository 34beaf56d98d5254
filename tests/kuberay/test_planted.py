"""A mistake of each kind is found, by the rule that is there for it, with a sentence that says what to do."""

import pytest

from kuberay.documents import ManifestError, parse
from kuberay.release import Release
from kuberay.rules import RULES, broken
from kuberay.schemas import Schemas
from tests.kuberay.changes import Mistake, drop, put
from tests.kuberay.conftest import Render
from tests.kuberay.mistakes import MISTAKES


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found(mistake: Mistake, render: Render) -> None:
    """The rule breaks, and says what the mistake is about."""
    documents = render(mistake.overlay)

    mistake.make(documents)
    found = list(RULES[mistake.rule](Release(documents)))

    assert any(mistake.says in problem for problem in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("NetworkPolicy/wallets-custody spec egress 0 to", [{"ipBlock": {"cidr": "10.1.2.0/24"}}, {"ipBlock": {"cidr": "fd00::1/128"}}]),
        (
            "NetworkPolicy/wallets-prometheus spec ingress 0 from 0 namespaceSelector matchLabels",
            {"kubernetes.io/metadata.name": "metrics"},
        ),
        ("ConfigMap/wallets-custody-settings data APP__VAULT__ADDRESS", "https://vault.vault.svc.cluster.local"),
        ("ConfigMap/wallets-custody-settings data APP__VAULT__ADDRESS", "https://vault.example.com:8200/vault"),
        ("RayService/wallets spec rayClusterConfig gcsFaultToleranceOptions redisAddress", "redis:6380"),
        ("NetworkPolicy/wallets-custody spec podSelector matchExpressions", [{"key": "ray.io/group", "operator": "Exists"}]),
        ("NetworkPolicy/wallets-custody spec podSelector matchExpressions", [{"key": "old", "operator": "DoesNotExist"}]),
    ],
)
def test_an_installation_may_narrow_what_is_open(path: str, value: object, render: Render) -> None:
    """To its own addresses, to the namespace in which its Prometheus is, or by another label; a Service has ports of its own."""
    documents = render("production")

    put(path, value)(documents)

    assert list(RULES["network"](Release(documents))) == []


def test_every_rule_has_a_mistake() -> None:
    """A rule that nothing has ever broken may not be one."""
    assert {mistake.rule for mistake in MISTAKES} == set(RULES)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("Job/wallets spec template spec containers 0 comand", ["x"], "comand"),
        ("PodDisruptionBudget/wallets-head spec minAvailable", [1], "minAvailable"),
        ("NetworkPolicy/wallets-closed apiVersion", "networking.k8s.io/v7", "there is no NetworkPolicy"),
        ("PodMonitor/wallets-ray spec namespaces", ["x"], "namespaces"),
        ("PrometheusRule/wallets spec groups 0 rules 0 for", "soon", "soon"),
        ("PrometheusRule/wallets spec groups 0 rules 0 labels severity", "page", "page"),
    ],
)
def test_a_field_is_found_that_is_not_of_its_kind(path: str, value: object, says: str, render: Render, schemas: Schemas) -> None:
    """Unknown fields and kinds, and values of another type, which the API server would drop or refuse."""
    documents = render("production")

    put(path, value)(documents)
    found = [problem for document in documents for problem in schemas.problems(document)]

    assert any(says in problem for problem in found), found


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("RayService/wallets spec serveConfigv2", "x", "serveConfigv2"),
        ("RayService/wallets spec rayClusterConfig headGroupSpec template spec containers 0 imagePullPollicy", "x", "imagePullPollicy"),
        ("RayService/wallets spec rayClusterConfig workerGroupSpecs 0 maxReplicas", "11", "maxReplicas"),
        ("RayService/wallets spec rayClusterConfig workerGroupSpecs 0 minReplicas", 2**31, "minReplicas"),
        ("RayService/wallets spec rayClusterConfig autoscalerOptions version", "v3", "version"),
    ],
)
def test_a_field_is_found_that_is_not_of_the_operator(path: str, value: object, says: str, render: Render, all_schemas: Schemas) -> None:
    """KubeRay's CRD would drop or refuse it."""
    documents = render("production")

    put(path, value)(documents)

    assert any(says in problem for problem in all_schemas.problems(Release(documents).service))


def test_a_required_field_is_missed(render: Render, all_schemas: Schemas) -> None:
    """A group of workers without a name is none."""
    documents = render("production")

    drop("RayService/wallets spec rayClusterConfig workerGroupSpecs 0 groupName")(documents)

    assert any("groupName" in problem for problem in all_schemas.problems(Release(documents).service))


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: [", "- 1", "a: 1\n---\ntext"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    """A key given twice, which YAML libraries take the last of; broken YAML; a list or a text."""
    with pytest.raises(ManifestError):
        parse(text)


def test_a_release_has_one_service(render: Render) -> None:
    """Two RayServices would be two wallets services with one database."""
    documents = [each for each in render("production") if each["kind"] != "RayService"]

    with pytest.raises(ManifestError, match="there are 0 RayServices"):
        list(broken(Release(documents)))
