"""Batches: many signatures in one step, each as if it were alone; ranges of addresses."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.fakes import FakeKeyEncryption
from tests.known_phrase import FIRST_ADDRESSES
from tests.wallets.custody_house import CALLER, House, outcome, unsigned
from wallets import pace
from wallets.chains.base import Signable
from wallets.derivation import MAX_INDEX
from wallets.errors import (
    AuditUnavailableError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    MalformedTransactionError,
    UnsupportedNetworkError,
    WalletNotFoundError,
    WrongSignerError,
)
from wallets.model import Account, AuditAction, AuditStatus, SigningRequest, SigningResult, TransactionResult, Wallet
from wallets.policy import Policy
from wallets.secret import Mnemonic


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


def request(wallet: Wallet, network: str = "sol", payload: str | None = None, index: int = 0) -> SigningRequest:
    """Return a request, for the network's transfer if no payload is given."""
    return SigningRequest(Account(wallet.id, network, index), unsigned(network, "transfer") if payload is None else payload, CALLER)


def kinds(outcomes: Sequence[TransactionResult | Exception]) -> list[type]:
    """Return the type of each outcome."""
    return [type(each) for each in outcomes]


async def test_each_outcome_is_what_the_request_alone_has(house: House) -> None:
    """Results and errors stand in the order of the requests, and so do their audit rows."""
    wallet = await house.known_wallet()
    unknown = replace(wallet, id=uuid4())
    requests = [
        request(wallet),
        request(wallet, payload="zz"),
        request(wallet, "ton"),
        request(wallet, "mars", ""),
        request(unknown),
        request(wallet, index=1),
        request(wallet),
    ]

    outcomes = await house.custody.sign_batch(requests)
    rows = list(house.audit.events)
    alone = await house.custody.sign(requests[0])

    assert kinds(outcomes) == [
        SigningResult,
        MalformedTransactionError,
        SigningResult,
        UnsupportedNetworkError,
        WalletNotFoundError,
        WrongSignerError,
        SigningResult,
    ]
    assert outcomes[0] == outcomes[6] == alone
    assert [row.status for row in rows] == [AuditStatus.OK if isinstance(each, SigningResult) else AuditStatus.REFUSED for each in outcomes]
    assert rows[0] == house.audit.events[-1]
    assert rows[1].details["reason"] == str(outcomes[1])
    assert {outcome(row)[0] for row in rows} == {AuditAction.TRANSACTION_SIGN}


async def test_one_decryption_serves_a_wallet(house: House) -> None:
    """However many of its transactions are in the batch, and though nothing is kept unlocked."""
    wallet = await house.known_wallet()
    asked: list[str] = []

    class Counting(FakeKeyEncryption):
        async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
            asked.append(ciphertext)
            return await house.encryption.decrypt(ciphertext, associated_data=associated_data)

    house.custody.keyring._encryption = Counting()

    outcomes = await house.custody.sign_batch([request(wallet) for _ in range(20)])

    assert kinds(outcomes) == [SigningResult] * 20
    assert len(asked) == 1


async def test_a_key_backend_that_is_away_fails_those_that_need_it(house: House) -> None:
    """They are audited as failed, what is refused before as refused."""
    wallet = await house.known_wallet()
    house.encryption.away = True

    outcomes = await house.custody.sign_batch([request(wallet), request(wallet, payload="zz")])

    assert kinds(outcomes) == [KeyEncryptionUnavailableError, MalformedTransactionError]
    assert [row.status for row in house.audit.events] == [AuditStatus.FAILED, AuditStatus.REFUSED]


async def test_without_an_audit_nothing_is_released(house: House) -> None:
    """The batch as a whole fails."""
    wallet = await house.known_wallet()
    house.audit.away = True

    with pytest.raises(AuditUnavailableError):
        await house.custody.sign_batch([request(wallet)])


async def test_a_bug_in_one_is_the_outcome_of_that_one(house: House) -> None:
    """It is audited without its message, and the others are signed."""
    wallet = await house.known_wallet()

    class Broken(Policy):
        def check(self, _subject: Signable[object], address: str, /) -> None:
            if address == FIRST_ADDRESSES["ton"]:
                raise KeyError(address)

    custody = replace(house.custody, policy=Broken())

    outcomes = await custody.sign_batch([request(wallet), request(wallet, "ton")])

    assert kinds(outcomes) == [SigningResult, KeyError]
    assert house.audit.events[1].details["reason"] == "internal error"


async def test_a_batch_lets_others_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it computes, another task gets its turn again and again."""
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    wallet = await house.known_wallet()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await house.custody.sign_batch([request(wallet) for _ in range(30)])
    task.cancel()

    assert turns > 60  # once a decoding and once a signature


async def test_a_range_is_derived_once(house: House) -> None:
    """Addresses are those of the single call, and only new ones leave a row."""
    wallet = await house.known_wallet()
    single = await house.custody.address(Account(wallet.id, "sol", 2), CALLER)
    house.journal.events.clear()

    first = await house.custody.address_range(Account(wallet.id, "sol", 1), 3, CALLER)
    again = await house.custody.address_range(Account(wallet.id, "sol", 1), 3, CALLER)

    assert first == again
    assert first[1] == single
    assert [address.account.index for address in first] == [1, 2, 3]
    assert [event.details["index"] for event in house.audit.events] == [1, 3]
    assert [event.details["address"] for event in house.audit.events] == [first[0].text, first[2].text]


@pytest.mark.parametrize(
    ("network", "index", "count", "error"),
    [
        ("sol", MAX_INDEX, 2, InvalidRequestError),
        ("sol", 0, 0, InvalidRequestError),
        ("mars", 0, 1, UnsupportedNetworkError),
    ],
)
async def test_a_range_that_cannot_be_leaves_its_row(house: House, network: str, index: int, count: int, error: type[Exception]) -> None:
    """It is refused, and audited as that."""
    wallet = await house.known_wallet()

    with pytest.raises(error):
        await house.custody.address_range(Account(wallet.id, network, index), count, CALLER)

    assert outcome(house.only_event()) == (AuditAction.ADDRESS_DERIVE, AuditStatus.REFUSED, wallet.id)


async def test_the_last_address_can_be_asked_for(house: House) -> None:
    """A range may end at the last index."""
    wallet = await house.known_wallet()

    (last,) = await house.custody.address_range(Account(wallet.id, "eth", MAX_INDEX), 1, CALLER)

    assert last.account.index == MAX_INDEX
