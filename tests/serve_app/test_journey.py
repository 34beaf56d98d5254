"""The whole service, started by its command line on the real servers, serves, survives and ends."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from eth_account import Account
from pytoniq_core import Cell
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction as SolanaTransaction
from tronpy.keys import Signature as TronSignature
from tronpy.keys import to_raw_address

from serve_app.cluster import free_ports
from tests.samples import ton_transfer, tron_transfer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

_UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"


class Service:
    """A running `crypto-wallets up`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("APP__")}
        environ |= {"APP__DATA_DIR": str(folder), "APP__SERVER__PORT": self.url.rsplit(":", 1)[1]}
        environ["APP__SERVER__RATE_LIMIT__BURST_SIZE"] = "1000"
        command = [sys.executable, "-c", "from serve_app.cli import app; app(['up'])"]
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
        self.tree: set[psutil.Process] = set()

    def client(self) -> httpx.Client:
        """Make a client with the API key."""
        return httpx.Client(base_url=self.url, headers={"X-Api-Key": (self.folder / "api-key").read_text()}, timeout=15)

    def is_ready(self) -> bool:
        """Tell whether the service takes requests."""
        self.note()
        assert self.process.poll() is None, self.output.read_text()
        try:
            return httpx.get(f"{self.url}/api/v1/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def note(self) -> None:
        """Remember every process of the service."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.tree.update(psutil.Process(self.process.pid).children(recursive=True))

    def left(self) -> list[psutil.Process]:
        """Return the processes of the service that still run."""
        return [each for each in self.tree if _runs(each)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listening(process: psutil.Process) -> set[tuple[str, str]]:
    """Return the process's name with each address it listens on; nothing when it has just ended."""
    try:
        sockets = process.net_connections("inet")
        return {(process.name(), each.laddr.ip) for each in sockets if each.status == psutil.CONN_LISTEN}
    except psutil.NoSuchProcess:
        return set()


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _eventually(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)


@pytest.fixture(name="service", scope="module")
def _service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="cw-test-", dir="/tmp"))  # root's PostgreSQL user must reach it
    folder.chmod(0o711)
    service = Service(folder)
    try:
        _eventually(service.is_ready)
        yield service
    finally:
        service.process.kill()
        service.process.wait()
        _eventually(lambda: not service.left(), 30)
        shutil.rmtree(folder)


def test_the_journey(service: Service) -> None:
    """A wallet gives an address and signs, survives the death of its database, and a killed supervisor leaves no process."""
    with service.client() as client:
        wallet = client.post("/api/v1/wallets", json={"label": "first"}).raise_for_status().json()
        address = client.get(f"/api/v1/wallets/{wallet['id']}/address/eth").raise_for_status().json()["address"]
        body = {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}
        signed = client.post(f"/api/v1/wallets/{wallet['id']}/sign", json=body).raise_for_status().json()

        assert Account.recover_transaction(signed["signed_tx"]) == address == signed["from"]
        found = client.get(f"/api/v1/addresses/{address.lower()}").raise_for_status().json()
        assert found["accounts"] == [{"wallet_id": wallet["id"], "network": "eth", "index": 0}]
        assert 'sign_operations_total{network="eth",status="ok"} 1.0' in client.get("/metrics").text
        _refuses_what_is_wrong(client, wallet["id"])
        _imports_a_known_phrase(client)

    _listens_on_loopback_only(service)
    _survives_its_database(service, wallet["id"], body)
    _leaves_nothing_when_killed(service)


def _refuses_what_is_wrong(client: httpx.Client, wallet_id: str) -> None:
    sign = f"/api/v1/wallets/{wallet_id}/sign"
    answers = [
        (client.get("/api/v1/wallets", headers={"X-Api-Key": "wrong"}), 401),
        (client.post(sign, json={"network": "eth", "index": 0, "unsigned_tx": "zz"}), 400),
        (client.post(sign, json={"network": "bsc", "index": 0, "unsigned_tx": _UNSIGNED}), 400),
        (client.post(sign, json={"network": "nope", "index": 0, "unsigned_tx": _UNSIGNED}), 400),
        (client.post(sign, json={"network": "eth", "index": 2**31, "unsigned_tx": _UNSIGNED}), 422),
        (client.post(sign, content=b"{", headers={"Content-Type": "application/json"}), 400),
        (client.post(sign, content=b"{}", headers={"Content-Type": "text/plain"}), 415),
        (client.post("/api/v1/wallets", json={"label": "x\n"}), 400),
        (client.post("/api/v1/wallets", json={"label": "x" * 2**20}), 413),
        (client.get("/api/v1/wallets/not-a-uuid"), 400),
        (client.get("/api/v1/wallets/00000000-0000-4000-8000-000000000000"), 404),
    ]

    for answer, status in answers:
        assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"]), answer.text


def _imports_a_known_phrase(client: httpx.Client) -> None:
    body = {"label": "known", "mnemonic": "abandon " * 11 + "about"}
    wallet = client.post("/api/v1/wallets/import", json=body).raise_for_status().json()
    known = {
        "eth": "0x9858EfFD232B4033E47d90003D41EC34EcaEda94",
        "tron": "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH",
        "sol": "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk",
    }
    for network, address in known.items():
        assert address == client.get(f"/api/v1/wallets/{wallet['id']}/address/{network}").raise_for_status().json()["address"]
    _signs_on_every_family(client, wallet["id"], known)


def _signs_on_every_family(client: httpx.Client, wallet_id: str, known: dict[str, str]) -> None:
    def sign(network: str, unsigned: bytes) -> dict[str, str]:
        body = {"network": network, "index": 0, "unsigned_tx": unsigned.hex()}
        signed: dict[str, str] = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body).raise_for_status().json()
        return signed

    raw_data = tron_transfer(to_raw_address(known["tron"]), b"\x41" + b"\x22" * 20, 5)
    signed = sign("tron", raw_data)
    signature = TronSignature(bytes.fromhex(signed["signature"])[:64] + bytes([bytes.fromhex(signed["signature"])[64] - 27]))
    recovered = signature.recover_public_key_from_msg_hash(hashlib.sha256(raw_data).digest())
    assert known["tron"] == recovered.to_base58check_address()

    payer = Pubkey.from_string(known["sol"])
    instruction = transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_bytes(b"\x22" * 32), lamports=5))
    signed = sign("sol", bytes(Message.new_with_blockhash([instruction], payer, Hash.default())))
    SolanaTransaction.from_bytes(bytes.fromhex(signed["signed_tx"])).verify()

    body = ton_transfer(1, 5)
    signed = sign("ton", body)
    address = client.get(f"/api/v1/wallets/{wallet_id}/address/ton").raise_for_status().json()
    assert signed["from"] == address["address"] == address["forms"]["non_bounceable"]
    assert Cell.one_from_boc(signed["signed_tx"]).begin_parse().load_uint(2) == 0b10


def _listens_on_loopback_only(service: Service) -> None:
    service.note()
    open_sockets = {each for process in service.left() for each in _listening(process)}

    assert {ip for _, ip in open_sockets} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, open_sockets


def _survives_its_database(service: Service, wallet_id: str, body: dict[str, object]) -> None:
    service.note()
    postmaster = min((each for each in service.left() if _name(each) == "postgres"), key=lambda each: each.create_time())
    postmaster.send_signal(signal.SIGKILL)
    _eventually(service.is_ready)

    with service.client() as client:
        assert client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body).status_code == 200


def _leaves_nothing_when_killed(service: Service) -> None:
    service.note()
    service.process.kill()

    _eventually(lambda: not service.left(), 30)
