"""Name what the edge needs, and let requests in."""

import math
from dataclasses import dataclass, field

from starlette.types import Scope

from api.access_log import AccessLog
from api.auth import Authenticator, ClientAddresses, limit_key
from api.errors import RateLimitedError
from api.limits import RateLimiter
from api.observability import Metrics
from wallets.custody import Custody
from wallets.model import Caller


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge needs: the service itself, who may call it, how often, and where that is counted.

    `version` is what the OpenAPI document shows.
    """

    custody: Custody
    authenticator: Authenticator
    limiter: RateLimiter
    metrics: Metrics
    clients: ClientAddresses = field(default_factory=ClientAddresses)
    access_log: AccessLog = field(default_factory=AccessLog)
    version: str = "2.0.0"


async def admit(edge: Edge, scope: Scope) -> Caller:
    """Return who asks, if they may. A request that was let in is not asked again.

    Raises:
        AuthenticationError: The API key is missing or not valid.
        RateLimitedError: They ask too often.
    """
    if "caller" in scope:
        admitted: Caller = scope["caller"]
        return admitted
    caller = recognize(edge, scope)
    await charge(edge, caller)
    return caller


def recognize(edge: Edge, scope: Scope) -> Caller:
    """Return who asks.

    Raises:
        AuthenticationError: The API key is missing or not valid.
    """
    peer = scope["client"][0] if scope.get("client") else None
    address = edge.clients.resolve(peer, header_values(scope, b"x-forwarded-for"))
    scope["client_address"] = address
    key_id = edge.authenticator.authenticate(header_values(scope, b"x-api-key"))
    caller = Caller(scope["request_id"], address, key_id)
    scope["caller"] = caller
    return caller


async def charge(edge: Edge, caller: Caller, cost: int = 1) -> None:
    """Return if the caller may have what a request costs.

    Raises:
        RateLimitedError: They ask too often.
    """
    wait = await edge.limiter.acquire(limit_key(caller.api_key_id, caller.ip_address), cost)
    if wait is not None:
        seconds = max(1, math.ceil(wait))
        msg = f"too many requests; try again in {seconds} s"
        raise RateLimitedError(msg, seconds)


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return the values of a header in the order they came, as text of ISO 8859-1."""
    return [str(value, "latin-1") for other, value in scope["headers"] if other == name]
