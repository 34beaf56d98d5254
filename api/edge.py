"""Name what the edge needs, and let requests in."""

import math
from dataclasses import dataclass, field

from starlette.types import Scope

from adapters.limits import CallKind, Verdict
from api.access_log import AccessLog
from api.auth import Authenticator, ClientAddresses, limited_client
from api.errors import RateLimitedError
from api.limits import RateLimiter, limit_fields
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


async def admit(edge: Edge, scope: Scope, kind: CallKind = CallKind.READ) -> Caller:
    """Return who asks, if they may. A request that was let in is not asked again.

    Raises:
        AuthenticationError: The API key is missing or not valid.
        LimiterUnavailableError: Whether they ask too often cannot be said.
        RateLimitedError: They ask too often.
    """
    if "caller" in scope:
        admitted: Caller = scope["caller"]
        return admitted
    caller = recognize(edge, scope)
    scope["rate_limit"] = await charge(edge, caller, kind=kind)
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


async def charge(edge: Edge, caller: Caller, cost: int = 1, kind: CallKind = CallKind.READ) -> Verdict | None:
    """Return what is left of the caller's limits, if the caller may have what a request costs.

    Raises:
        LimiterUnavailableError: Whether they ask too often cannot be said.
        RateLimitedError: They ask too often.
    """
    verdict = await edge.limiter.acquire(limited_client(caller.api_key_id, caller.ip_address), kind, cost)
    if verdict is not None and verdict.wait_seconds is not None:
        msg = f"too many requests; try again in {max(1, math.ceil(verdict.wait_seconds))} s"
        raise RateLimitedError(msg, verdict.wait_seconds, dict(limit_fields(verdict)))
    return verdict


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return the values of a header in the order they came, as text of ISO 8859-1."""
    return [str(value, "latin-1") for other, value in scope["headers"] if other == name]
