"""Answer the calls of the HTTP contract: each handler parses, calls the custody, renders."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from adapters.limits import CallKind
from api import health, render
from api.cursors import position_of
from api.edge import Edge, admit, charge, recognize
from api.errors import UnprocessableError
from api.health import HealthMonitor
from api.idempotency import answered_once
from api.json_body import read_json
from api.schemas import (
    DEFAULT_COUNT,
    MAX_BATCH,
    AccountType,
    AccountVersion,
    AddressText,
    CreateWallet,
    Cursor,
    DeriveAddresses,
    ImportWallet,
    Index,
    InspectTransaction,
    Network,
    PageNumber,
    PageSize,
    SignBatch,
    SignMessage,
    SignTransaction,
    SignTypedData,
    SignWalletsBatch,
)
from wallets import signing
from wallets.chains import find_chain
from wallets.derivation import DerivationScheme
from wallets.model import (
    Account,
    Caller,
    HexMessage,
    MessageRequest,
    MessageResult,
    SigningRequest,
    TextMessage,
    TransactionResult,
    TypedMessage,
    Wallet,
)
from wallets.secret import Phrase

WalletId = Annotated[UUID, Path(description="The wallet's id")]
TypeQuery = Annotated[AccountType | None, Query(alias="type")]
VersionQuery = Annotated[AccountVersion | None, Query(alias="version")]

Cost = Callable[[Any], int]
"""What a request costs, by its parsed body; never raises, also if it is not valid."""


def guarded(edge: Edge, cost_of: Cost | None = None, kind: CallKind = CallKind.READ, *, remembered: bool = False) -> type[APIRoute]:
    """Return the class of routes that need an API key, and of which a request costs one of its kind, or as much as `cost_of` says.

    FastAPI would read the body before any dependency runs; here the caller is let in first, then the query and the body are looked at. Only
    where the body says what a request costs, a caller who is known is charged when it has been read.

    With `remembered` a request that has an `Idempotency-Key` is carried out once.
    """

    class GuardedRoute(APIRoute):
        is_remembered = remembered

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            has_body = self.body_field is not None
            known = frozenset(field.alias for field in self.dependant.query_params)

            async def read(request: Request) -> Request:
                if request.scope["query_string"]:
                    check_query([name for name, _ in request.query_params.multi_items()], known)
                return await read_json(request) if has_body else request

            async def admitted(request: Request) -> Response:
                if cost_of is None:
                    await admit(edge, request.scope, kind)
                    return await once(await read(request))
                caller, cost = recognize(edge, request.scope), 1
                try:
                    request = await read(request)
                    cost = cost_of(await request.json())
                finally:
                    request.scope["rate_limit"] = await charge(edge, caller, cost, kind)
                return await once(request)

            async def once(request: Request) -> Response:
                return await (answered_once(edge.custody, request, handle) if remembered else handle(request))

            return admitted

    return GuardedRoute


def batch_cost(body: Any) -> int:
    """Return how many items a batch has; 1 for what is none."""
    items = body.get("items") if isinstance(body, dict) else None
    return len(items) if isinstance(items, list) and 1 <= len(items) <= MAX_BATCH else 1


def range_cost(body: Any) -> int:
    """Return how many addresses are asked for; 1 for what is no range."""
    count = body.get("count", DEFAULT_COUNT) if isinstance(body, dict) else 1
    return count if type(count) is int and 1 <= count <= MAX_BATCH else 1


def check_query(names: list[str], known: frozenset[str]) -> None:
    """Return if every query parameter is known and given once: a misspelt `index` must not silently mean 0.

    Raises:
        UnprocessableError: One is not.
    """
    if not known.issuperset(names):
        msg = f"query parameters here are {', '.join(sorted(known))}" if known else "there are no query parameters here"
        raise UnprocessableError(msg)
    if len(set(names)) != len(names):
        msg = "a query parameter is given twice"
        raise UnprocessableError(msg)


def variant(network: str, account_type: str | None, version: str | None) -> str:
    """Return which kind of address a request wants, "" if it does not say. Whether there is such a kind is the domain's to say.

    Raises:
        UnprocessableError: It is asked for in a field that the network does not have.
    """
    given = {name: value for name, value in (("type", account_type), ("version", version)) if value is not None}
    chain = find_chain(network)
    if chain is not None and not given.keys() <= {chain.variant_name}:
        has = f"`{chain.variant_name}`: {', '.join(chain.variants)}" if chain.variants else "no choice between kinds of address"
        raise UnprocessableError(f"{network} has {has}")
    return next(iter(given.values()), "")


def account_of(wallet_id: UUID, item: SignTransaction | SignMessage | SignTypedData) -> Account:
    """Return the account that shall sign.

    Raises:
        UnprocessableError: See `variant`.
    """
    return Account(wallet_id, item.network, item.index, variant(item.network, item.type, item.version))


class WalletRoutes:
    """The calls that need an API key."""

    def __init__(self, edge: Edge) -> None:
        self.custody = edge.custody
        self._metrics = edge.metrics

    async def create_wallet(self, request: Request, body: CreateWallet) -> Response:
        """Make a wallet with a fresh mnemonic, which never leaves the service."""
        return render.json_response(render.wallet(await self.created(body, _caller(request))))

    async def import_wallet(self, request: Request, body: ImportWallet) -> Response:
        """Take over a wallet whose mnemonic exists."""
        return render.json_response(render.wallet(await self.imported(body, _caller(request))))

    async def list_wallets(
        self,
        request: Request,
        page: Annotated[PageNumber, Query()] = 1,
        per_page: Annotated[PageSize, Query()] = 20,
        cursor: Annotated[Cursor, Query()] = "",
    ) -> Response:
        """List wallets, newest first: by `page`, with their number, or by `cursor`, which costs the same however many there are."""
        if "cursor" in request.query_params:
            if "page" in request.query_params:
                msg = "either page or cursor"
                raise UnprocessableError(msg)
            return render.json_response(render.stretch(await self.custody.list_older_wallets(position_of(cursor), per_page), per_page))
        return render.json_response(render.page(await self.custody.list_wallets(page, per_page)))

    async def get_wallet(self, wallet_id: WalletId) -> Response:
        """Return one wallet."""
        return render.json_response(render.wallet(await self.custody.wallet(wallet_id)))

    async def get_address(
        self,
        request: Request,
        wallet_id: WalletId,
        network: Annotated[Network, Path()],
        index: Annotated[Index, Query()] = 0,
        account_type: TypeQuery = None,
        version: VersionQuery = None,
    ) -> Response:
        """Return the address of an account, deriving it the first time."""
        account = Account(wallet_id, network, index, variant(network, account_type, version))
        return render.json_response(await self.address(account, _caller(request)))

    async def sign(self, request: Request, wallet_id: WalletId, body: SignTransaction) -> Response:
        """Decode a transaction, check it, sign it, and write it down; then return what a node accepts."""
        answer = await self.signed(account_of(wallet_id, body), body.text, _caller(request), replaces=body.replace)
        return render.json_response(answer)

    async def inspect(self, body: InspectTransaction) -> Response:
        """Decode a transaction and say what it does. Nothing is signed, and no wallet asked."""
        chosen = variant(body.network, body.type, body.version)
        return render.json_response({"intent": render.intent(signing.inspect(body.network, body.text, chosen))})

    async def sign_message(self, request: Request, wallet_id: WalletId, body: SignMessage) -> Response:
        """Sign a message in the network's own way, which no transaction is signed in."""
        chosen = body.format or ""
        message = TextMessage(body.message, chosen) if body.message is not None else HexMessage(body.message_hex or "", chosen)
        return await self._answer_message(MessageRequest(account_of(wallet_id, body), message, _caller(request)))

    async def sign_typed_data(self, request: Request, wallet_id: WalletId, body: SignTypedData) -> Response:
        """Decode a message of fields with types, sign it, and write it down."""
        return await self._answer_message(MessageRequest(account_of(wallet_id, body), TypedMessage(body.typed_data), _caller(request)))

    async def _answer_message(self, request: MessageRequest) -> Response:
        return render.json_response(render.message_result(await self.signed_message(request)))

    async def sign_batch(self, request: Request, wallet_id: WalletId, body: SignBatch) -> Response:
        """Sign up to 1,000 transactions of one wallet: results in their order, an error in the place of what is refused."""
        return await self._signed_batch([(wallet_id, item) for item in body.items], _caller(request))

    async def sign_wallets_batch(self, request: Request, body: SignWalletsBatch) -> Response:
        """Sign up to 1,000 transactions of several wallets: results in their order, an error in the place of what is refused."""
        return await self._signed_batch([(item.wallet_id, item) for item in body.items], _caller(request))

    async def _signed_batch(self, items: Sequence[tuple[UUID, SignTransaction]], caller: Caller) -> Response:
        requests = [SigningRequest(account_of(wallet_id, item), item.text, caller, item.replace) for wallet_id, item in items]
        return render.json_response(render.batch(await self.outcomes(requests)))

    async def derive_addresses(self, request: Request, wallet_id: WalletId, body: DeriveAddresses) -> Response:
        """Return the addresses of up to 1,000 accounts that follow each other, deriving new ones. Each costs as much as a request."""
        first = Account(wallet_id, body.network, body.from_index, variant(body.network, body.type, body.version))
        return render.json_response(render.address_range(await self.custody.address_range(first, body.count, _caller(request))))

    async def find_address(self, request: Request, address: Annotated[AddressText, Path()]) -> Response:
        """Return the accounts that have an address, if it was derived here before."""
        return render.json_response(render.accounts(address, await self.custody.accounts(address, _caller(request))))

    async def address(self, account: Account, caller: Caller) -> dict[str, Any]:
        """Return the answer of `get_address`."""
        return render.address(await self.custody.address(account, caller))

    async def signed(self, account: Account, unsigned_tx: str, caller: Caller, *, replaces: bool = False) -> dict[str, Any]:
        """Return the answer of `sign`, and count how it ended."""
        return render.signing_result(await self.signed_result(SigningRequest(account, unsigned_tx, caller, replaces)))

    async def created(self, body: CreateWallet, caller: Caller) -> Wallet:
        """Make a wallet, and count it."""
        wallet = await self.custody.create_wallet(body.label, body.mnemonic_length, caller)
        self._metrics.wallet_created()
        return wallet

    async def imported(self, body: ImportWallet, caller: Caller) -> Wallet:
        """Take over a wallet, and count it."""
        phrase = Phrase.of(body.mnemonic.get_secret_value(), body.passphrase.get_secret_value())
        wallet = await self.custody.import_wallet(body.label, phrase, DerivationScheme(body.scheme), caller)
        self._metrics.wallet_imported()
        return wallet

    async def signed_result(self, request: SigningRequest) -> TransactionResult:
        """Sign a transaction, and count how that ended."""
        with self._counted(request.account.network):
            return await self.custody.sign(request)

    async def signed_message(self, request: MessageRequest) -> MessageResult:
        """Sign a message, and count how that ended."""
        with self._counted(request.account.network):
            return await self.custody.sign_message(request)

    async def outcomes(self, requests: Sequence[SigningRequest]) -> Sequence[TransactionResult | Exception]:
        """Sign each of a batch, and count how each ended."""
        outcomes = await self.custody.sign_batch(requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            self._metrics.sign_ended(request.account.network, outcome if isinstance(outcome, Exception) else None)
        return outcomes

    @contextmanager
    def _counted(self, network: str) -> Iterator[None]:
        """Count how a signing request of the network ends."""
        try:
            yield
        except Exception as error:
            self._metrics.sign_ended(network, error)
            raise
        self._metrics.sign_ended(network)

    async def lock(self, request: Request) -> Response:
        """Forget every unlocked seed, in every replica, within a second. What is signed later is decrypted anew."""
        return render.json_response(render.keyring_lock(await self.custody.lock(_caller(request))))


class HealthRoutes:
    """How the service is; no API key is needed."""

    def __init__(self, monitor: HealthMonitor) -> None:
        self._monitor = monitor

    async def full(self) -> Response:
        """Tell how every component is; 503 when the service cannot do its work."""
        report = await self._monitor.report()
        return render.json_response(report.full(), 200 if report.is_ready else 503)

    async def live(self) -> Response:
        """Tell that this process answers; asks nothing it depends on."""
        return render.json_response(health.alive(health.now()))

    async def ready(self) -> Response:
        """Tell whether requests should be sent here."""
        report = await self._monitor.report()
        return render.json_response(report.readiness(health.now()), 200 if report.is_ready else 503)


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["caller"]
    return caller
