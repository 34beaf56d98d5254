"""Carry out an RPC once, however often it is sent: by the `idempotency-key` of its metadata, under the rules of HTTP's (`api.idempotency`).

What was answered is kept as HTTP answers it, and told in the messages of the version that asks.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

import orjson
from google.protobuf.message import Message
from starlette.types import Scope

from api.grpc import replies
from api.idempotency import HEADER, idempotent_request, released_on_failure
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from wallets.custody import Custody
from wallets.model import Caller

REPLAYED = "idempotency-replayed"
"""Tells, in the trailing metadata and in the scope, that an answer was given before."""

Told = Callable[[dict[str, Any]], Message]
"""Tell an answer that was kept."""

M = TypeVar("M", bound=Message)


async def answered_once(
    custody: Custody, scope: Scope, request: M, answer: Callable[[M, Caller], Awaitable[Message]], told: Told
) -> Message:
    """Answer a request of a caller who is known by `answer`, or as it was answered before.

    Raises:
        IdempotencyKeyReusedError: Its key was sent with another request before.
        InvalidIdempotencyKeyError: Its key cannot be one.
        RequestRunningError: It is being worked on.
    """
    if not any(name == HEADER for name, _ in scope["headers"]):
        return await answer(request, scope["caller"])
    place = {"method": "gRPC", "path": request.DESCRIPTOR.full_name, "query_string": b""}
    this = idempotent_request({**scope, **place}, request.SerializeToString(deterministic=True))
    stored = await custody.claim(this)
    if stored is not None:
        scope[REPLAYED] = True
        return told(orjson.loads(stored))
    async with released_on_failure(custody, this):
        return await answer(request, replace(scope["caller"], idempotency=this))


def _wallet(content: dict[str, Any]) -> v2.Wallet:
    return v2.Wallet(**{**content, "created_at": datetime.fromisoformat(content["created_at"])})


OF_VERSION_1: Mapping[str, Told] = MappingProxyType(
    {
        "CreateWallet": lambda content: v1.WalletInfo(id=content["id"], label=content["label"]),
        "SignTransaction": lambda content: v1.SignResponse(signed_tx=content.get("signed_tx") or content["psbt"]),
    }
)
OF_VERSION_2: Mapping[str, Told] = MappingProxyType(
    {
        "CreateWallet": lambda content: v2.CreateWalletResponse(wallet=_wallet(content)),
        "ImportWallet": lambda content: v2.ImportWalletResponse(wallet=_wallet(content)),
        "SignTransaction": lambda content: v2.SignTransactionResponse(signed=replies.signed_again(content)),
        "SignMessage": lambda content: v2.SignMessageResponse(signed=replies.signed_message_again(content)),
        "SignTypedData": lambda content: v2.SignTypedDataResponse(signed=replies.signed_message_again(content)),
        "LockKeyring": lambda content: v2.LockKeyringResponse(**{**content, "locked_at": datetime.fromisoformat(content["locked_at"])}),
    }
)
"""How what was kept is told by each method that is carried out once."""
