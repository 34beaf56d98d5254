"""The calls of the HTTP contract, and what they leave behind."""

import re
import uuid
from datetime import UTC, datetime

import httpx
import pytest
from eth_account import Account as EthAccount

from api import render
from tests.api.conftest import OLD_KEY, World
from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE
from wallets.chains import CHAINS
from wallets.derivation import DerivationScheme
from wallets.model import Account, Address, AuditAction, AuditStatus, Intent, Page, SignedTransaction, SigningResult, Transfer, Wallet


async def test_create_answers_the_wallet(client: httpx.AsyncClient, world: World) -> None:
    """A new wallet has an id, its label and its time; its creation is audited with who asked."""
    answer = await client.post("/api/v1/wallets", json={"label": "Kasse 7, Köln"}, headers={"X-Request-ID": "req-1"})

    document = answer.json()
    assert answer.status_code == 200
    assert document["label"] == "Kasse 7, Köln"
    assert document["scheme"] == "standard"
    assert datetime.fromisoformat(document["created_at"]).tzinfo == UTC
    (event,) = world.audit.events
    assert (event.action, event.status, str(event.wallet_id)) == (AuditAction.WALLET_CREATE, AuditStatus.OK, document["id"])
    assert (event.caller.request_id, event.caller.ip_address) == ("req-1", "127.0.0.1")


@pytest.mark.parametrize("words", [12, 24])
async def test_create_takes_the_length_of_the_mnemonic(client: httpx.AsyncClient, words: int) -> None:
    """Twelve and twenty-four words can be asked for."""
    answer = await client.post("/api/v1/wallets", json={"label": "a", "mnemonic_length": words})

    assert answer.status_code == 200


async def test_the_previous_key_still_works(client: httpx.AsyncClient, world: World) -> None:
    """While keys are exchanged both are taken, and the audit tells them apart."""
    await client.post("/api/v1/wallets", json={"label": "a"})
    await client.post("/api/v1/wallets", json={"label": "b"}, headers={"X-Api-Key": OLD_KEY})

    assert len({event.caller.api_key_id for event in world.audit.events}) == 2


async def test_list_is_paged_newest_first(client: httpx.AsyncClient) -> None:
    """Pages count from one, hold what was asked for, and are empty past the last."""
    for label in "abcde":
        await client.post("/api/v1/wallets", json={"label": label})

    first = (await client.get("/api/v1/wallets?page=1&per_page=2")).json()
    last = (await client.get("/api/v1/wallets?page=3&per_page=2")).json()
    beyond = (await client.get("/api/v1/wallets?page=4&per_page=2")).json()

    assert [item["label"] for item in first["data"]] == ["e", "d"]
    assert [item["label"] for item in last["data"]] == ["a"]
    assert beyond["data"] == []
    assert (first["page"], first["per_page"], first["total"], first["total_pages"]) == (1, 2, 5, 3)


async def test_an_empty_list_has_no_pages(client: httpx.AsyncClient) -> None:
    """Before the first wallet the defaults answer with nothing."""
    nothing = {"data": [], "page": 1, "per_page": 20, "total": 0, "total_pages": 0, "next_cursor": None}

    assert (await client.get("/api/v1/wallets")).json() == nothing


async def test_one_wallet_is_found_by_its_id(client: httpx.AsyncClient) -> None:
    """What create answered is what get answers."""
    created = (await client.post("/api/v1/wallets", json={"label": "a"})).json()

    assert (await client.get(f"/api/v1/wallets/{created['id']}")).json() == created


@pytest.mark.parametrize("path", ["", "/address/eth"])
async def test_an_unknown_wallet_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    """A wallet that was never made is 404, and named as such."""
    answer = await client.get(f"/api/v1/wallets/{uuid.uuid4()}{path}")

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:crypto-wallets:problem:wallet-not-found")


async def test_import_names_the_scheme(client: httpx.AsyncClient, world: World) -> None:
    """A wallet that is taken over keeps its scheme, and nothing of its phrase is in the audit."""
    answer = await client.post("/api/v1/wallets/import", json={"label": "old", "mnemonic": PHRASE, "scheme": "v1_0_8"})

    assert answer.status_code == 200
    assert answer.json()["scheme"] == "v1_0_8"
    (event,) = world.audit.events
    assert event.action is AuditAction.WALLET_IMPORT
    assert "abandon" not in repr(event)


async def test_import_finds_the_addresses_of_the_phrase(client: httpx.AsyncClient) -> None:
    """A phrase, and a phrase with a passphrase, give the addresses that eth-account finds for them."""
    plain = (await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE})).json()["id"]
    other = (await client.post("/api/v1/wallets/import", json={"label": "b", "mnemonic": PHRASE, "passphrase": "TREZOR"})).json()["id"]

    document = (await client.get(f"/api/v1/wallets/{plain}/address/eth")).json()
    with_passphrase = (await client.get(f"/api/v1/wallets/{other}/address/eth")).json()

    EthAccount.enable_unaudited_hdwallet_features()
    assert document == {"wallet_id": plain, "network": "eth", "index": 0, "address": EthAccount.from_mnemonic(PHRASE).address}
    assert with_passphrase["address"] == EthAccount.from_mnemonic(PHRASE, passphrase="TREZOR").address


@pytest.mark.parametrize("network", sorted(CHAINS))
async def test_each_network_gives_addresses_that_are_found_again(client: httpx.AsyncClient, network: str) -> None:
    """An address is the same when asked for again, another at another index, and leads back to its account."""
    wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]

    first = (await client.get(f"/api/v1/wallets/{wallet_id}/address/{network}?index=3")).json()
    again = (await client.get(f"/api/v1/wallets/{wallet_id}/address/{network}?index=3")).json()
    other = (await client.get(f"/api/v1/wallets/{wallet_id}/address/{network}?index=4")).json()
    found = (await client.get(f"/api/v1/addresses/{first['address']}")).json()

    assert first == again
    assert first["address"] != other["address"]
    assert found["address"] == first["address"]
    kind = {name: first[name] for name in ("type", "version") if name in first}
    assert {"wallet_id": wallet_id, "network": network, "index": 3, **kind} in found["accounts"]


async def test_an_address_that_was_never_derived_is_not_found(client: httpx.AsyncClient) -> None:
    """Looking for a stranger's address, or for no address at all, is 404."""
    for text in ("0x000000000000000000000000000000000000dEaD", "nothing"):
        answer = await client.get(f"/api/v1/addresses/{text}")

        assert (answer.status_code, answer.json()["type"]) == (404, "urn:crypto-wallets:problem:address-not-found")


async def test_a_refused_transaction_says_why_and_is_audited(client: httpx.AsyncClient, world: World) -> None:
    """Bytes that are no transaction are 400 with a reason, counted as refused, and written down."""
    wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": "0xzz"})

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:crypto-wallets:problem:malformed-transaction")
    assert "hex" in answer.json()["detail"]
    assert (world.audit.events[-1].action, world.audit.events[-1].status) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED)
    assert 'sign_operations_total{network="eth",status="refused"} 1.0' in world.metrics.render().decode()


async def test_an_unknown_network_is_refused(client: httpx.AsyncClient) -> None:
    """A network that is not in the table is 400, in the path and in the body."""
    wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]

    address = await client.get(f"/api/v1/wallets/{wallet_id}/address/dogecoin")
    signed = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "dogecoin", "index": 0, "unsigned_tx": "00"})

    assert {answer.status_code for answer in (address, signed)} == {400}
    assert {answer.json()["type"] for answer in (address, signed)} == {"urn:crypto-wallets:problem:unsupported-network"}


@pytest.mark.parametrize(
    ("away", "name"),
    [("store", "store-unavailable"), ("audit", "store-unavailable"), ("encryption", "key-encryption-unavailable")],
)
async def test_what_is_away_is_503(client: httpx.AsyncClient, world: World, away: str, name: str) -> None:
    """Without database, audit or Vault nothing is created, and the client is told to come back."""
    getattr(world, away).away = True

    answer = await client.post("/api/v1/wallets", json={"label": "a"})

    # Without audit rows of refusals the audit itself is what is away.
    assert answer.status_code == 503
    assert answer.json()["type"] in {f"urn:crypto-wallets:problem:{name}", "urn:crypto-wallets:problem:audit-unavailable"}
    assert int(answer.headers["Retry-After"]) > 0
    assert len(world.store) == 0


async def test_a_corrupt_ciphertext_is_named_audited_and_counted(client: httpx.AsyncClient, world: World) -> None:
    """Both calls that need the key are refused with 500, leave a row of their failure, and sound the alarm."""
    ids = [(await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"] for _ in range(2)]
    await world.corrupt(ids[0])
    body = {
        "network": "eth",
        "index": 0,
        "unsigned_tx": EIP_155_EXAMPLE,
    }

    address = await client.get(f"/api/v1/wallets/{ids[0]}/address/eth")
    signed = await client.post(f"/api/v1/wallets/{ids[0]}/sign", json=body)
    other = await client.get(f"/api/v1/wallets/{ids[1]}/address/eth")

    for answer in (address, signed):
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:crypto-wallets:problem:corrupt-ciphertext")
        assert "Retry-After" not in answer.headers
    assert other.status_code == 200
    rows = [(event.action, event.status) for event in world.audit.events[2:4]]
    assert rows == [(AuditAction.ADDRESS_DERIVE, AuditStatus.FAILED), (AuditAction.TRANSACTION_SIGN, AuditStatus.FAILED)]
    metrics = (await client.get("/metrics")).text
    assert "keyring_corrupt_ciphertexts_total 2.0" in metrics
    assert 'sign_operations_total{network="eth",status="failed"} 1.0' in metrics


async def test_wallets_are_counted(client: httpx.AsyncClient) -> None:
    """What was created and taken over is in the metrics, requests by the template of their route."""
    wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]
    await client.post("/api/v1/wallets/import", json={"label": "b", "mnemonic": PHRASE})
    await client.get(f"/api/v1/wallets/{wallet_id}")

    answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "wallets_created_total 1.0" in answer.text
    assert "wallets_imported_total 1.0" in answer.text
    assert 'http_requests_total{method="GET",route="/api/v1/wallets/{wallet_id}",status="200"} 1.0' in answer.text
    assert wallet_id not in answer.text


def test_amounts_are_decimal_texts() -> None:
    """What JavaScript would round is text; what it keeps is a number."""
    intent = Intent("eth", "transfer", "0xa", (Transfer("0xb", 2**256 - 1),), 10**18, details={"nonce": 7, "id": 2**53, "memo": "x"})

    document = render.intent(intent)

    units = "115792089237316195423570985008687907853269984665640564039457.584007913129639935"
    assert document["transfers"] == [{"recipient": "0xb", "amount": str(2**256 - 1), "amount_decimal": units, "asset": "native"}]
    assert (document["max_fee"], document["max_fee_decimal"]) == ("1000000000000000000", "1")
    assert document["details"] == {"nonce": 7, "id": "9007199254740992", "memo": "x"}


def test_a_fee_without_bound_is_null() -> None:
    """Where the transaction bounds no fee, the answer says so."""
    assert render.intent(Intent("sol", "transfer"))["max_fee"] is None


@pytest.mark.parametrize("network", sorted(CHAINS))
def test_signatures_are_written_as_the_network_writes_hex(network: str) -> None:
    """With 0x on EVM networks, bare elsewhere; without an id where that is another signer's to give."""
    prefix = CHAINS[network].hex_prefix
    signed = SignedTransaction(b"\x01\x02", None, b"\x03")

    document = render.signing_result(SigningResult(Account(uuid.uuid4(), network, 1), "address", signed, Intent(network, "transfer")))

    assert (document["signed_tx"], document["signature"], document["from"]) == (f"{prefix}0102", f"{prefix}03", "address")
    assert "tx_id" not in document


def test_forms_are_shown_where_there_are_several() -> None:
    """An address with other forms lists them; one without has no such field."""
    account = Account(uuid.uuid4(), "ton", 0)

    assert render.address(Address(account, "UQ", {"bounceable": "EQ"}))["forms"] == {"bounceable": "EQ"}
    assert "forms" not in render.address(Address(account, "UQ"))


def test_a_last_page_that_is_not_full_counts() -> None:
    """Pages are counted upwards."""
    wallet = Wallet(uuid.uuid4(), "a", DerivationScheme.STANDARD, datetime(2026, 11, 23, 12, tzinfo=UTC))

    document = render.page(Page((wallet,), 3, 20, 41))

    assert document["total_pages"] == 3
    assert document["data"][0]["created_at"] == "2026-11-23T12:00:00.000000Z"


async def test_every_answer_has_an_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    """Answers are never cached or sniffed, and carry the request's id."""
    for answer in (await client.get("/api/v1/wallets"), await client.get("/nowhere"), await client.get("/api/v1/health/live")):
        assert re.fullmatch("[0-9a-f-]{36}", answer.headers["X-Request-ID"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
