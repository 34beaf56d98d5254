"""The chart says what the overlays say, for the same settings, and refuses what cannot be right."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from kuberay.check import OVERLAYS, main, problems
from kuberay.documents import FOLDER, Document, ManifestError, find_tool, parse, templated
from kuberay.schemas import Schemas
from tests.kuberay.conftest import Render

_VALUES = FOLDER / "chart" / "values"
_KEPT = {"helm.sh/resource-policy": "keep"}
_SUFFIX = re.compile(r"(wallets-[a-z]+-settings)-[0-9a-z]{10}\b")


@pytest.fixture(autouse=True)
def helm() -> None:
    """Skip where there is no Helm."""
    if find_tool("helm") is None:
        pytest.skip("helm is not here, and there is none to install for this kind of machine")


def _comparable(documents: list[Document]) -> list[Document]:
    """Leave out the suffixes of names, which each tool makes in its own way of what is in the ConfigMap, and read `serveConfigV2`.

    Of annotations only that is left out by which Helm keeps ConfigMaps, as kubectl does without a word.
    """
    plain = parse(_SUFFIX.sub(r"\1", yaml.dump_all(documents, Dumper=yaml.CSafeDumper)))
    for document in plain:
        if document["kind"] == "RayService":
            document["spec"]["serveConfigV2"] = yaml.safe_load(document["spec"]["serveConfigV2"])
        if document["kind"] == "ConfigMap" and document["metadata"].get("annotations") == _KEPT:
            del document["metadata"]["annotations"]
    return sorted(plain, key=lambda each: (each["kind"], each["metadata"]["name"]))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_says_what_the_overlay_says(overlay: str, render: Render) -> None:
    """Every document, and every field of each, is the same."""
    overlaid = render(overlay)

    charted = templated([_VALUES / f"{overlay}.yaml"], namespace=overlaid[0]["metadata"]["namespace"])

    assert _comparable(charted) == _comparable(overlaid)


def test_a_setting_changes_the_name_of_its_config_map() -> None:
    """So the cluster is started anew when a setting changes, and not when nothing does."""
    first, second, changed = (
        {each["metadata"]["name"] for each in templated([_VALUES / "production.yaml"], *settings) if each["kind"] == "ConfigMap"}
        for settings in ((), (), ("settings.edge.APP__SERVER__TRUSTED_PROXIES=10.0.0.0/8",))
    )

    assert first == second
    assert len(first - changed) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_upgrade_keeps_the_config_maps_of_the_cluster_that_runs(overlay: str) -> None:
    """Each is kept, since its name changes with it, and nothing else is: of all else there is one of a name."""
    kept = {each["kind"] for each in templated([_VALUES / f"{overlay}.yaml"]) if each["metadata"].get("annotations") == _KEPT}
    lost = [
        each for each in templated([_VALUES / f"{overlay}.yaml"]) if each["kind"] == "ConfigMap" and "annotations" not in each["metadata"]
    ]

    assert kept == {"ConfigMap"}
    assert lost == []


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("image.digest=", "name the image by digest"),
        ("topology=both", "inline or isolated"),
        ("replicas.min=11", "min must not exceed max"),
        ("replicas.min=1", "2 at least"),
        ("workers.min=12", "min must not exceed max"),
        ("topology=isolated,replicas.maxPerWorker=2", "could not open its port for metrics"),
    ],
)
def test_what_cannot_be_right_is_not_rendered(setting: str, says: str) -> None:
    """Helm stops, with a sentence that says what to do."""
    with pytest.raises(ManifestError, match=says):
        templated([_VALUES / "production.yaml"], setting)


def test_values_that_render_are_checked_as_overlays_are(schemas: Schemas, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """More replicas than the workers have places for are found, also by the command."""
    few = tmp_path / "few.yaml"
    few.write_text((_VALUES / "production.yaml").read_text() + "workers:\n  max: 10\n")

    found = list(problems(templated([few]), schemas))
    code = main(["--values", str(few)])

    assert [each.partition(":")[0] for each in found] == ["room"]
    assert code == 1
    assert f"chart: {found[0]}" in capsys.readouterr().out


@pytest.mark.parametrize("topology", ["inline", "isolated"])
def test_budgets_follow_the_values(topology: str, schemas: Schemas) -> None:
    """A drain takes one pod at a time, however many there are."""
    rendered = templated([_VALUES / "production.yaml"], f"topology={topology}", "replicas.min=5", "workers.min=6", "workers.initial=6")

    assert list(problems(rendered, schemas)) == []


def test_the_network_policy_follows_the_port_of_vault(schemas: Schemas) -> None:
    """A Vault elsewhere, behind 443, is reached."""
    elsewhere = ("settings.custody.APP__VAULT__ADDRESS=https://vault.example.com", "vaultPort=443")
    closed, open_ = (list(problems(templated([_VALUES / "production.yaml"], *elsewhere[:count]), schemas)) for count in (1, 2))

    assert any("opens 443/TCP to private addresses" in each for each in closed)
    assert open_ == []


@pytest.mark.parametrize(
    ("written", "told"),
    [("1000000", "1000000"), ("2592000", "2592000"), ("0.5", "0.5"), ("86400", "86400"), ("true", "true"), ('"1e+06"', "1e+06")],
)
def test_a_number_is_told_as_it_is_written(written: str, told: str, tmp_path: Path) -> None:
    """Also a large one: Helm reads numbers as floats, and would tell a million as 1e+06."""
    values = tmp_path / "values.yaml"
    values.write_text(f"settings:\n  redis:\n    APP__IDEMPOTENCY__TTL_SECS: {written}\n")

    rendered = templated([_VALUES / "production.yaml", values])

    assert [each["data"]["APP__IDEMPOTENCY__TTL_SECS"] for each in rendered if each["metadata"]["name"].startswith("wallets-redis")] == [
        told
    ]


def test_the_chart_has_the_version_of_the_service() -> None:
    """One release, one number."""
    chart = yaml.safe_load((FOLDER / "chart" / "Chart.yaml").read_text())
    version = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]["version"]

    assert chart["version"] == chart["appVersion"] == version
