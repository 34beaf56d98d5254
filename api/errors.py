"""Say what each error becomes for a client: the one table of HTTP statuses and gRPC codes, and the errors of the edge itself.

::

    WalletError (wallets.errors)
    └── EdgeError
        ├── AuthenticationError
        ├── RateLimitedError
        ├── MalformedBodyError
        ├── BodyTooLargeError
        ├── UnsupportedMediaTypeError
        ├── InvalidIdempotencyKeyError
        ├── InvalidParameterError
        ├── UnprocessableError
        ├── UnknownRouteError
        ├── MethodNotAllowedError
        ├── OverloadedError
        └── DeadlineExceededError
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wallets.errors import (
    AddressNotFoundError,
    AuditUnavailableError,
    ConflictError,
    CorruptCiphertextError,
    IdempotencyKeyReusedError,
    InvalidMnemonicError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    LimiterUnavailableError,
    LockNotSharedError,
    MalformedMessageError,
    MalformedTransactionError,
    NonceUsedError,
    NotFoundError,
    PolicyViolationError,
    RequestRunningError,
    StoreUnavailableError,
    UnavailableError,
    UnsupportedMessageError,
    UnsupportedNetworkError,
    UntimelyTransactionError,
    WalletError,
    WalletNotFoundError,
    WrongSignerError,
)

UNAVAILABLE_RETRY_SECONDS = 5
"""When a client may try again what was refused with 503, where nothing better is known."""


RUNNING_RETRY_SECONDS = 1
"""When a client may ask again for the answer to a request that is being worked on."""


class EdgeError(WalletError):
    """Never raised itself: the root of what the edge refuses before the request reaches the domain."""


class AuthenticationError(EdgeError):
    """The request shows no API key, or one that is not ours."""


class RateLimitedError(EdgeError):
    """This client asks too often. `wait_seconds` is until it may; `fields` tell of the limits (`api.limits`)."""

    def __init__(self, message: str, wait_seconds: float = 1.0, fields: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.fields = dict(fields)

    @property
    def retry_after(self) -> int:
        """When a client may try again, in whole seconds, at least 1."""
        return max(1, math.ceil(self.wait_seconds))


class MalformedBodyError(EdgeError):
    """The body is not exactly one JSON text (RFC 8259, without duplicate names)."""


class BodyTooLargeError(EdgeError):
    """The body has more bytes than the edge reads."""


class UnsupportedMediaTypeError(EdgeError):
    """The body is not declared as JSON."""


class InvalidIdempotencyKeyError(EdgeError):
    """The request's `Idempotency-Key` cannot be one, or there are several."""


class InvalidParameterError(EdgeError):
    """A part of the path cannot be what it stands for."""


class UnprocessableError(EdgeError):
    """A field or query parameter is missing, unknown, or outside its range."""


class UnknownRouteError(EdgeError):
    """Nothing is served under this path."""


class MethodNotAllowedError(EdgeError):
    """The path is served, but not with this method. `allowed` names those that are."""

    def __init__(self, message: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class OverloadedError(EdgeError):
    """More requests wait than the replica lets wait."""


class DeadlineExceededError(EdgeError):
    """The caller waits no longer (a deadline of gRPC's)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an error is to clients: its stable name (`urn:crypto-wallets:problem:<name>`), title, HTTP status and gRPC code."""

    name: str
    title: str
    http_status: int
    grpc_code: str

    @property
    def urn(self) -> str:
        """The `type` of the problem document (RFC 9457)."""
        return f"urn:crypto-wallets:problem:{self.name}"

    @property
    def reason(self) -> str:
        """The `reason` of the `google.rpc.ErrorInfo` (AIP-193)."""
        return self.name.upper().replace("-", "_")


INTERNAL = Outcome("internal-error", "Internal error", 500, "INTERNAL")

OUTCOMES: Mapping[type[WalletError], Outcome] = MappingProxyType(
    {
        InvalidRequestError: Outcome("invalid-request", "Invalid request", 400, "INVALID_ARGUMENT"),
        UnsupportedNetworkError: Outcome("unsupported-network", "Unsupported network", 400, "INVALID_ARGUMENT"),
        MalformedTransactionError: Outcome("malformed-transaction", "Malformed transaction", 400, "INVALID_ARGUMENT"),
        UntimelyTransactionError: Outcome("untimely-transaction", "Expired, or not valid yet", 400, "INVALID_ARGUMENT"),
        MalformedMessageError: Outcome("malformed-message", "Malformed message", 400, "INVALID_ARGUMENT"),
        UnsupportedMessageError: Outcome("unsupported-message", "Unsupported message", 400, "INVALID_ARGUMENT"),
        InvalidMnemonicError: Outcome("invalid-mnemonic", "Invalid mnemonic", 400, "INVALID_ARGUMENT"),
        PolicyViolationError: Outcome("policy-violation", "Refused by policy", 403, "PERMISSION_DENIED"),
        WrongSignerError: Outcome("wrong-signer", "Another account's transaction", 400, "INVALID_ARGUMENT"),
        NotFoundError: Outcome("not-found", "Not found", 404, "NOT_FOUND"),
        WalletNotFoundError: Outcome("wallet-not-found", "Wallet not found", 404, "NOT_FOUND"),
        AddressNotFoundError: Outcome("address-not-found", "Address not found", 404, "NOT_FOUND"),
        ConflictError: Outcome("conflict", "Conflict", 409, "ALREADY_EXISTS"),
        IdempotencyKeyReusedError: Outcome("idempotency-key-reused", "Idempotency key used before", 422, "INVALID_ARGUMENT"),
        NonceUsedError: Outcome("nonce-used", "Nonce used before", 409, "ABORTED"),
        RequestRunningError: Outcome("request-running", "Request is being worked on", 409, "ABORTED"),
        # Trying again does not help, and somebody has to look: no 503.
        CorruptCiphertextError: Outcome("corrupt-ciphertext", "Corrupt ciphertext", 500, "INTERNAL"),
        UnavailableError: Outcome("unavailable", "Temporarily unavailable", 503, "UNAVAILABLE"),
        KeyEncryptionUnavailableError: Outcome("key-encryption-unavailable", "Key encryption unavailable", 503, "UNAVAILABLE"),
        StoreUnavailableError: Outcome("store-unavailable", "Store unavailable", 503, "UNAVAILABLE"),
        AuditUnavailableError: Outcome("audit-unavailable", "Audit log unavailable", 503, "UNAVAILABLE"),
        LimiterUnavailableError: Outcome("limits-unavailable", "Limits unavailable", 503, "UNAVAILABLE"),
        LockNotSharedError: Outcome("lock-not-shared", "Locked here alone", 503, "UNAVAILABLE"),
        AuthenticationError: Outcome("authentication-required", "Authentication required", 401, "UNAUTHENTICATED"),
        RateLimitedError: Outcome("rate-limited", "Too many requests", 429, "RESOURCE_EXHAUSTED"),
        MalformedBodyError: Outcome("malformed-body", "Malformed body", 400, "INVALID_ARGUMENT"),
        BodyTooLargeError: Outcome("body-too-large", "Body too large", 413, "INVALID_ARGUMENT"),
        UnsupportedMediaTypeError: Outcome("unsupported-media-type", "Unsupported media type", 415, "INVALID_ARGUMENT"),
        InvalidIdempotencyKeyError: Outcome("invalid-idempotency-key", "Invalid idempotency key", 400, "INVALID_ARGUMENT"),
        InvalidParameterError: Outcome("invalid-parameter", "Invalid path parameter", 400, "INVALID_ARGUMENT"),
        UnprocessableError: Outcome("unprocessable-request", "Unprocessable request", 422, "INVALID_ARGUMENT"),
        UnknownRouteError: Outcome("unknown-route", "Unknown route", 404, "UNIMPLEMENTED"),
        OverloadedError: Outcome("overloaded", "Overloaded", 503, "UNAVAILABLE"),
        DeadlineExceededError: Outcome("deadline-exceeded", "Deadline exceeded", 504, "DEADLINE_EXCEEDED"),
        MethodNotAllowedError: Outcome("method-not-allowed", "Method not allowed", 405, "UNIMPLEMENTED"),
    }
)


def outcome(error: BaseException) -> Outcome:
    """Return what an error is to clients; `INTERNAL` for whatever is not in the table: a bug."""
    for ancestor in type(error).__mro__:
        if ancestor in OUTCOMES:
            return OUTCOMES[ancestor]
    return INTERNAL


def detail(error: BaseException) -> str:
    """Return the sentence a client may read: the error's own, or nothing of the cause where it is a bug."""
    if outcome(error) is INTERNAL:
        return "The request could not be completed. The cause is in the service's log under this request id."
    return str(error)


def headers(error: BaseException) -> dict[str, str]:
    """Return the HTTP headers that the error's status asks for (RFC 9110)."""
    result = outcome(error)
    if isinstance(error, RateLimitedError):
        found = {"Retry-After": str(error.retry_after), **error.fields}
    elif isinstance(error, RequestRunningError):
        found = {"Retry-After": str(RUNNING_RETRY_SECONDS)}
    elif isinstance(error, MethodNotAllowedError):
        found = {"Allow": ", ".join(error.allowed)}
    elif result.http_status == 401:
        found = {"WWW-Authenticate": 'ApiKey realm="crypto-wallets", header="X-Api-Key"'}
    elif result.http_status == 503:
        known = error.retry_after_seconds if isinstance(error, UnavailableError) else None
        found = {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS if known is None else max(1, math.ceil(known)))}
    elif isinstance(error, BodyTooLargeError):
        # The rest of the body is not read, so the connection cannot be used again.
        found = {"Connection": "close"}
    else:
        found = {}
    return found
