"""The whole service, started by its command line on the real servers: it serves, survives, and ends without a trace."""

import asyncio
import contextlib
import hashlib
import json
import re
import signal
import time
from base64 import b64encode
from collections.abc import Iterator
from uuid import UUID

import httpx
import psutil
import pytest
import rlp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from pytoniq_core import Cell, MessageAny, begin_cell
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction as SolanaTransaction
from tronpy.keys import Signature as TronSignature
from tronpy.keys import to_raw_address

from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from tests.postgres_probes import query
from tests.samples import ton_transfer, tron_transfer
from tests.serve_app.whole_service import Service, eventually, whole_service
from tests.wallets import bitcoin_node, psbts
from wallets.chains import CHAINS
from wallets.chains.evm import Evm
from wallets.curves import Curve
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.mnemonic import parse, to_seed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

_UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
_SERVES_PERIOD_SECONDS = 11
"""Longer than the time between two of Serve's health checks (`serve_app.app`)."""

_CHAIN_IDS = {"eth": 1, "bsc": 56, "polygon": 137, "arbitrum": 42161, "optimism": 10, "base": 8453, "avalanche": 43114}
_CHAIN_IDS |= {"gnosis": 100, "linea": 59144, "sepolia": 11155111, "holesky": 17000}


def _listening(process: psutil.Process) -> set[tuple[str, str]]:
    """Return the process's name with each address it listens on; nothing when it has just ended."""
    try:
        sockets = process.net_connections("inet")
        return {(process.name(), each.laddr.ip) for each in sockets if each.status == psutil.CONN_LISTEN}
    except psutil.NoSuchProcess:
        return set()


@pytest.fixture(name="service", scope="module")
def _shared_service() -> Iterator[Service]:
    with whole_service() as service:
        yield service


def _import(client: httpx.Client) -> str:
    body = {"label": "known", "mnemonic": PHRASE}
    return str(client.post("/api/v1/wallets/import", json=body).raise_for_status().json()["id"])


def _address(client: httpx.Client, wallet_id: str, network: str) -> str:
    return str(client.get(f"/api/v1/wallets/{wallet_id}/address/{network}").raise_for_status().json()["address"])


def _sign(client: httpx.Client, wallet_id: str, network: str, unsigned_tx: str) -> dict[str, str]:
    body = {"network": network, "index": 0, "unsigned_tx": unsigned_tx}
    signed: dict[str, str] = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body).raise_for_status().json()
    return signed


@pytest.mark.parametrize("network", [each.network for each in CHAINS.values() if isinstance(each, Evm)])
def test_a_created_wallet_gives_an_address_and_signs(service: Service, network: str) -> None:
    """What is signed on an EVM network recovers to the wallet's address with another library, and is counted."""
    with service.client() as client:
        wallet_id = client.post("/api/v1/wallets", json={"label": "first"}).raise_for_status().json()["id"]

        address = _address(client, wallet_id, network)
        unsigned = b"\x02" + rlp.encode([_CHAIN_IDS[network], 1, 2, 3, 21_000, b"\x22" * 20, 5, b"", []])
        signed = _sign(client, wallet_id, network, unsigned.hex())

        assert Account.recover_transaction(signed["signed_tx"]) == address == signed["from"]
        found = client.get(f"/api/v1/addresses/{address.lower()}").raise_for_status().json()
        assert found["accounts"] == [{"wallet_id": wallet_id, "network": network, "index": 0}]
        assert f'sign_operations_total{{network="{network}",status="ok"}}' in client.get("/metrics").text
        assert "swagger" in client.get("/swagger-ui").text


def test_an_imported_wallet_has_the_addresses_that_wallets_show(service: Service) -> None:
    """The accounts of a published phrase are found again on every family."""
    with service.client() as client:
        wallet_id = _import(client)

        assert {network: _address(client, wallet_id, network) for network in FIRST_ADDRESSES} == FIRST_ADDRESSES


def test_signatures_of_other_families_verify_with_their_own_libraries(service: Service) -> None:
    """Tron recovers with tronpy, Solana verifies with solders, TON is read by pytoniq-core, Bitcoin Core accepts Bitcoin."""
    with service.client() as client:
        wallet_id = _import(client)

        raw_data = tron_transfer(to_raw_address(FIRST_ADDRESSES["tron"]), b"\x41" + b"\x22" * 20, 5, int(time.time()))
        tron = bytes.fromhex(_sign(client, wallet_id, "tron", raw_data.hex())["signature"])
        payer = Pubkey.from_string(FIRST_ADDRESSES["sol"])
        instruction = transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_bytes(b"\x22" * 32), lamports=5))
        message = Message.new_with_blockhash([instruction], payer, Hash.default())
        solana = _sign(client, wallet_id, "sol", bytes(message).hex())["signed_tx"]
        bitcoin = _sign(client, wallet_id, "btc", b64encode(psbts.transfer()).decode())
        ton = _sign(client, wallet_id, "ton", ton_transfer(1, 5).hex())
        ton_address = client.get(f"/api/v1/wallets/{wallet_id}/address/ton").raise_for_status().json()

    signer = TronSignature(tron[:64] + bytes([tron[64] - 27])).recover_public_key_from_msg_hash(hashlib.sha256(raw_data).digest())
    assert FIRST_ADDRESSES["tron"] == signer.to_base58check_address()
    SolanaTransaction.from_bytes(bytes.fromhex(solana)).verify()
    assert bitcoin["from"] == FIRST_ADDRESSES["btc"]
    assert bitcoin_node.accepts(bytes.fromhex(bitcoin["signed_tx"]), [psbts.spent(psbts.US).output])
    assert ton["from"] == ton_address["address"] == ton_address["forms"]["non_bounceable"]
    _verify_ton(ton["signed_tx"], ton["from"])


def _verify_ton(signed_tx: str, sender: str) -> None:
    """Read the external message, derive the wallet's address from its public key, and verify the signature over the rest of its body."""
    message = MessageAny.deserialize(Cell.one_from_boc(signed_tx).begin_parse())
    assert message.init is None
    assert message.info.dest.to_str(is_bounceable=False) == sender
    body = message.body.begin_parse()
    signature, payload = body.load_bytes(64), begin_cell().store_slice(body).end_cell()
    seed = to_seed(parse(PHRASE))
    path = DerivationPath.parse(CHAINS["ton"].path(DerivationScheme.STANDARD).format(index=0))
    public_key = derive(seed, path, Curve.ED25519, DerivationScheme.STANDARD).public_key
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload.hash)


def test_another_accounts_transaction_is_refused(service: Service) -> None:
    """A transaction that names another sender is a bad request, on each network that names one."""
    payer = Pubkey.from_string(FIRST_ADDRESSES["sol"])
    instruction = transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_bytes(b"\x22" * 32), lamports=5))
    message = bytes(Message.new_with_blockhash([instruction], payer, Hash.default()))
    raw_data = tron_transfer(to_raw_address(FIRST_ADDRESSES["tron"]), b"\x41" + b"\x22" * 20, 5, int(time.time()))
    with service.client() as client:
        wallet_id = client.post("/api/v1/wallets", json={"label": "another"}).raise_for_status().json()["id"]
        for network, unsigned in (("sol", message), ("tron", raw_data)):
            body = {"network": network, "index": 0, "unsigned_tx": unsigned.hex()}
            answer = client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)

            assert (answer.status_code, answer.json()["type"]) == (400, "urn:crypto-wallets:problem:wrong-signer")


def test_bad_requests_get_a_problem_document(service: Service) -> None:
    """What is wrong is refused with its status and says why."""
    with service.client() as client:
        wallet_id = client.post("/api/v1/wallets", json={"label": "x"}).raise_for_status().json()["id"]
        sign = f"/api/v1/wallets/{wallet_id}/sign"

        answers = [
            (client.get("/api/v1/wallets", headers={"X-Api-Key": "wrong"}), 401),
            (client.post(sign, json={"network": "eth", "index": 0, "unsigned_tx": "zz"}), 400),
            (client.post(sign, json={"network": "bsc", "index": 0, "unsigned_tx": _UNSIGNED}), 400),
            (client.post(sign, json={"network": "nope", "index": 0, "unsigned_tx": _UNSIGNED}), 400),
            (client.post(sign, json={"network": "eth", "index": 2**31, "unsigned_tx": _UNSIGNED}), 422),
            (client.post(sign, content=b"{", headers={"Content-Type": "application/json"}), 400),
            (client.post(sign, content=b"{}", headers={"Content-Type": "text/plain"}), 415),
            (client.post("/api/v1/wallets", json={"label": "x" * 2**20}), 413),
            (client.get("/api/v1/wallets/not-a-uuid"), 400),
            (client.get("/api/v1/wallets/00000000-0000-4000-8000-000000000000"), 404),
        ]

    for answer, status in answers:
        assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"]), answer.text


def test_nothing_listens_beyond_loopback(service: Service) -> None:
    """Every listening socket of every process is on loopback."""
    service.note()

    listening = {each for process in service.left() for each in _listening(process)}

    assert listening
    assert {ip for _, ip in listening} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, listening


def test_status_and_demo_tell_of_it(service: Service) -> None:
    """`status` says that all is well, and `demo` signs on every network."""
    eventually(lambda: service.run("status", "--json").returncode == 0)

    status = service.run("status", "--json")
    demo = service.run("demo")

    found = json.loads(status.stdout)
    assert (status.returncode, found["ok"]) == (0, True), status.stdout + status.stderr
    assert {child["name"] for child in found["children"]} == {"postgres", "redis", "vault", "ray"}
    assert found["replicas"]
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert all(network in demo.stdout for network in CHAINS)


def test_keys_are_renewed_while_it_runs(service: Service) -> None:
    """The operator's commands find database and keys by the data folder; after each the wallet is decrypted anew, and signs."""
    with service.client() as client:
        wallet_id = _import(client)
        assert service.run("keys", "rotate").returncode == 0
        for arguments in (["rewrap"], ["migrate", "--to", "local"], ["migrate", "--to", "vault"]):
            renewed = service.run("keys", *arguments)
            assert renewed.returncode == 0, renewed.stderr
            assert service.run("lock").returncode == 0
            assert _sign(client, wallet_id, "eth", _UNSIGNED)["from"] == FIRST_ADDRESSES["eth"]
        latest = json.loads(service.run("keys", "status", "--json").stdout)["latest"]
        retired = service.run("keys", "retire", "--below", str(latest))
        assert service.run("lock").returncode == 0
        assert _sign(client, wallet_id, "eth", _UNSIGNED)["from"] == FIRST_ADDRESSES["eth"]

    assert retired.returncode == 0, retired.stderr
    assert json.loads(service.run("keys", "status", "--json").stdout)["oldest_usable"] == latest


def test_a_lock_reaches_every_replica(service: Service) -> None:
    """Both replicas hold the wallet's seed; within a second of `lock` neither does, and both sign again."""
    with service.client() as client:
        wallet_id = client.post("/api/v1/wallets", json={"label": "locked"}).raise_for_status().json()["id"]

    def both_hold_it() -> bool:
        with service.client() as client:  # a connection of its own, which any replica may get
            _sign(client, wallet_id, "eth", _UNSIGNED)
        return _unlocked_seeds(service) >= 2

    service.run("lock")
    eventually(lambda: _unlocked_seeds(service) == 0)
    eventually(both_hold_it)

    locked = service.run("lock")
    eventually(lambda: _unlocked_seeds(service) == 0, 1)

    assert locked.returncode == 0, locked.stderr
    assert "forgot its unlocked seeds (1)" in locked.stdout
    eventually(both_hold_it)


def _unlocked_seeds(service: Service) -> float:
    found = re.search(r"^keyring_unlocked_seeds (\S+)$", httpx.get(f"{service.url}/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("name", ["postgres", "valkey-server", "bao", "raylet", "gcs_server", "haproxy", "ray::ServeReplica"])
def test_what_is_killed_comes_back(service: Service, name: str) -> None:
    """After SIGKILL of any of its processes the service gets well again, and signs for the wallets it had."""
    with service.client() as client:
        wallet_id = client.post("/api/v1/wallets", json={"label": name}).raise_for_status().json()["id"]
        address = _address(client, wallet_id, "eth")
    victim = min(service.named(name), key=lambda each: each.create_time())

    victim.send_signal(signal.SIGKILL)

    def signs() -> bool:
        if not service.is_well():
            return False
        with service.client() as client, contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
            return _sign(client, wallet_id, "eth", _UNSIGNED)["from"] == address
        return False

    eventually(lambda: service.has_another(name, victim) and signs())


def test_an_outage_replaces_no_replica(service: Service) -> None:
    """While Vault hangs the service is not ready, and lives on: Serve, which checks its replicas meanwhile, finds none to replace."""
    # One that an earlier test has killed may still be on its way back.
    eventually(lambda: service.is_well() and len(service.named("ray::ServeReplica")) == 2)
    (vault,) = service.named("bao")
    before = {replica.pid for replica in service.named("ray::ServeReplica")}

    vault.suspend()
    try:
        eventually(lambda: httpx.get(f"{service.url}/api/v1/health/ready", timeout=10).status_code == 503, 30)
        time.sleep(_SERVES_PERIOD_SECONDS)  # what is shown is that nothing happens in this time
        alive = httpx.get(f"{service.url}/api/v1/health/live", timeout=10)
    finally:
        vault.resume()
    eventually(service.is_well)

    assert alive.status_code == 200
    assert {replica.pid for replica in service.named("ray::ServeReplica")} == before


def test_it_ends_in_order_and_leaves_nothing_when_killed() -> None:
    """SIGTERM under load: what was taken is answered, within 30 s. Started again: the wallets are there. Killed: no process is left."""
    with whole_service() as service:
        with service.client() as client:
            wallet_id = client.post("/api/v1/wallets", json={"label": "kept"}).raise_for_status().json()["id"]
            address = _address(client, wallet_id, "eth")

        answered, seconds = asyncio.run(_stop_under_load(service, wallet_id))

        assert service.process.returncode == 0, service.output.read_text()
        assert seconds < 30
        assert "request_completed" in "".join(log.read_text() for log in (service.folder / "logs/ray-processes").glob("worker-*.out"))
        assert len(answered) > 20
        assert set(answered) == {200}
        assert not service.left()
        service.start()
        eventually(service.is_well)
        with service.client() as client:
            # Nothing was signed for which nobody got the answer.
            assert asyncio.run(_signatures(service, wallet_id)) == len(answered)
            assert address == _address(client, wallet_id, "eth") == _sign(client, wallet_id, "eth", _UNSIGNED)["from"]
        service.note()
        service.process.kill()
        service.process.wait()
        eventually(lambda: not service.left(), 30)


async def _signatures(service: Service, wallet_id: str) -> int:
    """Count the wallet's signatures in the audit log."""
    count = "SELECT count(*) FROM audit_logs WHERE wallet_id = $1 AND action = 'transaction:sign' AND status = 'ok'"
    return int((await query((service.folder / "database-url").read_text(), count, UUID(wallet_id)))[0][0])


async def _stop_under_load(service: Service, wallet_id: str) -> tuple[list[int], float]:
    """Sign on eight connections until the service takes no more; return every status answered, and the seconds it took to end."""
    answered: list[int] = []
    body = {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}

    async def load() -> None:
        async with httpx.AsyncClient(base_url=service.url, headers=service.headers(), timeout=30) as client:
            is_connected = False
            while True:
                try:
                    response = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)
                except httpx.TransportError:
                    # A connection that is not taken any more is owed nothing: refused, or thrown away with the queue of the listener.
                    if is_connected:
                        raise
                    return
                answered.append(response.status_code)
                is_connected = response.headers.get("connection") != "close"

    tasks = [asyncio.create_task(load()) for _ in range(8)]
    while len(answered) < 20:
        await asyncio.sleep(0.05)
    service.note()
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*tasks)
    await asyncio.to_thread(service.process.wait, 60)
    return answered, time.monotonic() - began
