"""Name what must not happen twice: a request that comes again, and a nonce that is used up."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that may come again, and shall be carried out once.

    `name` tells it from other requests of all clients, and `fingerprint` what it asks for: digests of 32 bytes, by which neither can be
    guessed. `claim` tells this attempt at it from others.
    """

    name: bytes
    fingerprint: bytes
    claim: UUID


@dataclass(frozen=True, slots=True)
class NonceUse:
    """That a transaction, of which `digest` is one of 32 bytes, uses up an account's nonce on a chain (`wallets.nonces`)."""

    chain: str
    address: str
    nonce: str
    digest: bytes
    is_replacement: bool
