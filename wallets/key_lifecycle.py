"""Renew the keys that encrypt mnemonics, the service's own (`wallets.seals`) included: rotate, rewrap, migrate, retire old versions.

The service goes on meanwhile. Each step can be interrupted anywhere, even by the end of the process, and done again: a wallet's ciphertext
is replaced in one go with the audit row that says so, and only where it is still the one that was read; what has been renewed already is
not due any more.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from wallets.errors import AuditUnavailableError, ConflictError, CorruptCiphertextError, InvalidRequestError, WalletError
from wallets.keyring import associated_data
from wallets.model import (
    AuditAction,
    AuditEvent,
    AuditStatus,
    Caller,
    EncryptedMnemonic,
    EncryptedWallet,
    KeyVersion,
    KeyVersions,
    Replacement,
)
from wallets.ports import AuditLog, CiphertextStore, KeyEncryption, KeyRotation
from wallets.secret import Mnemonic

BATCH_SIZE = 500
"""Wallets that are renewed in one call to the backend and one transaction."""

Renewed = Sequence[str | CorruptCiphertextError]
"""The next ciphertext of each wallet of a batch, or why there is none."""

Renew = Callable[[Sequence[EncryptedMnemonic]], Awaitable[Renewed]]

IsDue = Callable[[KeyVersion | None], bool]
"""Tell whether what is under a key version shall be renewed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: of `due` wallets, `renewed` have their new ciphertext and `failed` cannot have one; the rest is yet to come.

    Some may have been renewed by somebody else at the same time; these count as neither. `is_address_key_lost` says that the key which
    authenticates addresses cannot have a new ciphertext.
    """

    due: int
    renewed: int = 0
    failed: int = 0
    is_address_key_lost: bool = False


@dataclass(frozen=True, slots=True)
class KeyLifecycle:
    """The operator's use cases, each audited as done by `caller`."""

    store: CiphertextStore
    audit: AuditLog
    caller: Caller
    batch_size: int = BATCH_SIZE
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def rotate(self, rotation: KeyRotation) -> int:
        """Make a new version of the backend's key, and return its number.

        It is audited before, because a new version cannot be taken back, and after.

        Raises:
            AuditUnavailableError: Nothing was done, or the new version is there and only its second row is missing.
            KeyEncryptionUnavailableError: The backend is away.
        """
        details: dict[str, object] = {"backend": rotation.backend}
        async with self._audited(AuditAction.KEYS_ROTATE, details):
            details["from"] = (await rotation.versions()).latest
            await self._record(AuditAction.KEYS_ROTATE, AuditStatus.OK, {**details, "step": "asked"})
            number = await rotation.rotate()
        await self._record(AuditAction.KEYS_ROTATE, AuditStatus.OK, {**details, "step": "done", "to": number})
        return number

    async def rewrap(self, rotation: KeyRotation) -> AsyncIterator[Progress]:
        """Bring the wallets under older versions of the backend's key to the latest, and yield progress at first and after each batch.

        The address key comes first. So it does in `migrate`.

        Raises:
            KeyEncryptionUnavailableError: The backend is away; what was renewed stays so.
            StoreUnavailableError: The database is away; the same.
        """
        latest = (await rotation.versions()).latest

        def is_due(key: KeyVersion | None) -> bool:
            return _is_older(key, rotation.backend, latest)

        async for progress in self._renewed(is_due, AuditAction.KEYS_REWRAP, rotation.rewrap_many):
            yield progress

    async def migrate(self, backends: KeyEncryption, target: KeyEncryption, name: str) -> AsyncIterator[Progress]:
        """Bring every wallet that is under another backend to the one called `name`, and yield progress at first and after each batch.

        The mnemonics pass through this process, a batch at a time. Each new ciphertext has been decrypted and compared before it stands
        in the place of the old one.

        Args:
            backends: Decrypts the ciphertexts of every backend.
            target: Encrypts as the backend called `name`.
            name: How its ciphertexts begin.

        Raises:
            KeyEncryptionUnavailableError: A backend is away; what was renewed stays so.
            StoreUnavailableError: The database is away; the same.
        """

        def is_due(key: KeyVersion | None) -> bool:
            return key is None or key.backend != name

        async for progress in self._renewed(is_due, AuditAction.KEYS_MIGRATE, partial(_moved, source=backends, target=target)):
            yield progress

    async def retire(self, rotation: KeyRotation, below: int) -> KeyVersions:
        """Have versions of the backend's key below this one refused from now on, and return what is in effect then.

        Raises:
            ConflictError: A wallet, or the address key, is still under one of them; they stay usable.
            InvalidRequestError: There is no version `below`, or older ones are refused already.
            KeyEncryptionUnavailableError: The backend is away.
            StoreUnavailableError: The database is away.
        """
        details: dict[str, object] = {"backend": rotation.backend, "below": below}
        async with self._audited(AuditAction.KEYS_RETIRE, details):
            before = await rotation.versions()
            details["from"] = before.oldest_usable
            if not before.oldest_usable < below <= before.latest:
                msg = f"versions {before.oldest_usable} to {before.latest} are usable: there is nothing to retire below {below}"
                raise InvalidRequestError(msg)
            await self._refuse_while_used(rotation.backend, below)
            await self._record(AuditAction.KEYS_RETIRE, AuditStatus.OK, {**details, "step": "asked"})
            await rotation.set_oldest_usable(below)
            try:
                # A wallet whose mnemonic was encrypted before a rotation may have been kept only now.
                await self._refuse_while_used(rotation.backend, below)
            except WalletError:
                await rotation.set_oldest_usable(before.oldest_usable)
                raise
        await self._record(AuditAction.KEYS_RETIRE, AuditStatus.OK, {**details, "step": "done"})
        return await rotation.versions()

    async def _refuse_while_used(self, backend: str, below: int) -> None:
        used = {key: count for key, count in (await self.store.count()).items() if _is_older(key, backend, below)}
        if used:
            msg = f"{sum(used.values())} wallets are under {', '.join(map(str, _in_order(used)))}: rewrap them first"
            raise ConflictError(msg)
        address_key = await self.store.address_key()
        if address_key is not None and _is_older(KeyVersion.of(address_key.ciphertext), backend, below):
            msg = f"the address key is under {KeyVersion.of(address_key.ciphertext)}: rewrap it first"
            raise ConflictError(msg)

    async def _renewed(self, is_due: IsDue, action: AuditAction, renew: Renew) -> AsyncIterator[Progress]:
        due = {key: count for key, count in (await self.store.count()).items() if is_due(key)}
        progress = Progress(sum(due.values()))
        async with self._audited(action, {"due": progress.due}):
            yield progress
            # First: who finds that no wallet is left elsewhere relies on the address key not being there either.
            if not await self._renewed_address_key(is_due, action, renew):
                progress = replace(progress, is_address_key_lost=True)
                yield progress
            for key in _in_order(due):
                async for page in self._pages(key):
                    renewed = await renew([EncryptedMnemonic(each.ciphertext, associated_data(each.wallet)) for each in page])
                    progress = await self._kept(progress, key, page, renewed, action)
                    yield progress

    async def _renewed_address_key(self, is_due: IsDue, action: AuditAction, renew: Renew) -> bool:
        """Renew the address key if it is due; return False, having written it down, if it cannot be."""
        kept = await self.store.address_key()
        if kept is None or not is_due(KeyVersion.of(kept.ciphertext)):
            return True
        (new,) = await renew([EncryptedMnemonic(kept.ciphertext, kept.associated_data)])
        details: dict[str, object] = {"address_key": kept.number, "from": str(KeyVersion.of(kept.ciphertext))}
        if isinstance(new, CorruptCiphertextError):
            await self._record(action, AuditStatus.FAILED, {**details, "reason": str(new)})
            return False
        event = self._event(action, AuditStatus.OK, {**details, "to": str(KeyVersion.of(new))})
        await self.store.replace_address_key(kept, new, event)
        return True

    async def _pages(self, key: KeyVersion | None) -> AsyncIterator[Sequence[EncryptedWallet]]:
        after: UUID | None = None
        while page := await self.store.under(key, after=after, size=self.batch_size):
            yield page
            after = page[-1].wallet.id

    async def _kept(
        self, progress: Progress, key: KeyVersion | None, page: Sequence[EncryptedWallet], renewed: Renewed, action: AuditAction
    ) -> Progress:
        """Put the new ciphertexts in the place of the old ones, and write down which wallets have none."""
        pairs = list(zip(page, renewed, strict=True))
        replacements = [Replacement(old.wallet.id, old.ciphertext, new) for old, new in pairs if isinstance(new, str)]
        failures = [(old.wallet.id, new) for old, new in pairs if isinstance(new, CorruptCiphertextError)]
        details: dict[str, object] = {"from": str(key), "first": str(page[0].wallet.id), "last": str(page[-1].wallet.id)}
        if replacements:
            details["to"] = str(KeyVersion.of(replacements[-1].new))

        def audited(count: int) -> AuditEvent:
            return self._event(action, AuditStatus.OK, {**details, "wallets": count})

        count = await self.store.replace(replacements, audited) if replacements else 0
        for wallet_id, error in failures:
            await self._record(action, AuditStatus.FAILED, {"from": str(key), "reason": str(error)}, wallet_id)
        return replace(progress, renewed=progress.renewed + count, failed=progress.failed + len(failures))

    def _event(self, action: AuditAction, status: AuditStatus, details: Mapping[str, object], wallet_id: UUID | None = None) -> AuditEvent:
        return AuditEvent(action, status, wallet_id, self.caller, self.now(), details)

    async def _record(self, action: AuditAction, status: AuditStatus, details: Mapping[str, object], wallet_id: UUID | None = None) -> None:
        await self.audit.record(self._event(action, status, details, wallet_id))

    @asynccontextmanager
    async def _audited(self, action: AuditAction, details: Mapping[str, object]) -> AsyncIterator[None]:
        """Leave an audit row, if one can be written, of an error that ends the block."""
        try:
            yield
        except WalletError as error:
            refused = isinstance(error, InvalidRequestError | ConflictError)
            status = AuditStatus.REFUSED if refused else AuditStatus.FAILED
            with suppress(AuditUnavailableError):
                await self._record(action, status, {**details, "reason": str(error)})
            raise


def _is_older(key: KeyVersion | None, backend: str, number: int) -> bool:
    return key is not None and key.backend == backend and key.number < number


def _in_order(keys: Iterable[KeyVersion | None]) -> Sequence[KeyVersion | None]:
    return sorted(keys, key=lambda key: ("", 0) if key is None else (key.backend, key.number))


async def _moved(items: Sequence[EncryptedMnemonic], *, source: KeyEncryption, target: KeyEncryption) -> Renewed:
    """Encrypt anew what decrypts, and believe only what decrypts to the same again."""
    with ExitStack() as secrets:
        opened = _closing(secrets, await source.decrypt_many(items))
        phrases = [(phrase, item.associated_data) for phrase, item in zip(opened, items, strict=True) if isinstance(phrase, Mnemonic)]
        ciphertexts = await target.encrypt_many(phrases)
        sealed = [EncryptedMnemonic(new, bound) for new, (_, bound) in zip(ciphertexts, phrases, strict=True)]
        again = _closing(secrets, await target.decrypt_many(sealed))
        verified = [
            new.ciphertext if phrase == copy else CorruptCiphertextError("the new ciphertext does not decrypt to the same")
            for new, (phrase, _), copy in zip(sealed, phrases, again, strict=True)
        ]
    moved = iter(verified)
    return [next(moved) if isinstance(each, Mnemonic) else each for each in opened]


def _closing(secrets: ExitStack, phrases: Sequence[Mnemonic | CorruptCiphertextError]) -> Sequence[Mnemonic | CorruptCiphertextError]:
    """Have every mnemonic closed with the stack."""
    for phrase in phrases:
        if isinstance(phrase, Mnemonic):
            secrets.enter_context(phrase)
    return phrases
