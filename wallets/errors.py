"""Say what went wrong, in words that are safe to show a client.

::

    WalletError
    ├── InvalidRequestError
    │   ├── UnsupportedNetworkError
    │   ├── MalformedTransactionError
    │   ├── UntimelyTransactionError
    │   ├── MalformedMessageError
    │   ├── UnsupportedMessageError
    │   ├── InvalidMnemonicError
    │   └── PolicyViolationError
    │       └── WrongSignerError
    ├── NotFoundError
    │   ├── WalletNotFoundError
    │   └── AddressNotFoundError
    ├── ConflictError
    │   ├── IdempotencyKeyReusedError
    │   ├── NonceUsedError
    │   └── RequestRunningError
    ├── CorruptCiphertextError
    └── UnavailableError
        ├── KeyEncryptionUnavailableError
        ├── StoreUnavailableError
        ├── AuditUnavailableError
        ├── LimiterUnavailableError
        └── LockNotSharedError

Each takes the message alone, so that it pickles (and `UnavailableError`, if it is known, when to try again; `NonceUsedError` its places).
What status an error becomes is the edge's knowledge (`api.errors`).
"""


class WalletError(Exception):
    """Never raised itself: the root of everything this service refuses or cannot do."""


class InvalidRequestError(WalletError):
    """The request asks for something that cannot be."""


class UnsupportedNetworkError(InvalidRequestError):
    """The network is not in the table of chains."""


class MalformedTransactionError(InvalidRequestError):
    """The bytes are not exactly one unsigned transaction of the network."""


class UntimelyTransactionError(InvalidRequestError):
    """No node would take the transaction now: it has expired, or is dated in the future."""


class MalformedMessageError(InvalidRequestError):
    """The message is not exactly what its network's standard signs, or could be read as a transaction."""


class UnsupportedMessageError(InvalidRequestError):
    """The network has no standard for such a message."""


class InvalidMnemonicError(InvalidRequestError):
    """The phrase is not a BIP-39 mnemonic of 12 to 24 English words."""


class PolicyViolationError(InvalidRequestError):
    """The transaction decodes, but the policy does not let this account sign it."""


class WrongSignerError(PolicyViolationError):
    """The transaction names other signers than the account that shall sign it."""


class NotFoundError(WalletError):
    """What is asked for is not kept here."""


class WalletNotFoundError(NotFoundError):
    """No wallet has this id."""


class AddressNotFoundError(NotFoundError):
    """The address was never derived here."""


class ConflictError(WalletError):
    """The request contradicts one that was taken before."""


class IdempotencyKeyReusedError(ConflictError):
    """The request's key was sent with another request before."""


class NonceUsedError(ConflictError):
    """Another transaction was signed with the same nonce of the same account. `places` are those of a batch's items that it is true of."""

    def __init__(self, message: str, places: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.places = places


class RequestRunningError(ConflictError):
    """The same request is being worked on; its answer will be there shortly."""


class CorruptCiphertextError(WalletError):
    """The stored ciphertext does not decrypt: tampered with, of another wallet, or under an unknown key."""


class UnavailableError(WalletError):
    """Something the service needs is away; the same request may succeed later: after `retry_after_seconds`, if that is known."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class KeyEncryptionUnavailableError(UnavailableError):
    """The key backend is away or its circuit is open."""


class StoreUnavailableError(UnavailableError):
    """The database is away."""


class AuditUnavailableError(UnavailableError):
    """The audit row could not be made durable, so nothing was released."""


class LimiterUnavailableError(UnavailableError):
    """How often clients ask cannot be counted together at present, and nothing is done uncounted."""


class LockNotSharedError(UnavailableError):
    """This replica has forgotten its unlocked seeds, but the others may not have been told to."""
