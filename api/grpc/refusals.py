"""Say how an error is told over gRPC: by the one table of `api.errors`, as each version of the contract tells it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from api import errors

DOMAIN = "crypto-wallets"
"""The `domain` of every `ErrorInfo`."""

REQUEST_ID = "x-request-id"
STATUS_DETAILS = "grpc-status-details-bin"
"""The metadata in which gRPC carries a `google.rpc.Status`."""

_OF_VERSION_1 = frozenset({"UNAUTHENTICATED", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED"})
"""What clients of 1.0.8 know, and what their own library makes for them."""

_CODES: Mapping[str, grpc.StatusCode] = MappingProxyType({code.name: code for code in grpc.StatusCode})


class Refusal(NamedTuple):
    """The status of an RPC that did not succeed, and its trailing metadata."""

    code: grpc.StatusCode
    detail: str
    metadata: tuple[tuple[str, str | bytes], ...]


Tell = Callable[[BaseException, str], Refusal]
"""Say how a version of the contract tells an error of the request with this id."""


def tell_in_version_1(error: BaseException, request_id: str) -> Refusal:
    """Say it by the statuses that 1.0.8 had: what is not the caller's doing is INTERNAL, without a reason."""
    result = errors.outcome(error)
    if result.http_status >= 500 and result.grpc_code != "DEADLINE_EXCEEDED":
        return Refusal(grpc.StatusCode.INTERNAL, "internal error", ((REQUEST_ID, request_id),))
    code = result.grpc_code if result.grpc_code in _OF_VERSION_1 else "INVALID_ARGUMENT"
    return Refusal(_CODES[code], errors.detail(error), ((REQUEST_ID, request_id),))


def tell_in_version_2(error: BaseException, request_id: str) -> Refusal:
    """Say it in full: `google.rpc.Status` with an `ErrorInfo`, the request's id, and when to try again, where that is known."""
    result, detail = errors.outcome(error), errors.detail(error)
    code = _CODES[result.grpc_code]
    details: list[Message] = [
        ErrorInfo(reason=result.reason, domain=DOMAIN, metadata={"type": result.urn}),
        RequestInfo(request_id=request_id),
    ]
    retry_after = errors.headers(error).get("Retry-After")
    if retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(int(retry_after))
        details.append(retry)
    status = Status(code=number(code), message=detail, details=map(_packed, details))
    return Refusal(code, detail, ((REQUEST_ID, request_id), (STATUS_DETAILS, status.SerializeToString())))


def number(code: grpc.StatusCode) -> int:
    """Return a code as the wire has it (`google.rpc.Code`)."""
    return int(code.value[0])


def code_of(error: BaseException) -> int:
    """Return the number of the code that an error is told by in version 2."""
    return number(_CODES[errors.outcome(error).grpc_code])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
