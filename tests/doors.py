"""Ask the service the same over HTTP and over gRPC, and read both answers in the same words.

A call is a name and fields as JSON over HTTP has them; an answer is the name of a problem, or the content as HTTP answers it, without what
is null and with the kind of address as `variant`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import httpx
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from api.grpc.refusals import DOMAIN, STATUS_DETAILS
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2

Fields = Mapping[str, Any]
Answer = str | dict[str, Any]

SERVICE = v2.DESCRIPTOR.services_by_name["WalletService"]
OLD_SERVICE = v1.DESCRIPTOR.services_by_name["WalletService"]

_SAME_OVER_GRPC = {"invalid-parameter": "unprocessable-request", "malformed-body": "unprocessable-request"}
"""What has no path and no JSON has one problem for a field that cannot be."""

_ACCOUNT = ("wallet_id", "network", "index", "variant")


class Door(Protocol):
    """A way to the service."""

    async def ask(self, call: str, fields: Fields, key: str | None = "") -> Answer:
        """Return the answer; `key` is shown in the place of the door's own, None shows none."""
        ...


@dataclass
class HttpDoor:
    """HTTP."""

    client: httpx.AsyncClient
    key: str

    async def ask(self, call: str, fields: Fields, key: str | None = "") -> Answer:
        """See `Door.ask`."""
        shown = self.key if key == "" else key
        method, path, body = _http_request(call, dict(fields))
        headers = {} if shown is None else {"X-Api-Key": shown}
        answer = await self.client.request(method, path, json=body, headers=headers)
        if answer.status_code != 200:
            name = str(answer.json()["type"]).removeprefix("urn:crypto-wallets:problem:")
            return _SAME_OVER_GRPC.get(name, name)
        content: dict[str, Any] = _in_common_words(answer.json())
        return content


def _http_request(call: str, fields: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
    """Write a call as method, path and body."""
    if "variant" in fields:
        fields["version" if fields.get("network") == "ton" else "type"] = fields.pop("variant")
    wallet_id, network = fields.pop("wallet_id", ""), fields.get("network", "")
    in_query = {"GetWallet", "ListWallets", "GetAddress", "FindAddress"}
    address = fields.pop("address", "")
    method, path = {
        "CreateWallet": ("POST", "/wallets"),
        "ImportWallet": ("POST", "/wallets/import"),
        "GetWallet": ("GET", f"/wallets/{wallet_id}"),
        "ListWallets": ("GET", "/wallets"),
        "GetAddress": ("GET", f"/wallets/{wallet_id}/address/{network}"),
        "FindAddress": ("GET", f"/addresses/{address}"),
        "SignTransaction": ("POST", f"/wallets/{wallet_id}/sign"),
        "SignMessage": ("POST", f"/wallets/{wallet_id}/sign-message"),
        "SignTypedData": ("POST", f"/wallets/{wallet_id}/sign-typed-data"),
        "InspectTransaction": ("POST", "/transactions/inspect"),
        "LockKeyring": ("POST", "/admin/lock"),
    }[call]
    if call not in in_query:
        return method, f"/api/v1{path}", fields if fields or call != "LockKeyring" else None
    if call == "GetAddress":
        fields.pop("network", None)
    return method, str(httpx.URL(f"/api/v1{path}", params=fields)), None


def _in_common_words(value: Any) -> Any:
    """Leave out what is null, and call the kind of address what it is called over gRPC."""
    if isinstance(value, list):
        return [_in_common_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        "variant" if name in {"type", "version"} and "amount" not in value and "network" in value else name: _in_common_words(item)
        for name, item in value.items()
        if item is not None
    }


@dataclass
class GrpcDoor:
    """gRPC, version 2."""

    channel: grpc.aio.Channel
    key: str

    async def ask(self, call: str, fields: Fields, key: str | None = "") -> Answer:
        """See `Door.ask`."""
        shown = self.key if key == "" else key
        metadata = () if shown is None else (("x-api-key", shown),)
        try:
            answer = await unary(self.channel, call)(_grpc_request(call, dict(fields)), metadata=metadata, timeout=60)
        except grpc.aio.AioRpcError as error:
            return problem_of(error)
        content: dict[str, Any] = _plain(answer)
        content |= content.pop("signed", {}) | content.pop("wallet", {}) | content.pop("account", {})
        if "from_address" in content:
            content["from"] = content.pop("from_address")
        return content


def unary(channel: grpc.aio.Channel, call: str, *, old: bool = False) -> Any:
    """Return what calls a method of the service."""
    service = OLD_SERVICE if old else SERVICE
    method = service.methods_by_name[call]
    return channel.unary_unary(
        f"/{service.full_name}/{call}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )


def problem_of(error: grpc.aio.AioRpcError) -> str:
    """Return the problem's name of a refusal that has all that it must."""
    trailing = dict(error.trailing_metadata())
    status = Status.FromString(trailing[STATUS_DETAILS])
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    assert info.domain == DOMAIN
    assert trailing["x-request-id"]
    name = str(info.reason).lower().replace("_", "-")
    assert info.metadata["type"] == f"urn:crypto-wallets:problem:{name}"
    return _SAME_OVER_GRPC.get(name, name)


def _grpc_request(call: str, fields: dict[str, Any]) -> Message:
    """Write a call as a message."""
    kind = GetMessageClass(SERVICE.methods_by_name[call].input_type)
    known = kind.DESCRIPTOR.fields_by_name
    if "account" in known:
        fields["account"] = {name: fields.pop(name) for name in _ACCOUNT if name in fields}
    if "transaction" in known:
        fields["transaction"] = {name: fields.pop(name) for name in ("unsigned_tx",) if name in fields}
    for http, ours in (("message", "text"), ("message_hex", "raw")):
        if (http in fields and http != "message") or (http in fields and call == "SignMessage"):
            value = fields.pop(http)
            fields[ours] = bytes.fromhex(value.removeprefix("0x")) if ours == "raw" else value
    if "typed_data" in fields:
        fields["typed_data"] = httpx.Request("POST", "http://x", json=fields["typed_data"]).content.decode()
    return kind(**fields)


def _plain(message: Message) -> Any:
    """Read a message as JSON over HTTP would have it."""
    if isinstance(message, Timestamp):
        return message.ToJsonString()
    if isinstance(message, v2.Detail):
        return getattr(message, message.WhichOneof("value") or "text")
    content: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            content[field.name] = {key: _plain(item) if isinstance(item, Message) else item for key, item in value.items()}
        elif field.is_repeated:
            content[field.name] = [_plain(item) if isinstance(item, Message) else item for item in value]
        elif not field.has_presence or message.HasField(field.name):
            content[field.name] = _plain(value) if isinstance(value, Message) else value
    for name in ("forms", "variant"):
        if content.get(name) in ({}, ""):
            del content[name]
    return content
