"""Answer the two calls that are made thousands of times a second straight from ASGI.

FastAPI's layers cost such a request as much as its signature does. Only what is beyond doubt is answered here: a valid request in its
usual spelling. Everything else goes on to FastAPI's route of the same path, which answers any request and says what is wrong with it, so
that there is one set of rules.
"""

import re
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.limits import CallKind
from api import problems
from api.edge import Edge, admit
from api.idempotency import HEADER
from api.routes import WalletRoutes
from wallets.derivation import MAX_INDEX
from wallets.errors import WalletError
from wallets.model import Account

LONGEST_BODY = 65_536
"""Beyond it a body is not usual."""

_PREFIX = "/api/v1/wallets/"
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SIGN = re.compile(f"{_PREFIX}({_UUID})/sign")
_ADDRESS = re.compile(f"{_PREFIX}({_UUID})/address/([a-z0-9_:]{{1,32}})")
_INDEX = re.compile(rb"index=(0|[1-9][0-9]{0,9})")
_LENGTH = re.compile(rb"[1-9][0-9]{0,4}")
_FIELDS = frozenset({"network", "index", "unsigned_tx"})
_QUOTES = 2 * (3 + 2)
"""Of three names and two texts. With more of them, a name stands there twice."""

Call = tuple[str, int, str]
"""Network, index and unsigned transaction of a signing request."""


class DirectRoutes:
    """Answer `POST .../sign` and `GET .../address/...` if nothing about them is unusual; hand anything else to `app`."""

    def __init__(self, app: ASGIApp, edge: Edge, routes: WalletRoutes, *, sign_route: object, address_route: object) -> None:
        self._app = app
        self._edge = edge
        self._routes = routes
        self._sign_route = sign_route
        self._address_route = address_route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX) and not scope.get("root_path"):
            if scope["method"] == "POST":
                match = _SIGN.fullmatch(scope["path"])
                if match is not None and _has_plain_body(scope):
                    await self._sign(match[1], scope, receive, send)
                    return
            elif scope["method"] == "GET":
                match = _ADDRESS.fullmatch(scope["path"])
                index = _index(scope["query_string"])
                if match is not None and index is not None:
                    await self._address(match[1], match[2], index, scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _sign(self, wallet_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._enter(scope, self._sign_route, wallet_id)
        try:
            caller = await admit(self._edge, scope, CallKind.SIGN)
            body = await _read(receive)
            call = _signing_call(body)
            if call is None:
                await self._app(scope, _Replay(body, receive), send)
                return
            network, index, unsigned_tx = call
            content = await self._routes.signed(Account(UUID(wallet_id), network, index), unsigned_tx, caller)
        except WalletError as error:
            await problems.send(error, scope, receive, send)
            return
        await _answer(content, send)

    async def _address(self, wallet_id: str, network: str, index: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._enter(scope, self._address_route, wallet_id)
        try:
            caller = await admit(self._edge, scope)
            content = await self._routes.address(Account(UUID(wallet_id), network, index), caller)
        except WalletError as error:
            await problems.send(error, scope, receive, send)
            return
        await _answer(content, send)

    @staticmethod
    def _enter(scope: Scope, route: object, wallet_id: str) -> None:
        """Tell the middleware which route this is, as the router does."""
        scope["route"] = route
        scope["path_params"] = {"wallet_id": wallet_id}


class _Replay:
    """Let a body that was read be read again."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> dict[str, object]:
        if self._body is None:
            return dict(await self._receive())
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(receive: Receive) -> bytes:
    """Read a body whose declared length has been looked at: the server gives no more than that."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _answer(content: dict[str, object], send: Send) -> None:
    body = orjson.dumps(content)
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _has_plain_body(scope: Scope) -> bool:
    """Tell whether a body of a moderate, declared length is sent as plain JSON, nothing as query, and no `Idempotency-Key`."""
    if scope["query_string"]:
        return False
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name.startswith((b"content-", b"transfer-", HEADER)):
            if name in found:
                return False
            found[name] = value
    is_json = found.pop(b"content-type", None) == b"application/json"
    length = found.pop(b"content-length", b"")
    return is_json and _LENGTH.fullmatch(length) is not None and int(length) <= LONGEST_BODY and not found


def _signing_call(body: bytes) -> Call | None:
    """Return what the body says, or None if there is the slightest doubt: a rarer spelling, or anything that is not valid."""
    if body.count(b'"') != _QUOTES or b"\\" in body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or value.keys() != _FIELDS:
        return None
    network, index, unsigned_tx = value["network"], value["index"], value["unsigned_tx"]
    is_valid = (
        type(network) is str
        and 1 <= len(network) <= 32
        and network.isprintable()
        and type(index) is int
        and 0 <= index <= MAX_INDEX
        and type(unsigned_tx) is str
    )
    return (network, index, unsigned_tx) if is_valid else None


def _index(query: bytes) -> int | None:
    """Return the index that a query asks for, 0 if there is none; None if the query is anything else."""
    if not query:
        return 0
    match = _INDEX.fullmatch(query)
    index = -1 if match is None else int(match[1])
    return index if 0 <= index <= MAX_INDEX else None
