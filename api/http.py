"""Serve the HTTP contract: each handler parses, calls `Custody` and renders."""

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Protocol
from uuid import UUID

import orjson
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import health
from api.auth import Authenticator, client_address
from api.errors import AuthenticationError, EdgeError, RateLimitedError, problem_of
from api.middleware import BodyTooLargeError, RequestMiddleware
from api.observability import Metrics
from api.problems import problem_response
from api.schemas import CreateWallet, ImportWallet, Sign, SignAnswer, WalletAnswer
from wallets import mnemonic
from wallets.chains import CHAINS
from wallets.custody import Custody
from wallets.derivation import MAX_INDEX, DerivationScheme
from wallets.errors import InvalidRequestError, UnavailableError, WalletError
from wallets.model import Account, Address, Caller, SigningRequest, SigningResult, Wallet

MAX_SAFE_INTEGER = 2**53 - 1


class RateLimiter(Protocol):
    """Decide whether a client may ask now."""

    async def acquire(self, key: str) -> float | None:
        """Take one from the key's allowance: None if there was one, else the seconds until there will be."""
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge needs. `limiter` None limits nobody; `trusted_proxies` may write `X-Forwarded-For`."""

    custody: Custody
    authenticator: Authenticator
    limiter: RateLimiter | None
    metrics: Metrics
    trusted_proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()


class _Json(Response):
    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return orjson.dumps(content)


_api_key = APIKeyHeader(name="X-Api-Key", auto_error=False)


async def _caller(request: Request, key: Annotated[str | None, Depends(_api_key)]) -> Caller:
    """Authenticate and limit, before the body is read."""
    edge: Edge = request.app.state.edge
    key_id = edge.authenticator.key_id(key)
    peer = request.client.host if request.client else ""
    address = client_address(peer, request.headers.get("x-forwarded-for"), edge.trusted_proxies)
    if edge.limiter is not None:
        wait = await edge.limiter.acquire(f"{key_id}:{address}")
        if wait is not None:
            raise RateLimitedError(wait)
    return Caller(request.state.request_id, address, key_id)


_Caller = Annotated[Caller, Depends(_caller)]
_Index = Annotated[int, Query(ge=0, le=MAX_INDEX)]


def create_http_app(edge: Edge) -> FastAPI:
    """Make the application of one replica."""
    app = FastAPI(title="crypto-wallets-service", version="2.0.0", openapi_url="/api-docs/openapi.json", docs_url=None, redoc_url=None)
    app.state.edge = edge
    app.add_middleware(RequestMiddleware, metrics=edge.metrics)
    _add_errors(app)
    _add_health(app, edge)
    _add_wallets(app, edge)
    _add_accounts(app, edge)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(EdgeError)
    @app.exception_handler(WalletError)
    async def refused(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        headers = {"WWW-Authenticate": "ApiKey"} if isinstance(error, AuthenticationError) else {}
        if isinstance(error, RateLimitedError):
            headers["Retry-After"] = str(math.ceil(error.retry_after))
        elif isinstance(error, UnavailableError):
            headers["Retry-After"] = "1"
        return problem_response(problem.status, problem.name, problem.title, str(error), request.state.request_id, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Never the input: a mnemonic may be in it.
        problems = error.errors()
        detail = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
        if any(each["type"] == "json_invalid" for each in problems):
            return problem_response(400, "invalid-json", "The body is not JSON", None, request.state.request_id)
        status = 400 if all(each["loc"][0] == "path" for each in problems) else 422
        return problem_response(status, "invalid-request", "The request does not fit its schema", detail, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__ or error.__context__, BodyTooLargeError):
            raise BodyTooLargeError
        name = {404: "no-such-route", 405: "method-not-allowed", 415: "wrong-content-type"}.get(error.status_code, "invalid-request")
        return problem_response(error.status_code, name, str(error.detail), None, request.state.request_id, dict(error.headers or {}))


def _add_health(app: FastAPI, edge: Edge) -> None:
    @app.get("/api/v1/health/live", tags=["health"])
    async def live() -> Response:
        return _Json(health.live())

    @app.get("/api/v1/health/ready", tags=["health"])
    async def ready() -> Response:
        status, body = await health.ready(edge.custody)
        return _Json(body, status)

    @app.get("/api/v1/health", tags=["health"])
    async def overall() -> Response:
        status, body = await health.health(edge.custody)
        return _Json(body, status)

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        return Response(edge.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_wallets(app: FastAPI, edge: Edge) -> None:
    @app.post("/api/v1/wallets", tags=["wallets"], responses={200: {"model": WalletAnswer}}, dependencies=[Depends(_json_body)])
    async def create(body: CreateWallet, caller: _Caller) -> Response:
        wallet = await edge.custody.create_wallet(body.label, body.mnemonic_length, caller)
        edge.metrics.wallets_created.inc()
        return _Json(_wallet(wallet))

    @app.post("/api/v1/wallets/import", tags=["wallets"], responses={200: {"model": WalletAnswer}}, dependencies=[Depends(_json_body)])
    async def import_(body: ImportWallet, caller: _Caller) -> Response:
        phrase = mnemonic.parse(body.mnemonic.get_secret_value(), body.passphrase.get_secret_value())
        wallet = await edge.custody.import_wallet(body.label, phrase, DerivationScheme(body.scheme), caller)
        edge.metrics.wallets_created.inc()
        return _Json(_wallet(wallet))

    @app.get("/api/v1/wallets", tags=["wallets"])
    async def page(
        _: _Caller, page: Annotated[int, Query(ge=1, le=10**9)] = 1, per_page: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> Response:
        found = await edge.custody.list_wallets(page, per_page)
        body = {"data": [_wallet(wallet) for wallet in found.wallets], "page": found.number, "per_page": found.size}
        return _Json({**body, "total": found.total, "total_pages": -(-found.total // found.size)})

    @app.get("/api/v1/wallets/{wallet_id}", tags=["wallets"], responses={200: {"model": WalletAnswer}})
    async def get(wallet_id: UUID, _: _Caller) -> Response:
        return _Json(_wallet(await edge.custody.wallet(wallet_id)))


def _add_accounts(app: FastAPI, edge: Edge) -> None:
    @app.get("/api/v1/wallets/{wallet_id}/address/{network}", tags=["accounts"])
    async def address(wallet_id: UUID, network: str, caller: _Caller, index: _Index = 0) -> Response:
        return _Json(_address(await edge.custody.address(Account(wallet_id, network, index), caller)))

    @app.get("/api/v1/addresses/{address}", tags=["accounts"])
    async def accounts(address: str, _: _Caller) -> Response:
        found = await edge.custody.accounts(address)
        rows = [{"wallet_id": str(each.wallet_id), "network": each.network, "index": each.index} for each in found]
        return _Json({"address": address, "accounts": rows})

    @app.post(
        "/api/v1/wallets/{wallet_id}/sign", tags=["accounts"], responses={200: {"model": SignAnswer}}, dependencies=[Depends(_json_body)]
    )
    async def sign(wallet_id: UUID, body: Sign, caller: _Caller) -> Response:
        network = body.network if body.network in CHAINS else "unknown"
        account = Account(wallet_id, body.network, body.index)
        try:
            result = await edge.custody.sign(SigningRequest(account, body.unsigned_tx, caller))
        except WalletError as error:
            status = "refused" if isinstance(error, InvalidRequestError) else "failed"
            edge.metrics.sign_operations.labels(network, status).inc()
            raise
        edge.metrics.sign_operations.labels(network, "ok").inc()
        return _Json(_signed(result))


async def _json_body(request: Request) -> None:
    """Refuse a body of another type than JSON."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "The body must be application/json")


def _wallet(wallet: Wallet) -> dict[str, object]:
    return {"id": str(wallet.id), "label": wallet.label, "scheme": wallet.scheme.value, "created_at": wallet.created_at.isoformat()}


def _address(address: Address) -> dict[str, object]:
    account = address.account
    body: dict[str, object] = {"wallet_id": str(account.wallet_id), "network": account.network, "index": account.index}
    body["address"] = address.text
    if address.forms:
        body["forms"] = dict(address.forms)
    return body


def _signed(result: SigningResult) -> dict[str, object]:
    prefix = CHAINS[result.account.network].hex_prefix
    return {
        "signed_tx": prefix + result.signed.raw.hex(),
        "tx_id": result.signed.tx_id,
        "from": result.address,
        "signature": prefix + result.signed.signature.hex(),
        "network": result.account.network,
        "index": result.account.index,
        "intent": _plain(asdict(result.intent)),
    }


def _plain(value: object) -> object:
    """Write numbers that JavaScript cannot hold as text."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        return str(value)
    return value
