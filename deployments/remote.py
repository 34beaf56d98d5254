"""Carry what a gateway is asked to the process that holds the keys, and back: the isolated topology's way through Ray.

A call costs Ray about as much for one request as for many, so those that come together travel together (`Gathered`). Their answers come
back as they are there, those that end within a few milliseconds of each other in one piece: one request that waits for Vault holds up no
other. Errors travel as values: raised in a signer they would be logged by Serve, and arrive wrapped.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog

from adapters.gathering import Gathered
from api.observability import describe_exception
from deployments.sealing import SealKey, seal
from wallets.chains import chain_for
from wallets.custody import Custody
from wallets.derivation import DerivationScheme
from wallets.errors import InvalidRequestError, UnavailableError, WalletError
from wallets.model import (
    Account,
    Address,
    Caller,
    ComponentHealth,
    HealthStatus,
    KeyringLock,
    MessageRequest,
    MessageResult,
    Page,
    Position,
    SigningRequest,
    SigningResult,
    Stretch,
    TransactionResult,
    Wallet,
)
from wallets.once import IdempotentRequest
from wallets.ports import AddressCache, Component
from wallets.secret import Phrase

CALL_SECONDS = 20.0
"""What a signer has for an answer: longer than its own deadlines of Vault and of the database together."""

HEALTH_SECONDS = 2.2
"""More than a signer gives its components, less than the edge waits."""

CALLS_AT_ONCE = 2
"""Calls of one gateway that are under way, but for those that only wait for their last answers."""

TOGETHER_SECONDS = 0.004
"""How long answers wait for others of their call, which are mostly audited in the same commit."""

FIRST_ANSWER_SECONDS = 0.05
"""How long a call whose answers all take long keeps the next from being made."""

_SEALS = 5
"""How often a phrase is sealed anew for a signer not heard of before."""

_KNOWN_SEALS = 64
"""Signers that a phrase is sealed to at most; the ones heard of last."""

_METHODS = frozenset(name for name in vars(Custody) if not name.startswith("_"))


class SignersUnavailableError(UnavailableError):
    """No signer answered: whether what was asked for has been done is not known."""


class SignerFaultError(Exception):
    """A signer failed at one call, by a fault of its own that its log tells of."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method of `Custody` with its arguments; in the place of a phrase stands a `SealedPhrase`."""

    method: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class UnknownSeal:
    """A signer's answer to a phrase that is not sealed to it: its public key."""

    public_key: bytes


T = TypeVar("T")

Answers = Sequence[tuple[int, object]]
"""Values and errors, each with the place that its call had."""


class Signers(Protocol):
    """The way to some signer."""

    def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """Return each call's answer, in pieces, in any order.

        Raises:
            SignersUnavailableError: No signer answers, or not any longer.
        """
        ...


class CallAnswerer:
    """The signer's side: have each call done by a custody, all at the same time."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self._key = SealKey()
        self._log = structlog.get_logger(__name__)

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """See `Signers.answer`."""
        tasks = {asyncio.create_task(self._outcome(call)): place for place, call in enumerate(calls)}
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                more, pending = await asyncio.wait(pending, timeout=TOGETHER_SECONDS)
                done |= more
            yield [(tasks[task], self._portable(task.exception() or task.result())) for task in done]

    async def _outcome(self, call: Call) -> object:
        if call.method not in _METHODS:
            msg = "the signer does not know what is asked of it"
            raise InvalidRequestError(msg)
        if call.method == "import_wallet":
            return await self._import_wallet(*call.arguments)
        return await getattr(self._custody, call.method)(*call.arguments)

    async def _import_wallet(self, label: Any, sealed: Any, scheme: Any, caller: Any) -> object:
        phrase = self._key.open(sealed, caller.request_id)
        return UnknownSeal(self._key.public) if phrase is None else await self._custody.import_wallet(label, phrase, scheme, caller)

    def _portable(self, value: object) -> object:
        """Return a value as it may travel: a fault, of which nobody knows what it holds, stays here."""
        if isinstance(value, list | tuple) and any(isinstance(each, Exception) for each in value):
            return [self._portable(each) for each in value]
        if isinstance(value, Exception) and not isinstance(value, WalletError):
            self._log.error("call_failed", **describe_exception(value))
            return SignerFaultError()
        return value


class RemoteCustody:
    """`Custody` in another process. A gateway keeps addresses that signers have answered, in its own memory, and nothing else."""

    def __init__(self, signers: Signers, cache: AddressCache, components: Sequence[Component] = ()) -> None:
        """Call `signers`; `components` are what the gateway itself depends on."""
        self._signers = signers
        self._cache = cache
        self._components = components
        self._known_seals: tuple[bytes, ...] = ()
        self._gathered: Gathered[Call, asyncio.Future[object]] = Gathered(self._send, max_calls=CALLS_AT_ONCE)
        self._receiving: set[asyncio.Task[None]] = set()

    async def create_wallet(self, label: str, word_count: int, caller: Caller) -> Wallet:
        """See `Custody.create_wallet`."""
        return _expect(Wallet, await self._ask("create_wallet", label, word_count, caller))

    async def import_wallet(self, label: str, phrase: Phrase, scheme: DerivationScheme, caller: Caller) -> Wallet:
        """See `Custody.import_wallet`. The phrase passes through Ray sealed."""
        with phrase:
            for _ in range(_SEALS):
                sealed = seal(phrase, self._known_seals, caller.request_id)
                answer = await self._ask("import_wallet", label, sealed, scheme, caller)
                if not isinstance(answer, UnknownSeal):
                    return _expect(Wallet, answer)
                self._known_seals = (*self._known_seals, answer.public_key)[-_KNOWN_SEALS:]
        msg = "the signers change too fast for a phrase to be handed to one; try again"
        raise SignersUnavailableError(msg)

    async def wallet(self, wallet_id: UUID) -> Wallet:
        """See `Custody.wallet`."""
        return _expect(Wallet, await self._ask("wallet", wallet_id))

    async def list_wallets(self, number: int, size: int) -> Page:
        """See `Custody.list_wallets`."""
        return _expect(Page, await self._ask("list_wallets", number, size))

    async def list_older_wallets(self, than: Position | None, size: int) -> Stretch:
        """See `Custody.list_older_wallets`."""
        return _expect(Stretch, await self._ask("list_older_wallets", than, size))

    async def address(self, account: Account, caller: Caller) -> Address:
        """See `Custody.address`."""
        text = await self._cache.get(account)
        if text is not None:
            return Address(account, text, chain_for(account.network).forms(text))
        address = _expect(Address, await self._ask("address", account, caller))
        await self._cache.put(account, address.text)
        return address

    async def address_range(self, first: Account, count: int, caller: Caller) -> Sequence[Address]:
        """See `Custody.address_range`."""
        return _expect(list, await self._ask("address_range", first, count, caller))

    async def accounts(self, address: str, caller: Caller) -> Sequence[Account]:
        """See `Custody.accounts`."""
        return _expect(list, await self._ask("accounts", address, caller))

    async def sign(self, request: SigningRequest) -> TransactionResult:
        """See `Custody.sign`."""
        return _expect(SigningResult, await self._ask("sign", request))

    async def sign_message(self, request: MessageRequest) -> MessageResult:
        """See `Custody.sign_message`."""
        return _expect(SigningResult, await self._ask("sign_message", request))

    async def sign_batch(self, requests: Sequence[SigningRequest]) -> Sequence[TransactionResult | Exception]:
        """See `Custody.sign_batch`."""
        return _expect(list, await self._ask("sign_batch", requests))

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """See `Custody.claim`."""
        answer = await self._ask("claim", request)
        return None if answer is None else _expect(bytes, answer)

    async def release(self, request: IdempotentRequest) -> None:
        """See `Custody.release`."""
        await self._ask("release", request)

    async def lock(self, caller: Caller) -> KeyringLock:
        """See `Custody.lock`."""
        return _expect(KeyringLock, await self._ask("lock", caller))

    async def health(self) -> Mapping[str, ComponentHealth]:
        """See `Custody.health`: how the gateway's own components are, a signer's, and the way to it as `signers`."""
        own = [asyncio.ensure_future(component.check()) for component in self._components]
        started = time.perf_counter()
        found: dict[str, ComponentHealth] = {}
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                found |= _expect(dict, await self._ask("health"))
            status = HealthStatus.OK
        except (TimeoutError, UnavailableError):
            status = HealthStatus.ERROR
        found["signers"] = ComponentHealth(status, (time.perf_counter() - started) * 1000)
        for component, check in zip(self._components, own, strict=True):
            found[component.name] = await check
        return found

    async def _ask(self, method: str, *arguments: object) -> object:
        """Return a call's answer; raise it if it is an error."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await (await self._gathered.ask(Call(method, arguments)))
        except TimeoutError:
            msg = "no signer answered in time; whether the request was carried out is not known"
            raise SignersUnavailableError(msg) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _send(self, calls: Sequence[Call]) -> Sequence["asyncio.Future[object]"]:
        """Make one call to a signer for many; return when the first answers are there, or will take long."""
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[object]] = [loop.create_future() for _ in calls]
        task = asyncio.create_task(self._receive(calls, answers))
        self._receiving.add(task)
        task.add_done_callback(self._receiving.discard)
        first: list[asyncio.Future[Any]] = [task, *answers]
        await asyncio.wait(first, timeout=FIRST_ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return answers

    async def _receive(self, calls: Sequence[Call], answers: Sequence["asyncio.Future[object]"]) -> None:
        """Hand each answer over as it comes, and the reason to those for which none does."""
        reason: Exception = SignersUnavailableError(
            "a signer ended before it had answered; whether the request was carried out is not known"
        )
        try:
            async for piece in self._signers.answer(calls):
                for place, answer in piece:
                    _settle(answers[place], answer)
        except SignersUnavailableError as error:
            reason = error
        finally:
            for answer in answers:
                _settle(answer, reason)


def _settle(answer: "asyncio.Future[object]", value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _expect(kind: type[T], answer: object) -> T:
    """Return an answer that is what it must be: gateway and signer may be of different versions during a roll-out."""
    if not isinstance(answer, kind):
        msg = "the signer answered in a way that this version does not understand"
        raise SignersUnavailableError(msg)
    return answer
