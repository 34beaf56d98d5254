"""Implement every port of `wallets.ports` in memory.

These are real classes that keep the ports' contracts, proved by the contract tests that also run on the adapters. What lies outside
(a database, Vault) can be sent away by setting `away`, and the store and the audit log share one `Journal`, as they share one database.
"""

import asyncio
import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.fake_journal import Journal, write_in_transaction
from wallets.errors import (
    AuditUnavailableError,
    ConflictError,
    CorruptCiphertextError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    StoreUnavailableError,
    WalletNotFoundError,
)
from wallets.model import (
    AuditEvent,
    ComponentHealth,
    EncryptedMnemonic,
    EncryptedWallet,
    HealthStatus,
    KeyVersion,
    KeyVersions,
    Page,
    Position,
    Stretch,
    Wallet,
)
from wallets.secret import Mnemonic

T = TypeVar("T")

_NONCE_BYTES = 12


class FakeWalletStore:
    """Keep wallets in a dictionary, and their audit rows in the journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.away = False
        self._rows: dict[UUID, tuple[Wallet, str]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `wallets.ports.WalletStore.add`."""
        await self._reach()
        if wallet.id in self._rows:
            msg = "a wallet with this id exists"
            raise ConflictError(msg)
        write_in_transaction(self.journal, event)
        self._rows[wallet.id] = (wallet, encrypted_mnemonic)

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `wallets.ports.WalletStore.get`."""
        await self._reach()
        return self._row(wallet_id)[0]

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `wallets.ports.WalletStore.encrypted_mnemonic`."""
        await self._reach()
        return self._row(wallet_id)[1]

    async def page(self, number: int, size: int) -> Page:
        """See `wallets.ports.WalletStore.page`."""
        await self._reach()
        newest_first = self._newest_first()
        return Page(tuple(newest_first[(number - 1) * size : number * size]), number, size, len(newest_first))

    async def older(self, than: Position | None, size: int) -> Stretch:
        """See `wallets.ports.WalletStore.older`."""
        await self._reach()
        older = [wallet for wallet in self._newest_first() if than is None or _place(wallet.position) < _place(than)]
        return Stretch(tuple(older[:size]), len(older) > size)

    def _newest_first(self) -> Sequence[Wallet]:
        return sorted((wallet for wallet, _ in self._rows.values()), key=lambda wallet: _place(wallet.position), reverse=True)

    def rows(self) -> Sequence[EncryptedWallet]:
        """Return every wallet with its ciphertext."""
        return [EncryptedWallet(wallet, ciphertext) for wallet, ciphertext in self._rows.values()]

    def replace_ciphertext(self, wallet_id: UUID, ciphertext: str) -> None:
        """Change a row behind the service's back, as someone with access to the database could."""
        self._rows[wallet_id] = (self._rows[wallet_id][0], ciphertext)

    def _row(self, wallet_id: UUID) -> tuple[Wallet, str]:
        row = self._rows.get(wallet_id)
        if row is None:
            msg = "no wallet has this id"
            raise WalletNotFoundError(msg)
        return row

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailableError("the database is away")


def _place(position: Position) -> tuple[datetime, UUID]:
    return position.created_at, position.wallet_id


class FakeAuditLog:
    """Write audit rows into the journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()

    @property
    def away(self) -> bool:
        """Whether rows are refused, also those that a store or an address book would write."""
        return self.journal.away

    @away.setter
    def away(self, value: bool) -> None:
        self.journal.away = value

    @property
    def events(self) -> Sequence[AuditEvent]:
        """Return the rows, oldest first."""
        return tuple(self.journal.events)

    async def record(self, event: AuditEvent) -> None:
        """See `wallets.ports.AuditLog.record`."""
        await asyncio.sleep(0)
        if self.journal.away:
            msg = "the audit log is away"
            raise AuditUnavailableError(msg)
        self.journal.write(event)

    async def record_all(self, events: Sequence[AuditEvent]) -> None:
        """See `wallets.ports.AuditLog.record_all`."""
        await asyncio.sleep(0)
        if self.journal.away:
            msg = "the audit log is away"
            raise AuditUnavailableError(msg)
        self.journal.write(*events)


class FakeLockSignal:
    """Call whoever follows, and write the audit row into the journal. While it is `away`, nothing is sent."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.away = False
        self._locks: list[Callable[[], object]] = []

    async def send(self, event: AuditEvent) -> None:
        """See `wallets.ports.LockSignal.send`."""
        await asyncio.sleep(0)
        if self.away:
            msg = "the database is away"
            raise StoreUnavailableError(msg)
        write_in_transaction(self.journal, event)
        for lock in self._locks:
            lock()

    async def follow(self, lock: Callable[[], object]) -> NoReturn:
        """See `wallets.ports.LockSignal.follow`."""
        self._locks.append(lock)
        while True:
            await asyncio.get_running_loop().create_future()


class FakeKeyEncryption:
    """Encrypt with AES-256-GCM under random keys of its own, and renew them: both sides of a backend.

    `decryptions` counts; `gate`, while clear, holds decryptions up.
    """

    def __init__(self, backend: str = "fake") -> None:
        self.backend = backend
        self.away = False
        self.decryptions = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._keys = [_new_key()]
        self._oldest_usable = 1

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `wallets.ports.KeyEncryption.encrypt`."""
        (ciphertext,) = await self.encrypt_many([(mnemonic, associated_data)])
        return ciphertext

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `wallets.ports.KeyEncryption.decrypt`."""
        self.decryptions += 1
        await self.gate.wait()
        await self._reach()
        return self._opened(EncryptedMnemonic(ciphertext, associated_data))

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `wallets.ports.KeyEncryption.encrypt_many`."""
        await self._reach()
        return [self._sealed(mnemonic, associated_data) for mnemonic, associated_data in items]

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `wallets.ports.KeyEncryption.decrypt_many`."""
        await self._reach()
        return [_or_corrupt(self._opened, item) for item in items]

    async def versions(self) -> KeyVersions:
        """See `wallets.ports.KeyRotation.versions`."""
        await self._reach()
        return KeyVersions(len(self._keys), self._oldest_usable)

    async def rotate(self) -> int:
        """See `wallets.ports.KeyRotation.rotate`."""
        await self._reach()
        self._keys.append(_new_key())
        return len(self._keys)

    async def rewrap_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[str | CorruptCiphertextError]:
        """See `wallets.ports.KeyRotation.rewrap_many`."""
        await self._reach()
        return [_or_corrupt(lambda each: self._sealed(self._opened(each), each.associated_data), item) for item in items]

    async def set_oldest_usable(self, number: int) -> None:
        """See `wallets.ports.KeyRotation.set_oldest_usable`."""
        await self._reach()
        if not 1 <= number <= len(self._keys):
            msg = f"the key has no version {number}"
            raise InvalidRequestError(msg)
        self._oldest_usable = number

    def _sealed(self, mnemonic: Mnemonic, associated_data: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._keys[-1].encrypt(nonce, mnemonic.reveal(), associated_data)
        return f"{KeyVersion(self.backend, len(self._keys))}:{base64.b64encode(sealed).decode()}"

    def _opened(self, item: EncryptedMnemonic) -> Mnemonic:
        try:
            key = self._usable(item.ciphertext)
            sealed = base64.b64decode(item.ciphertext.removeprefix(f"{key}:"), validate=True)
            decrypted = self._keys[key.number - 1].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], item.associated_data)
            return Mnemonic(decrypted)
        except (InvalidTag, ValueError) as error:
            msg = "the stored ciphertext does not decrypt"
            raise CorruptCiphertextError(msg) from error

    def _usable(self, ciphertext: str) -> KeyVersion:
        key = KeyVersion.of(ciphertext)
        if key is None or key.backend != self.backend or not self._oldest_usable <= key.number <= len(self._keys):
            raise ValueError(ciphertext)
        return key

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            msg = "the key backend is away"
            raise KeyEncryptionUnavailableError(msg)


@dataclass
class FakeComponent:
    """Answer with the health it is given."""

    name: str
    answer: ComponentHealth = field(default_factory=lambda: ComponentHealth(HealthStatus.OK, 0.1))

    async def check(self) -> ComponentHealth:
        """See `wallets.ports.Component.check`."""
        await asyncio.sleep(0)
        return self.answer


def _new_key() -> AESGCM:
    return AESGCM(AESGCM.generate_key(bit_length=256))


def _or_corrupt(call: Callable[[EncryptedMnemonic], T], item: EncryptedMnemonic) -> T | CorruptCiphertextError:
    try:
        return call(item)
    except CorruptCiphertextError as error:
        return error
