"""Carry out a request once, however often it is sent: the `Idempotency-Key` of draft-ietf-httpapi-idempotency-key-header-07."""

import asyncio
import hashlib
import hmac
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from api import render
from api.edge import header_values
from api.errors import InvalidIdempotencyKeyError
from wallets.custody import Custody
from wallets.errors import UnavailableError
from wallets.model import KeyringLock, SignedTransaction, SigningResult, Wallet
from wallets.once import IdempotentRequest

HEADER = b"idempotency-key"
REPLAYED = "Idempotency-Replayed"
"""Tells that an answer was given before."""

_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')
"""A string of structured fields (RFC 9651) without escapes, or the same without its quotes, as most clients send it."""


async def answered_once(custody: Custody, request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer a request by `handle`, or as it was answered before.

    Raises:
        IdempotencyKeyReusedError: Its key was sent with another request before.
        InvalidIdempotencyKeyError: Its key cannot be one.
        RequestRunningError: It is being worked on.
    """
    if not any(name == HEADER for name, _ in request.scope["headers"]):
        return await handle(request)
    this = idempotent_request(request.scope, await request.body())
    stored = await custody.claim(this)
    if stored is not None:
        return Response(stored, headers={REPLAYED: "true"}, media_type="application/json")
    request.scope["caller"] = replace(request.scope["caller"], idempotency=this)
    async with released_on_failure(custody, this):
        return await handle(request)


@asynccontextmanager
async def released_on_failure(custody: Custody, this: IdempotentRequest) -> AsyncIterator[None]:
    """Give up the claim of a request whose block fails, so that it may be sent again."""
    try:
        yield
    except BaseException:
        # Nothing was done, or it is not known: then the answer, if there is one, stays. Should this fail, the claim ends by itself.
        with suppress(UnavailableError):
            await asyncio.shield(custody.release(this))
        raise


def idempotent_request(scope: Scope, body: bytes) -> IdempotentRequest:
    """Return what is known of a request that has a key, of a caller who is known.

    Neither the key nor anything by which a body could be guessed goes further: a body may hold a mnemonic. The fingerprint is keyed with
    the key, of which only a digest is kept. The API key is no part of it: a request may be sent again while API keys are being exchanged.

    Raises:
        InvalidIdempotencyKeyError: The key is none, or there are several.
    """
    values = header_values(scope, HEADER)
    match = _KEY.fullmatch(values[0].strip()) if len(values) == 1 else None
    if match is None:
        msg = "send one Idempotency-Key of 1 to 255 printable characters of ASCII, without quotes or backslashes in it"
        raise InvalidIdempotencyKeyError(msg)
    key = (match[1] or match[2]).encode()
    name = hashlib.sha256(b"crypto-wallets/idempotency\0" + key).digest()
    place = f"{scope['method']}\0{scope['path']}\0".encode("utf-8", "surrogatepass") + bytes(scope["query_string"]) + b"\0"
    return IdempotentRequest(name, hmac.digest(key, place + body, "sha256"), uuid.uuid4())


def answer(result: object) -> bytes:
    """Write the answer that a result of the domain becomes, as it is kept for the next time."""
    return orjson.dumps(_content(result))


def _content(result: Any) -> dict[str, Any]:
    match result:
        case Wallet():
            return render.wallet(result)
        case SigningResult(signed=SignedTransaction()):
            return render.signing_result(result)
        case SigningResult():
            return render.message_result(result)
        case KeyringLock():
            return render.keyring_lock(result)
        case _:
            return render.batch(result)
