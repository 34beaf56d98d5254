"""Ask the world for what the domain needs. Implementations are in `adapters`; one contract test runs on each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn, Protocol
from uuid import UUID

from wallets.derivation import DerivationScheme
from wallets.errors import CorruptCiphertextError
from wallets.model import (
    Account,
    AuditEvent,
    ComponentHealth,
    EncryptedAddressKey,
    EncryptedMnemonic,
    EncryptedWallet,
    KeyVersion,
    KeyVersions,
    Page,
    Position,
    Replacement,
    SealedAddress,
    Stretch,
    Wallet,
)
from wallets.once import IdempotentRequest
from wallets.secret import Mnemonic


class WalletStore(Protocol):
    """Keep wallets. Every method raises `StoreUnavailableError` in bounded time when the store is away."""

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """Keep a new wallet and its audit row: both or neither.

        Raises:
            ConflictError: A wallet with this id exists.
        """
        ...

    async def get(self, wallet_id: UUID) -> Wallet:
        """Return one wallet.

        Raises:
            WalletNotFoundError: There is none.
        """
        ...

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """Return the wallet's ciphertext.

        Raises:
            WalletNotFoundError: There is none.
        """
        ...

    async def page(self, number: int, size: int) -> Page:
        """Return page `number` (from 1) of `size` wallets (1 to `MAX_LISTED`), newest first; empty past the last."""
        ...

    async def older(self, than: Position | None, size: int) -> Stretch:
        """Return the `size` wallets (1 to `MAX_LISTED`) that come next behind a position, newest first, or the newest of all.

        What this costs depends neither on the position nor on how many wallets there are. Who goes on from the last wallet of each stretch
        sees every wallet that there was at the beginning, and none twice, whatever is added meanwhile.
        """
        ...


class CiphertextStore(Protocol):
    """Renew the ciphertexts of wallets and of the address key.

    Every method raises `StoreUnavailableError` in bounded time when the store is away.
    """

    async def count(self) -> Mapping[KeyVersion | None, int]:
        """Return how many wallets are under each key version; under None are those whose ciphertext names none."""
        ...

    async def under(self, key: KeyVersion | None, *, after: UUID | None, size: int) -> Sequence[EncryptedWallet]:
        """Return the first `size` wallets of a key version in the order of their ids, from behind the id `after` on."""
        ...

    async def replace(self, replacements: Sequence[Replacement], audited: Callable[[int], AuditEvent]) -> int:
        """Replace each ciphertext that is still the old one, and write the audit row of how many these were: both or neither.

        Return that number; where it is 0 no row is written. No wallet may be named twice.
        """
        ...

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `AddressKeyStore.address_key`."""
        ...

    async def replace_address_key(self, old: EncryptedAddressKey, ciphertext: str, event: AuditEvent) -> bool:
        """Replace the ciphertext if it is still the old one, with the audit row of it: both or neither. Tell whether it was."""
        ...


class AddressBook(Protocol):
    """Remember derived addresses. Every method raises `StoreUnavailableError` in bounded time when the store is away.

    What it gives back may be somebody else's doing: the seals tell.
    """

    async def lookup(self, account: Account) -> SealedAddress | None:
        """Return the account's address if it was derived before."""
        ...

    async def lookup_range(self, first: Account, count: int) -> Mapping[int, SealedAddress]:
        """Return by index the addresses that were derived before of the `count` accounts from `first` on."""
        ...

    async def add_all(self, entries: Sequence[tuple[Account, SealedAddress, AuditEvent]]) -> None:
        """Remember addresses, at least one and no account twice, each with its audit row: all or none.

        What is remembered of an account and differs, be it in the seal alone, is replaced. What does not differ writes no row.

        Raises:
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def accounts(self, address: str, at_most: int) -> Sequence[tuple[Account, SealedAddress]]:
        """Return the accounts that have this address, and it with its seals, the oldest first; empty when it was never derived."""
        ...


class AddressKeyStore(Protocol):
    """Keep the key that authenticates addresses. Every method raises `StoreUnavailableError` in bounded time when the store is away."""

    async def address_key(self) -> EncryptedAddressKey | None:
        """Return the key with the highest number; None where there is none."""
        ...

    async def add_address_key(self, key: EncryptedAddressKey, at: datetime) -> EncryptedAddressKey:
        """Keep a key unless there is one of this number, and return the one that is kept: the same to all who add at the same time."""
        ...


class AccountKeyStore(Protocol):
    """Keep sealed extended public keys. Every method raises `StoreUnavailableError` in bounded time when the store is away."""

    async def account_key(self, wallet_id: UUID, path: str) -> str | None:
        """Return what is kept of a wallet at a path; None where nothing is."""
        ...

    async def put_account_key(self, wallet_id: UUID, path: str, sealed: str) -> None:
        """Keep it, in the place of what was kept.

        Raises:
            WalletNotFoundError: There is no such wallet.
        """
        ...


class AuditLog(Protocol):
    """Write down what was done. A row's answer (`AnswerStore`) and nonce are written with it, all or nothing."""

    async def record(self, event: AuditEvent) -> None:
        """Return when the row is durable.

        Raises:
            AuditUnavailableError: It could not be made so, in bounded time.
            NonceUsedError: Another transaction has used its nonce; nothing is written.
            RequestRunningError: Another attempt has taken the place of its request; nothing is written.
        """
        ...

    async def record_all(self, events: Sequence[AuditEvent]) -> None:
        """Return when every row is durable, in one commit if nothing is wrong with any, or if one has an answer or a nonce.

        Raises:
            AuditUnavailableError: One could not be made so, in bounded time; others may be, where none has an answer or a nonce.
            NonceUsedError: Other transactions have used nonces of theirs, whose places it names; nothing is written.
            RequestRunningError: As of `record`; nothing is written.
        """
        ...


class AnswerStore(Protocol):
    """Remember what requests were answered. Every method raises `StoreUnavailableError` in bounded time when the store is away.

    Answers come into it with audit rows (`AuditEvent.answer`): whoever writes the row writes the answer to `AuditEvent.caller.idempotency`
    in one transaction, and raises `RequestRunningError` instead, writing nothing, if the claim is held no more.
    """

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """Return what the request was answered before, else let this attempt alone work on it, for a bounded time.

        Raises:
            IdempotencyKeyReusedError: Another request had its name.
            RequestRunningError: Another attempt works on it.
        """
        ...

    async def release(self, request: IdempotentRequest) -> None:
        """Let another attempt work on it, unless this one has been answered or has lost its claim."""
        ...


class LockSignal(Protocol):
    """Tell every replica to forget its unlocked seeds."""

    async def send(self, event: AuditEvent) -> None:
        """Tell all replicas, and write the audit row: both or neither.

        Raises:
            StoreUnavailableError: In bounded time: it is not known whether anybody was told.
        """
        ...

    async def follow(self, lock: Callable[[], object]) -> NoReturn:
        """Call `lock` within a second of every `send`, anybody's, that happens from now on.

        What is sent while the signal cannot be heard makes one call as soon as it can be heard again. Never raises, and ends only when it
        is cancelled.
        """
        ...


class KeyEncryption(Protocol):
    """Encrypt mnemonics under a key that never leaves its backend (Vault Transit to us).

    Associated data is never empty. Ciphertexts are text that names backend and key version: `vault:v3:...`, `local:v3:...`. Every method
    raises `KeyEncryptionUnavailableError`, in bounded time, when the backend is away or is not set up.
    """

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """Return ciphertext that decrypts only with the same associated data."""
        ...

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """Return the mnemonic.

        Raises:
            CorruptCiphertextError: Tampered with, other associated data, or an unknown key or key version.
        """
        ...

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """Encrypt each mnemonic with the associated data beside it, in one call of the backend; all or none."""
        ...

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """Decrypt each, in one call of the backend; the place of what does not decrypt has the error that `decrypt` would raise."""
        ...


class KeyRotation(Protocol):
    """Renew the key of a backend: the operator's side, which sees no mnemonic.

    Every method raises `KeyEncryptionUnavailableError` in bounded time when the backend is away.
    """

    backend: str
    """How its ciphertexts begin: `vault` or `local`."""

    async def versions(self) -> KeyVersions:
        """Return the key's versions."""
        ...

    async def rotate(self) -> int:
        """Make a new version, which encrypts from now on, and return its number. What older versions encrypted decrypts as before."""
        ...

    async def rewrap_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[str | CorruptCiphertextError]:
        """Return each ciphertext anew under the latest version, or why that cannot be, in one call; no mnemonic leaves the backend."""
        ...

    async def set_oldest_usable(self, number: int) -> None:
        """Have versions below `number` refused from now on. They are kept: set back, they decrypt again.

        Raises:
            InvalidRequestError: There is no such version.
        """
        ...


class AddressCache(Protocol):
    """Remember addresses for a while, in this process."""

    async def get(self, account: Account) -> str | None:
        """Return the address if it is remembered."""
        ...

    async def put(self, account: Account, address: str) -> None:
        """Remember it."""
        ...


class SharedAddressCache(Protocol):
    """Remember addresses for a while, for all replicas. Never raises: away is a miss. What it gives back may be somebody else's doing."""

    async def get(self, account: Account, scheme: DerivationScheme) -> SealedAddress | None:
        """Return the address if it is remembered; what is there and is nothing that `put` writes comes as an address without a seal."""
        ...

    async def put(self, account: Account, scheme: DerivationScheme, address: SealedAddress) -> None:
        """Remember it, in the place of what was remembered."""
        ...


class Component(Protocol):
    """Something outside that can be asked how it is."""

    name: str

    async def check(self) -> ComponentHealth:
        """Ask, in at most two seconds, without changing anything. Never raises."""
        ...
