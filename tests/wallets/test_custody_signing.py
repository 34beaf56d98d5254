"""Signing: no audit, no signature; what is refused and what fails leaves its row; no secret in any of them."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from tests.wallets.custody_house import CALLER, VECTORS, House, outcome, unsigned
from wallets.derivation import DerivationScheme
from wallets.errors import (
    AuditUnavailableError,
    KeyEncryptionUnavailableError,
    MalformedTransactionError,
    PolicyViolationError,
    StoreUnavailableError,
    WalletError,
)
from wallets.model import (
    Account,
    AuditAction,
    AuditStatus,
    SigningRequest,
)
from wallets.policy import AllOf
from wallets.secret import Phrase


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


@pytest.mark.parametrize(("network", "address"), [("sol", FIRST_ADDRESSES["sol"]), ("ton", FIRST_ADDRESSES["ton"])])
async def test_a_signature_is_released_with_its_audit_row(house: House, network: str, address: str) -> None:
    """The result says whose signature it is and what it does; the row says the same, and who asked."""
    wallet = await house.known_wallet()

    result = await house.sign(wallet, network, unsigned(network, "transfer"))

    assert (result.address, result.account, result.intent.sender) == (address, Account(wallet.id, network, 0), address)
    assert result.signed.raw
    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.OK, wallet.id)
    assert event.caller == CALLER
    assert event.details["tx_id"] == result.signed.tx_id
    assert event.details["address"] == address
    assert (event.details["network"], event.details["index"]) == (network, 0)
    intent: Any = event.details["intent"]
    assert (intent["kind"], intent["sender"]) == ("transfer", address)
    assert intent["transfers"][0]["amount"] == result.intent.transfers[0].amount


async def test_what_is_odd_for_this_wallet_is_shown_and_audited(house: House) -> None:
    """A jetton transfer whose rest returns to another wallet than the one that signs is warned of, in the result and in the row."""
    wallet = await house.known_wallet()

    result = await house.sign(wallet, "ton", unsigned("ton", "jetton_transfer"), index=1)

    warning = f"message 1 returns what is left of its value to {FIRST_ADDRESSES['ton']}, which is not this wallet"
    intent: Any = house.only_event().details["intent"]
    assert result.intent.warnings == (warning,)
    assert intent["warnings"] == [warning]


@pytest.mark.parametrize(
    ("network", "payload", "index", "error"),
    [
        ("sol", "", 0, MalformedTransactionError),
        ("sol", "zz", 0, MalformedTransactionError),
        ("sol", "00", 0, MalformedTransactionError),
        ("ton", "b5ee9c72", 0, MalformedTransactionError),
        ("sol", unsigned("sol", "transfer"), 1, PolicyViolationError),
    ],
)
async def test_a_refused_signature_leaves_its_row(house: House, network: str, payload: str, index: int, error: type[WalletError]) -> None:
    """What is no transaction, or is another account's, is refused, and the row says why."""
    wallet = await house.known_wallet()

    with pytest.raises(error) as caught:
        await house.sign(wallet, network, payload, index=index)

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert event.details["reason"] == str(caught.value)
    assert "tx_id" not in event.details


async def test_a_malformed_transaction_reaches_no_key(house: House) -> None:
    """What does not decode is refused before the database and the key backend are asked."""
    wallet = await house.known_wallet()
    house.store.away = True

    with pytest.raises(MalformedTransactionError):
        await house.sign(wallet, "sol", "00")

    assert house.encryption.decryptions == 0


async def test_no_audit_no_signature(house: House) -> None:
    """With the audit log away nothing is released, and a refusal cannot be told from it."""
    wallet = await house.known_wallet()
    house.audit.away = True

    with pytest.raises(AuditUnavailableError):
        await house.sign(wallet, "sol", unsigned("sol", "transfer"))
    with pytest.raises(AuditUnavailableError):
        await house.sign(wallet, "sol", "00")

    assert house.audit.events == ()


@pytest.mark.parametrize(("away", "error"), [("store", StoreUnavailableError), ("encryption", KeyEncryptionUnavailableError)])
async def test_a_failed_signature_leaves_its_row(house: House, away: str, error: type[WalletError]) -> None:
    """What could be signed but cannot now has failed, which is another thing than refused."""
    wallet = await house.known_wallet()
    getattr(house, away).away = True

    with pytest.raises(error) as caught:
        await house.sign(wallet, "ton", unsigned("ton", "transfer"))

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.FAILED, wallet.id)
    assert event.details["reason"] == str(caught.value)
    intent: Any = event.details["intent"]
    assert intent["kind"] == "transfer"


async def test_a_bug_leaves_a_row_without_its_words(house: House) -> None:
    """An error that is not ours goes on as it is; the row says only that there was one."""

    class Broken:
        def check(self, subject: object, address: str) -> None:
            """Fail in a way that tells too much."""
            msg = f"secret of {address}: {subject}"
            raise RuntimeError(msg)

    wallet = await house.known_wallet()
    custody = replace(house.custody, policy=Broken())

    with pytest.raises(RuntimeError, match="secret"):
        await custody.sign(SigningRequest(Account(wallet.id, "sol", 0), unsigned("sol", "transfer"), CALLER))

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.FAILED, wallet.id)
    assert event.details["reason"] == "internal error"
    assert "secret" not in str(event.details)


async def test_without_a_policy_nothing_is_signed(house: House) -> None:
    """An empty list of policies refuses."""
    wallet = await house.known_wallet()
    custody = replace(house.custody, policy=AllOf())

    with pytest.raises(PolicyViolationError, match="no policy"):
        await custody.sign(SigningRequest(Account(wallet.id, "sol", 0), unsigned("sol", "transfer"), CALLER))


async def test_no_row_and_no_answer_holds_a_secret(house: House) -> None:
    """Neither the rows nor what custody returns contains a word of the phrase or a private key."""
    wallet = await house.custody.import_wallet("known", Phrase.of(PHRASE, ""), DerivationScheme.STANDARD, CALLER)
    address = await house.custody.address(Account(wallet.id, "sol", 0), CALLER)
    result = await house.sign(wallet, "sol", unsigned("sol", "transfer"))
    private_key = json.loads((VECTORS / "solana.json").read_text())["accounts"][0]["private_key"]

    told = repr([house.audit.events, wallet, address, result])

    assert "abandon" not in told
    assert private_key not in told
    assert private_key not in result.signed.raw.hex()


async def test_many_requests_at_once_leave_a_row_each(house: House) -> None:
    """Concurrent signatures of one account are all released, each with its own row."""
    wallet = await house.known_wallet()

    results = await asyncio.gather(*(house.sign(wallet, "ton", unsigned("ton", "transfer")) for _ in range(50)))

    assert len({result.signed.raw for result in results}) == 1
    assert len(house.audit.events) == 50
