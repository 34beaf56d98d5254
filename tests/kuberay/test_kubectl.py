"""kubectl itself takes what the overlays render."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from kuberay.check import OVERLAYS
from kuberay.documents import FOLDER, find_tool
from tests.kuberay.conftest import Render

_PLURALS = {
    "ServiceAccount": ("v1", "serviceaccounts"),
    "ConfigMap": ("v1", "configmaps"),
    "Job": ("batch/v1", "jobs"),
    "PodDisruptionBudget": ("policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
    "PodMonitor": ("monitoring.coreos.com/v1", "podmonitors"),
    "PrometheusRule": ("monitoring.coreos.com/v1", "prometheusrules"),
    "RayService": ("ray.io/v1", "rayservices"),
}


class _Discovery(BaseHTTPRequestHandler):
    """Tell which kinds there are, as an API server does, and that there is no object yet: kubectl asks for no more, even for a dry run."""

    def do_GET(self) -> None:
        """Answer one question of kubectl's."""
        path = self.path.split("?")[0].strip("/")
        if path == "api":
            self._answer(200, {"kind": "APIVersions", "versions": ["v1"]})
        elif path == "apis":
            groups = sorted({version for version, _ in _PLURALS.values()} - {"v1"})
            self._answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in groups]})
        elif path.removeprefix("apis/").removeprefix("api/") in {version for version, _ in _PLURALS.values()}:
            version = path.removeprefix("apis/").removeprefix("api/")
            kinds = [_resource(kind, plural) for kind, (of, plural) in _PLURALS.items() if of == version]
            self._answer(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": kinds})
        else:
            self._answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _group(version: str) -> dict[str, object]:
    name, _, number = version.partition("/")
    told = {"groupVersion": version, "version": number}
    return {"name": name, "versions": [told], "preferredVersion": told}


def _resource(kind: str, plural: str) -> dict[str, object]:
    return {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["get", "create", "patch"]}


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Lead kubectl to an API server that knows which kinds there are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Discovery)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    file = tmp_path_factory.mktemp("kubectl") / "config"
    url = f"http://127.0.0.1:{server.server_port}"
    named = {
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": ""}}],
    }
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "test", **named}))
    yield file
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_would_apply_it(overlay: str, render: Render, kubeconfig: Path) -> None:
    """`kubectl apply --dry-run=client` reads and takes every document of the overlay."""
    kubectl = find_tool("kubectl")
    assert kubectl is not None
    command = [kubectl, "apply", "--dry-run=client", "--validate=false", "--kustomize", str(FOLDER / "overlays" / overlay)]
    environ = {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(render(overlay))
    assert all(line.endswith(" created (dry run)") for line in done.stdout.splitlines())
