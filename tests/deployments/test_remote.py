"""Custody in another process is what it is in this one, whatever becomes of the process."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
import structlog
from ray import cloudpickle

from api.idempotency import answer
from deployments import remote
from deployments.remote import Answers, Call, CallAnswerer, RemoteCustody, SignerFaultError, SignersUnavailableError
from tests.fake_addresses import FakeAddressCache
from tests.fake_journal import Journal
from tests.fakes import FakeComponent
from tests.known_phrase import PHRASE
from tests.samples import typed_mail
from tests.wallets.custody_house import CALLER, House, unsigned
from wallets.derivation import DerivationScheme
from wallets.errors import (
    IdempotencyKeyReusedError,
    InvalidMnemonicError,
    InvalidRequestError,
    MalformedTransactionError,
    RequestRunningError,
    WalletNotFoundError,
)
from wallets.model import (
    Account,
    AuditStatus,
    ComponentHealth,
    HealthStatus,
    MessageRequest,
    SigningRequest,
    SigningResult,
    TypedMessage,
    Wallet,
)
from wallets.once import IdempotentRequest
from wallets.secret import Mnemonic, Phrase

T = TypeVar("T")


class Wire:
    """The way to signers as Ray makes it: everything is pickled there and back. Calls go to one signer after the other."""

    def __init__(self, *houses: House) -> None:
        self.signers = [CallAnswerer(house.custody) for house in houses]
        self.calls: list[Sequence[Call]] = []
        self.travelled = b""
        self.lose: Callable[[], None] = lambda: None

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """See `Signers.answer`."""
        self.calls.append(calls)
        signer = self.signers[len(self.calls) % len(self.signers)]
        async for piece in signer.answer(self._pass(calls)):
            self.lose()
            yield self._pass(piece)

    def _pass(self, value: T) -> T:
        data = cloudpickle.dumps(value)
        self.travelled += data
        copy: T = cloudpickle.loads(data)
        return copy


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Keep what is logged off the terminal."""
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def remote_custody(wire: Wire, *components: FakeComponent) -> RemoteCustody:
    """Return a custody at the other end of a wire."""
    return RemoteCustody(wire, FakeAddressCache(), components)


async def imported(custody: RemoteCustody) -> Wallet:
    """Import the known phrase."""
    return await custody.import_wallet("known", Phrase.of(PHRASE, ""), DerivationScheme.STANDARD, CALLER)


async def test_every_call_answers_as_it_does_here() -> None:
    """What the custody itself answers is what comes by the wire."""
    house = House()
    there = remote_custody(Wire(house))

    wallet = await imported(there)
    created = await there.create_wallet("new", 24, CALLER)
    account = Account(wallet.id, "sol", 3)
    request = SigningRequest(Account(wallet.id, "sol", 0), unsigned("sol", "transfer"), CALLER)

    assert {wallet.label, created.label} == {"known", "new"}
    assert await there.wallet(wallet.id) == wallet
    assert await there.list_wallets(1, 10) == await house.custody.list_wallets(1, 10)
    assert await there.list_older_wallets(created.position, 10) == await house.custody.list_older_wallets(created.position, 10)
    assert await there.address(account, CALLER) == await house.custody.address(account, CALLER)
    assert await there.address_range(account, 5, CALLER) == await house.custody.address_range(account, 5, CALLER)
    assert await there.accounts((await there.address(account, CALLER)).text, CALLER) == [account]
    assert (await there.sign(request)).signed == (await house.custody.sign(request)).signed
    message = MessageRequest(Account(wallet.id, "eth", 0), TypedMessage(typed_mail()), CALLER)
    assert await there.sign_message(message) == await house.custody.sign_message(message)
    assert (await there.lock(CALLER)).at == house.now


async def test_a_request_is_carried_out_once_by_whichever_signer() -> None:
    """Claims, answers and what contradicts them go by the wire, and the answer is the one that the edge would have written."""
    journal = Journal()
    there = remote_custody(Wire(House(journal), House(journal)))
    this = IdempotentRequest(b"n" * 32, b"f" * 32, uuid.uuid4())
    again = replace(this, claim=uuid.uuid4())

    claimed = await there.claim(this)
    with pytest.raises(RequestRunningError):
        await there.claim(again)
    await there.release(this)
    await there.claim(again)
    wallet = await there.create_wallet("new", 12, replace(CALLER, idempotency=again))

    assert claimed is None
    assert await there.claim(this) == answer(wallet)
    with pytest.raises(IdempotencyKeyReusedError):
        await there.claim(replace(this, fingerprint=b"g" * 32))


async def test_errors_come_as_they_were_raised() -> None:
    """Type and message are those of the signer's, also of one item of a batch, and what is refused is audited there."""
    house = House()
    there = remote_custody(Wire(house))
    wallet = await imported(there)
    bad = SigningRequest(Account(wallet.id, "eth", 0), "ec09", CALLER)

    with pytest.raises(MalformedTransactionError, match="at byte 0"):
        await there.sign(bad)
    with pytest.raises(WalletNotFoundError):
        await there.wallet(uuid.uuid4())
    with pytest.raises(InvalidMnemonicError):
        await there.import_wallet("x", Phrase.of("no such words", ""), DerivationScheme.STANDARD, CALLER)
    good = SigningRequest(Account(wallet.id, "sol", 0), unsigned("sol", "transfer"), CALLER)
    first, second = await there.sign_batch([bad, good])

    assert isinstance(first, MalformedTransactionError)
    assert isinstance(second, SigningResult)
    assert [event.status for event in house.audit.events if event.status is AuditStatus.REFUSED] == [AuditStatus.REFUSED] * 3


async def test_a_phrase_travels_sealed_to_whichever_signer_it_reaches() -> None:
    """Each new signer is sealed to once it has said its key; of the phrase, nothing is on the wire. It is closed at the end."""
    wire = Wire(House(), House())
    there = remote_custody(wire)
    phrase = Phrase.of(PHRASE, "a passphrase")

    await there.import_wallet("known", phrase, DerivationScheme.STANDARD, CALLER)
    asked = len(wire.calls)
    for _ in range(4):
        await imported(there)

    assert asked == 3  # neither knew the seal, then the first did
    assert len(wire.calls) == asked + 4
    assert not any(word.encode() in wire.travelled for word in PHRASE.split() if len(word) > 3)
    assert b"a passphrase" not in wire.travelled
    with pytest.raises(ValueError, match="closed"):
        phrase.reveal()


async def test_signers_that_all_are_new_each_time_end_an_import() -> None:
    """After a few tries it is said to be unavailable, rather than tried for ever."""
    wire = Wire(*(House() for _ in range(20)))

    with pytest.raises(SignersUnavailableError, match="change too fast"):
        await imported(remote_custody(wire))


async def test_requests_that_come_together_travel_together() -> None:
    """Of a hundred at once, a few calls are made, and each has its own answer."""
    house = House()
    wire = Wire(house)
    there = remote_custody(wire)
    wallet = await imported(there)
    wire.calls.clear()
    accounts = [Account(wallet.id, "tron", index) for index in range(100)]

    addresses = await asyncio.gather(*(there.address(account, CALLER) for account in accounts))

    assert [address.account for address in addresses] == accounts
    assert len({address.text for address in addresses}) == 100
    assert len(wire.calls) <= 3


async def test_an_address_that_was_given_out_needs_no_signer() -> None:
    """Addresses are public: the gateway keeps them."""
    wire = Wire(House())
    there = remote_custody(wire)
    wallet = await imported(there)
    account = Account(wallet.id, "ton", 0)
    first = await there.address(account, CALLER)
    wire.calls.clear()

    assert await there.address(account, CALLER) == first
    assert wire.calls == []


async def test_one_that_waits_holds_up_no_other() -> None:
    """While the key backend hangs for one wallet, calls for others come back, and so do calls made later."""
    house = House(max_seeds=10)
    wire = Wire(house)
    there = remote_custody(wire)
    unlocked, locked = await imported(there), await imported(there)
    payload = unsigned("sol", "transfer")
    await there.sign(SigningRequest(Account(unlocked.id, "sol", 0), payload, CALLER))
    hang = asyncio.Event()
    decrypt = house.encryption.decrypt

    async def hanging(ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        await hang.wait()
        return await decrypt(ciphertext, associated_data=associated_data)

    house.encryption.decrypt = hanging  # type: ignore[method-assign]  # stands for a backend that hangs

    waiting = [asyncio.create_task(there.sign(SigningRequest(Account(locked.id, "sol", 0), payload, CALLER))) for _ in range(5)]
    async with asyncio.timeout(5):
        for _ in range(10):
            await there.sign(SigningRequest(Account(unlocked.id, "sol", 0), payload, CALLER))

    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    hang.set()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_signer_that_ends_leaves_nobody_waiting() -> None:
    """What it had not answered is unavailable, and the next call is made as ever."""
    wire = Wire(House())
    there = remote_custody(wire)
    wallet = await imported(there)

    def lose() -> None:
        msg = "gone"
        raise SignersUnavailableError(msg)

    wire.lose = lose
    with pytest.raises(SignersUnavailableError, match="gone"):
        await there.wallet(wallet.id)
    wire.lose = lambda: None

    assert await there.wallet(wallet.id) == wallet


async def test_a_signer_that_does_not_answer_is_not_waited_for_longer_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that a call has, it is unavailable."""
    monkeypatch.setattr(remote, "CALL_SECONDS", 0.1)

    class Silent:
        async def answer(self, _calls: Sequence[Call]) -> AsyncIterator[Answers]:
            await asyncio.Event().wait()
            yield []

    with pytest.raises(SignersUnavailableError, match="in time"):
        await RemoteCustody(Silent(), FakeAddressCache()).wallet(uuid.uuid4())


async def test_a_fault_stays_in_the_signer() -> None:
    """Nobody knows what an unforeseen error holds: only that there was one comes back."""
    house = House()
    wire = Wire(house)

    async def fail(_wallet_id: object) -> Wallet:
        msg = PHRASE
        raise RuntimeError(msg)

    house.store.get = fail  # type: ignore[method-assign, assignment]  # stands for a bug of the store
    with pytest.raises(SignerFaultError):
        await remote_custody(wire).wallet(uuid.uuid4())

    assert PHRASE.encode() not in wire.travelled


@pytest.mark.parametrize("method", ["_keep", "store", "__class__", "no_such"])
async def test_only_custody_can_be_asked_for(method: str) -> None:
    """A gateway reaches the use cases, and nothing behind them."""
    pieces = [piece async for piece in CallAnswerer(House().custody).answer([Call(method, ())])]

    ((_, answer),) = pieces[0]
    assert isinstance(answer, InvalidRequestError)


async def test_an_answer_of_another_version_is_refused() -> None:
    """What is not what it must be is not shown to a client."""

    class Another:
        async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
            yield [(place, "something else") for place, _ in enumerate(calls)]

    with pytest.raises(SignersUnavailableError, match="understand"):
        await RemoteCustody(Another(), FakeAddressCache()).wallet(uuid.uuid4())


async def test_health_is_of_both_processes() -> None:
    """It tells of the signer's components, of the gateway's own, and of the way between them."""
    wire = Wire(House(components=[FakeComponent("database"), FakeComponent("vault", ComponentHealth(HealthStatus.DEGRADED, 1.0))]))
    there = remote_custody(wire, FakeComponent("redis"))

    health = await there.health()

    assert {name: each.status for name, each in health.items()} == {
        "database": HealthStatus.OK,
        "vault": HealthStatus.DEGRADED,
        "redis": HealthStatus.OK,
        "signers": HealthStatus.OK,
    }


async def test_health_without_a_signer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in time that no signer answers, whether it hangs or is gone."""
    monkeypatch.setattr(remote, "HEALTH_SECONDS", 0.1)

    class Gone:
        async def answer(self, _calls: Sequence[Call]) -> AsyncIterator[Answers]:
            msg = "gone"
            raise SignersUnavailableError(msg)
            yield []

    class Silent:
        async def answer(self, _calls: Sequence[Call]) -> AsyncIterator[Answers]:
            await asyncio.Event().wait()
            yield []

    for signers in (Gone(), Silent()):
        health = await RemoteCustody(signers, FakeAddressCache()).health()
        assert {name: each.status for name, each in health.items()} == {"signers": HealthStatus.ERROR}
