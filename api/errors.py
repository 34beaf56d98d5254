"""Say what each error is to a client: the one table from error type to status."""

from dataclasses import dataclass

from wallets.errors import (
    AddressNotFoundError,
    AuditUnavailableError,
    ConflictError,
    CorruptCiphertextError,
    InvalidMnemonicError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    MalformedTransactionError,
    NotFoundError,
    PolicyViolationError,
    StoreUnavailableError,
    UnavailableError,
    UnsupportedNetworkError,
    WalletError,
    WalletNotFoundError,
)

TYPE_PREFIX = "urn:crypto-wallets:problem:"


class EdgeError(Exception):
    """Never raised itself: what the edge refuses before the domain is asked."""


class AuthenticationError(EdgeError):
    """The API key is missing or wrong."""


class RateLimitedError(EdgeError):
    """The client asks faster than it may; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many requests")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client is told: the name behind `type`, the title, and the HTTP status."""

    name: str
    title: str
    status: int


PROBLEMS: dict[type[Exception], Problem] = {
    AuthenticationError: Problem("unauthenticated", "The API key is missing or wrong", 401),
    RateLimitedError: Problem("rate-limited", "Too many requests", 429),
    InvalidRequestError: Problem("invalid-request", "The request cannot be", 400),
    UnsupportedNetworkError: Problem("unsupported-network", "The network is unknown", 400),
    MalformedTransactionError: Problem("malformed-transaction", "The transaction does not decode", 400),
    InvalidMnemonicError: Problem("invalid-mnemonic", "The mnemonic is not BIP-39", 400),
    PolicyViolationError: Problem("policy-violation", "The account may not sign this", 403),
    NotFoundError: Problem("not-found", "Not found", 404),
    WalletNotFoundError: Problem("wallet-not-found", "There is no such wallet", 404),
    AddressNotFoundError: Problem("address-not-found", "The address was never derived here", 404),
    ConflictError: Problem("conflict", "The request contradicts an earlier one", 409),
    CorruptCiphertextError: Problem("corrupt-ciphertext", "The wallet's ciphertext does not decrypt", 500),
    UnavailableError: Problem("unavailable", "Temporarily unavailable", 503),
    KeyEncryptionUnavailableError: Problem("key-encryption-unavailable", "The key backend is unavailable", 503),
    StoreUnavailableError: Problem("store-unavailable", "The database is unavailable", 503),
    AuditUnavailableError: Problem("audit-unavailable", "The audit log is unavailable", 503),
    WalletError: Problem("internal-error", "Internal error", 500),
}


def problem_of(error: Exception) -> Problem:
    """Return the row of the error's type, or of the nearest type above it; anything else is an internal error."""
    for kind in type(error).__mro__:
        if issubclass(kind, Exception) and kind in PROBLEMS:
            return PROBLEMS[kind]
    return PROBLEMS[WalletError]
