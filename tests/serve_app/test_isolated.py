"""The isolated topology, whole: gateways answer, signers have the keys, and either may die."""

import contextlib
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from serve_app.ports import free_ports
from tests.known_phrase import PHRASE
from tests.serve_app.whole_service import Service, eventually, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

_UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"


@pytest.fixture(scope="module", name="metrics_url")
def _metrics_url() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def service(metrics_url: str) -> Iterator[Service]:
    """One gateway and one signer, which tells its metrics itself."""
    few = {"APP__REPLICAS__MIN": "1", "APP__REPLICAS__MAX": "1", "APP__SIGNERS__MAX": "1"}
    with whole_service(APP__TOPOLOGY="isolated", **few, APP__SIGNERS__METRICS_PORT=metrics_url.rpartition(":")[2]) as running:
        yield running


def _replica(service: Service, deployment: str) -> psutil.Process:
    """Return the one process of a deployment; the kernel cuts names, so the command line says which it is."""
    found = [each for each in service.named("ray::ServeReplica") if deployment in " ".join(_command(each))]
    (process,) = found
    return process


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def _import(client: httpx.Client) -> str:
    wallet = client.post("/api/v1/wallets/import", json={"label": "isolated", "mnemonic": PHRASE}).raise_for_status().json()
    return str(wallet["id"])


def test_it_does_what_the_inline_one_does(service: Service) -> None:
    """Wallets are made and imported, addresses given out, transactions signed and refused, by one hop."""
    with service.client() as client:
        wallet_id = _import(client)
        address = client.get(f"/api/v1/wallets/{wallet_id}/address/eth").json()["address"]
        body = {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}
        signed = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)
        batch = client.post(f"/api/v1/wallets/{wallet_id}/sign-batch", json={"items": [body, {**body, "unsigned_tx": "ec09"}]})
        refused = client.post(f"/api/v1/wallets/{wallet_id}/sign", json={**body, "unsigned_tx": "ec09"})
        nobody = client.get("/api/v1/wallets/3f1f1c0a-8c5e-4a53-9d55-0d2f3f0a7f11")
        lock = client.post("/api/v1/admin/lock")

    assert signed.json()["from"] == address
    assert signed.json()["signed_tx"].startswith("0xf86c")
    assert ["error" in each for each in batch.json()["results"]] == [False, True]
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:crypto-wallets:problem:malformed-transaction")
    assert (nobody.status_code, lock.json()["forgotten_seeds"] >= 1) == (404, True)
    assert service.run("demo").returncode == 0


def test_the_gateway_reaches_neither_database_nor_vault(service: Service) -> None:
    """Of the two processes only the signer has connections to them; both are hardened, so root alone may look."""
    gateway, signer = _replica(service, "Gateway"), _replica(service, "Signer")
    servers = {name: service.named(name) for name in ("postgres", "bao")}

    ports = {
        name: {each.laddr.port for process in processes for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN}
        for name, processes in servers.items()
    }
    reached = {
        process.pid: {getattr(each.raddr, "port", None) for each in process.net_connections("inet")} for process in (gateway, signer)
    }

    assert ports["bao"] & reached[signer.pid]
    assert not ports["bao"] & reached[gateway.pid]
    assert "database-url" not in "".join(each.path for each in gateway.open_files())


def _metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics", timeout=10).raise_for_status().text


def test_the_signer_tells_its_metrics(service: Service, metrics_url: str) -> None:
    """By its own process, on loopback, and nothing else there."""
    signer = _replica(service, "Signer")
    listening = {each.laddr for each in signer.net_connections("inet") if each.status == psutil.CONN_LISTEN}

    assert metrics_url in {f"http://{host}:{port}" for host, port in listening}
    assert 'address_forgeries_total{store="database"} 0.0' in _metrics(metrics_url)
    assert httpx.get(f"{metrics_url}/api/v1/wallets", timeout=10).status_code == 404


def test_a_signer_that_is_killed_comes_back(service: Service, metrics_url: str) -> None:
    """Meanwhile requests end in bounded time with 503 or are answered late; none with anything else. Then all is as before."""
    with service.client() as client:
        wallet_id = _import(client)
        body = {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}
        expected = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body).raise_for_status().json()["tx_id"]
        statuses, longest = set[int](), 0.0
        _replica(service, "Signer").kill()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            begin = time.monotonic()
            answer = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body, timeout=40)
            statuses.add(answer.status_code)
            longest = max(longest, time.monotonic() - begin)
            if answer.status_code == 200:
                break

        assert statuses <= {200, 503}
        assert 200 in statuses
        assert answer.json()["tx_id"] == expected
        assert longest < 25
        eventually(service.is_well)
        assert "vault_operations_duration_seconds" in _metrics(metrics_url)


def test_a_gateway_that_is_killed_comes_back(service: Service) -> None:
    """A new one finds the signer, and a phrase is sealed to a signer that it has not heard of."""
    gateway = _replica(service, "Gateway")

    gateway.kill()

    eventually(lambda: not gateway.is_running() or gateway.status() == psutil.STATUS_ZOMBIE)
    eventually(service.is_well)
    with service.client() as client:
        assert _import(client)
