"""Name what the edge needs, and let requests in."""

import math
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

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
    version: str = "2.0.0"


async def admit(edge: Edge, request: Request) -> Caller:
    """Return who asks, if they may.

    Raises:
        AuthenticationError: The API key is missing or not valid.
        RateLimitedError: They ask too often.
    """
    scope: Any = request.scope
    peer = scope["client"][0] if scope.get("client") else None
    headers = request.headers
    address = edge.clients.resolve(peer, headers.getlist("x-forwarded-for"))
    scope["client_address"] = address
    key_id = edge.authenticator.authenticate(headers.getlist("x-api-key"))
    wait = await edge.limiter.acquire(limit_key(key_id, address))
    if wait is not None:
        seconds = max(1, math.ceil(wait))
        msg = f"too many requests; try again in {seconds} s"
        raise RateLimitedError(msg, seconds)
    caller = Caller(scope["request_id"], address, key_id)
    scope["caller"] = caller
    return caller
