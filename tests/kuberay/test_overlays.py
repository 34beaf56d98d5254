"""What the overlays render is right, and the command says so."""

from pathlib import Path

import pytest

from kuberay.check import OVERLAYS, main, problems
from kuberay.documents import FOLDER, at, parse
from kuberay.release import Release
from kuberay.schemas import Schemas
from tests.kuberay.conftest import Render


def test_these_are_the_overlays() -> None:
    """Staging, production, one machine, and the topology with keys in pods of their own."""
    assert OVERLAYS == ("isolated", "local", "production", "staging")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_breaks_no_rule(overlay: str, render: Render, schemas: Schemas) -> None:
    """Core kinds and those of other operators have only fields that there are, and every rule is kept."""
    assert list(problems(render(overlay), schemas)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_operator_takes_what_an_overlay_says(overlay: str, render: Render, all_schemas: Schemas) -> None:
    """The RayService has only fields of KubeRay's CRD, of the types that it wants."""
    assert list(all_schemas.problems(Release(render(overlay)).service)) == []


def test_the_example_of_external_secrets_fills_every_secret(render: Render, schemas: Schemas) -> None:
    """Each Secret that a pod, Ray or GCS needs has an ExternalSecret with its key."""
    documents = parse((FOLDER / "examples" / "external-secrets.yaml").read_text())
    filled = {(each["spec"]["target"]["name"], item["secretKey"]) for each in documents for item in each["spec"]["data"]}
    release = Release(render("production"))
    needed = {
        (source["secret"]["name"], item["key"])
        for pod in release.pods
        for volume in pod.spec["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        if "secret" in source
        for item in source["secret"]["items"]
    }
    reference = at(release.cluster, "gcsFaultToleranceOptions", "redisPassword", "valueFrom", "secretKeyRef")
    needed |= {(reference["name"], reference["key"]), (at(release.cluster, "authOptions", "secretName"), "auth_token")}

    assert [problem for each in documents for problem in schemas.problems(each)] == []
    assert filled == needed


def test_the_command_tells_each_problem(render: Render, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a problem, with the overlay it is of, and the exit code 1."""
    overlay = tmp_path / "broken"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text("resources: [rayservice.yaml]\n")
    (overlay / "rayservice.yaml").write_text("apiVersion: ray.io/v1\nkind: RayService\nmetadata: {name: wallets}\nspec: {}\n")

    code = main([str(overlay)])

    assert code == 1
    assert f"{overlay}: upgrade: upgradeStrategy.type is None; write NewCluster" in capsys.readouterr().out


def test_the_command_says_what_it_could_not_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is no overlay is a line, not a stack trace."""
    code = main([str(tmp_path)])

    assert code == 1
    assert "kubectl" in capsys.readouterr().out
