"""What kuberay/README.md says is what the manifests have."""

import re

import pytest
import yaml

from kuberay.check import OVERLAYS
from kuberay.documents import FOLDER, at, parse

_README = (FOLDER / "README.md").read_text()


def test_every_alert_has_a_run_book() -> None:
    """And every run book an alert, in the same order."""
    (rules,) = parse((FOLDER / "base" / "alerts.yaml").read_text())
    alerts = [each["alert"] for group in rules["spec"]["groups"] for each in group["rules"]]

    assert re.findall(r"^### (Wallets\w+)$", _README, re.MULTILINE) == alerts


def test_every_overlay_is_listed() -> None:
    """At the top, with what it is for."""
    assert set(re.findall(r"^    kuberay/overlays/(\w+) ", _README, re.MULTILINE)) == set(OVERLAYS)


@pytest.mark.parametrize(("group", "row"), [("headGroupSpec", "head"), ("workerGroupSpecs", "worker with a replica")])
def test_the_table_of_memory_is_that_of_the_manifests(group: str, row: str) -> None:
    """What a pod asks for, and its limit."""
    (service,) = parse((FOLDER / "base" / "rayservice.yaml").read_text())
    found = service["spec"]["rayClusterConfig"][group]
    resources = at(found[0] if isinstance(found, list) else found, "template", "spec", "containers", 0, "resources")
    listed = re.search(rf"^\| {row} \| [^|]* \| [^|]* \| 1 core, ([\d.]+) GiB \| 2 cores, ([\d.]+) GiB \|", _README, re.MULTILINE)

    assert listed is not None
    assert [_gibibytes(resources[kind]["memory"]) for kind in ("requests", "limits")] == [float(each) for each in listed.groups()]


def test_the_name_of_the_job_is_that_of_the_release() -> None:
    """Commands name the Job that there is."""
    job = yaml.safe_load((FOLDER / "base" / "migration.yaml").read_text())["metadata"]["name"]

    assert set(re.findall(r"wallets-migrate-[\d-]+\d", _README)) == {job}


def test_commands_show_what_is_asked_for_when_something_is_wrong() -> None:
    """GNU wget prints nothing of a 503, and pods that are not started again have no log of before."""
    questions = re.findall(r"exec .*?wget ([^`]*)`", _README)

    assert len(questions) > 2
    assert all("--content-on-error" in each for each in questions)
    assert not re.search(r"\$NS logs [^`]*--previous", _README)


def _gibibytes(text: str) -> float:
    return int(text[:-2]) / {"Gi": 1, "Mi": 1024}[text[-2:]]
