"""Take over what 1.0.8 kept: wallets under our own key, addresses once they have been derived again, and the audit log.

Nothing of the source is changed. It can be interrupted anywhere and run again: what is here already is found by its id (an audit row by its
digest), so nothing is taken over twice, and what 1.0.8 has added since is added here.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from wallets.chains import CHAINS
from wallets.derivation import MAX_INDEX, DerivationScheme
from wallets.errors import CorruptCiphertextError, InvalidMnemonicError
from wallets.keyring import associated_data
from wallets.mnemonic import parse, to_seed
from wallets.model import AuditAction, AuditEvent, AuditStatus, Caller, Wallet
from wallets.ports import AuditLog, KeyEncryption
from wallets.proof import Difference, StoredAddress, differences
from wallets.secret import Mnemonic, Seed
from wallets.v1_records import NETWORKS, AuditRow, V1Counts, V1Records, V1Wallet, audit_row_here, label_here

Place = tuple[str, int]
"""Network and index of an account."""

Corrections = dict[Place, str | None]
"""Addresses that are not written here as they stand there: with another spelling, or, under None, not at all."""


class V1Phrases(Protocol):
    """Decrypt what 1.0.8 encrypted."""

    async def decrypt_many(self, ciphertexts: Sequence[str]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """Return each phrase, or why it does not decrypt, in one call to the backend.

        Raises:
            KeyEncryptionUnavailableError: The backend is away, in bounded time.
        """
        ...


class TakeoverBatch(Protocol):
    """Write into one transaction. Every method raises `StoreUnavailableError` when the store is away."""

    async def add_wallet(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """Add a wallet that is not here, with the audit row of it."""
        ...

    async def add_addresses(self, wallet_id: UUID, addresses: Sequence[StoredAddress]) -> int:
        """Add the addresses that are not here, and return how many these were."""
        ...


class TakeoverTarget(Protocol):
    """Where it goes. Every method raises `StoreUnavailableError` when the store is away."""

    async def schemes(self, wallet_ids: Sequence[UUID]) -> Mapping[UUID, DerivationScheme]:
        """Return the schemes of those of the wallets that are here."""
        ...

    async def known(self, wallet_id: UUID, places: Sequence[Place]) -> Mapping[Place, str]:
        """Return those of the wallet's addresses that are here."""
        ...

    def batch(self) -> AbstractAsyncContextManager[TakeoverBatch]:
        """Begin a transaction, which the end of the block commits."""
        ...

    async def add_audit_rows(self, rows: Sequence[AuditRow]) -> int:
        """Add the rows whose digests are not here, and return how many these were; all or none."""
        ...


class Finding(StrEnum):
    """What there is to say about a wallet or an address."""

    ADDRESS = "address"
    """The stored address is not the one that the seed derives."""
    SPELLING = "spelling"
    """The stored address names the derived account in other letters; it is written here as we write it."""
    CIPHERTEXT = "ciphertext"
    """The phrase does not decrypt."""
    PHRASE = "phrase"
    """What decrypts is no BIP-39 phrase."""
    CONFLICT = "conflict"
    """Another wallet or address is here in its place."""
    ORPHAN = "orphan"
    """Addresses belong to no wallet."""
    LABEL = "label"
    """We do not allow the label; the wallet has a legible one here."""


NOTES = frozenset({Finding.LABEL, Finding.SPELLING})
"""What hinders nothing."""


@dataclass(frozen=True, slots=True)
class Report:
    """One finding. `detail` is for people, and quotes no secret."""

    finding: Finding
    detail: str
    wallet_id: UUID | None = None
    network: str | None = None
    index: int | None = None
    stored: str | None = None
    derived: str | None = None


@dataclass(slots=True)
class Summary:
    """How far it is, and what came of it."""

    found: V1Counts = field(default_factory=lambda: V1Counts(0, 0, 0))
    wallets_added: int = 0
    wallets_here: int = 0
    """Were here before, and have nothing new."""
    wallets_refused: int = 0
    addresses_added: int = 0
    audit_rows_added: int = 0
    audit_rows_here: int = 0
    differences: int = 0
    notes: int = 0

    @property
    def wallets_seen(self) -> int:
        """How many of the wallets have been looked at."""
        return self.wallets_added + self.wallets_here + self.wallets_refused


@dataclass(frozen=True, slots=True)
class _Proven:
    """A wallet whose phrase is right, as it will be here."""

    wallet: Wallet
    original_label: str
    mnemonic: Mnemonic
    corrections: Corrections


@dataclass(frozen=True, slots=True)
class Takeover:
    """The use case.

    A wallet that does not decrypt is not taken over, nor is one with an address that differs, unless `leave_out_differing` is set: then it
    is, without that address. `report` is called with each finding, `progress` after each batch.
    """

    source: V1Records
    target: TakeoverTarget
    phrases: V1Phrases
    encryption: KeyEncryption
    audit: AuditLog
    caller: Caller
    report: Callable[[Report], None]
    progress: Callable[[Summary], None] = lambda _: None
    leave_out_differing: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    summary: Summary = field(default_factory=Summary)

    async def run(self) -> Summary:
        """Do it.

        Raises:
            AuditUnavailableError: The audit log is away. What is here by then stays; the same is true of the others.
            KeyEncryptionUnavailableError: A key backend is away.
            StoreUnavailableError: One of the databases is away.
        """
        self.summary.found = await self.source.counts()
        addresses = 0
        async for wallets in self.source.wallets():
            addresses += await self._take_over(wallets)
            self.progress(self.summary)
        if orphans := self.summary.found.addresses - addresses:
            self._tell(Report(Finding.ORPHAN, f"{orphans} addresses belong to no wallet, and are not taken over"))
        async for rows in self.source.audit_rows():
            added = await self.target.add_audit_rows([audit_row_here(row) for row in rows])
            self.summary.audit_rows_added += added
            self.summary.audit_rows_here += len(rows) - added
            self.progress(self.summary)
        return self.summary

    async def _take_over(self, wallets: Sequence[V1Wallet]) -> int:
        """Take over a batch, and return how many addresses its wallets have."""
        here = await self.target.schemes([wallet.id for wallet in wallets])
        looks = [await self._look(wallet, here.get(wallet.id)) for wallet in wallets]
        due = [wallet for wallet, (_, is_due) in zip(wallets, looks, strict=True) if is_due]
        if due:
            with ExitStack() as secrets:
                proven = await self._proven(due, secrets)
                new = [each for each in proven if each.wallet.id not in here]
                sealed = await self.encryption.encrypt_many([(each.mnemonic, associated_data(each.wallet)) for each in new])
            await self._write(proven, {each.wallet.id: ciphertext for each, ciphertext in zip(new, sealed, strict=True)})
        return sum(count for count, _ in looks)

    async def _look(self, wallet: V1Wallet, here: DerivationScheme | None) -> tuple[int, bool]:
        """Compare a wallet with what is here; return how many addresses it has, and whether there is anything to take over."""
        count = known = 0
        conflicts = [] if here in {None, DerivationScheme.V1_0_8} else [Report(Finding.CONFLICT, "another wallet has this id", wallet.id)]
        async for addresses in self.source.addresses(wallet.id):
            count += len(addresses)
            if here is not None:
                found = await self.target.known(wallet.id, [each.place for each in addresses if 0 <= each.index <= MAX_INDEX])
                known += len(found)
                conflicts += [_conflict(wallet.id, each, found[each.place]) for each in addresses if _contradicts(each, found)]
        for conflict in conflicts:
            self._tell(conflict)
        is_due = not conflicts and (here is None or known < count)
        self.summary.wallets_refused += bool(conflicts)
        self.summary.wallets_here += not conflicts and not is_due
        return count, is_due

    async def _proven(self, wallets: Sequence[V1Wallet], secrets: ExitStack) -> Sequence[_Proven]:
        """Return those of the wallets whose phrases decrypt, which close with `secrets`, and derive what is stored."""
        phrases = await self.phrases.decrypt_many([wallet.ciphertext for wallet in wallets])
        for phrase in phrases:
            if isinstance(phrase, Mnemonic):
                secrets.enter_context(phrase)
        proven = []
        for wallet, phrase in zip(wallets, phrases, strict=True):
            if isinstance(phrase, CorruptCiphertextError):
                await self._refuse(wallet, Report(Finding.CIPHERTEXT, "its phrase does not decrypt under this key", wallet.id))
            elif not _is_bip39(phrase):
                await self._refuse(wallet, Report(Finding.PHRASE, "what decrypts is no BIP-39 phrase", wallet.id))
            else:
                corrections = await self._corrections(wallet, phrase)
                if None not in corrections.values() or self.leave_out_differing:
                    here = Wallet(wallet.id, label_here(wallet.label), DerivationScheme.V1_0_8, wallet.created_at)
                    proven.append(_Proven(here, wallet.label, phrase, corrections))
                else:
                    await self._refuse(wallet, None)
        return proven

    async def _corrections(self, wallet: V1Wallet, phrase: Mnemonic) -> Corrections:
        """Derive every address of a wallet again, tell what differs, and return what to write instead."""
        corrections: Corrections = {}
        with await asyncio.to_thread(to_seed, phrase) as seed:
            async for addresses in self.source.addresses(wallet.id):
                for difference in await asyncio.to_thread(_differences, wallet.id, seed, addresses):
                    self._tell(_described(difference))
                    corrections[difference.stored.place] = difference.derived if difference.is_spelling else None
        return corrections

    async def _write(self, proven: Sequence[_Proven], sealed: Mapping[UUID, str]) -> None:
        """Write a batch as one transaction: the wallets that have a ciphertext in `sealed`, and the addresses of all of them."""
        added = 0
        async with self.target.batch() as batch:
            for each in proven:
                wallet = each.wallet
                if wallet.id in sealed:
                    await batch.add_wallet(wallet, sealed[wallet.id], self._event(AuditStatus.OK, wallet.id, _labels(each)))
                async for addresses in self.source.addresses(wallet.id):
                    added += await batch.add_addresses(wallet.id, list(_corrected(addresses, each.corrections)))
        self.summary.addresses_added += added
        self.summary.wallets_added += len(sealed)
        self.summary.wallets_here += len(proven) - len(sealed)
        for each in proven:
            if each.wallet.id in sealed and each.original_label != each.wallet.label:
                detail = "its label is none that we allow; it is in the audit row of the takeover"
                self._tell(Report(Finding.LABEL, detail, each.wallet.id, stored=each.original_label, derived=each.wallet.label))

    async def _refuse(self, wallet: V1Wallet, report: Report | None) -> None:
        """Count a wallet that is not taken over, and write that down; `report` says why, unless it has been told."""
        if report is not None:
            self._tell(report)
        self.summary.wallets_refused += 1
        reason = report.detail if report else "an address is not the one that its phrase derives"
        await self.audit.record(self._event(AuditStatus.FAILED, wallet.id, {"reason": reason}))

    def _event(self, status: AuditStatus, wallet_id: UUID, details: Mapping[str, object]) -> AuditEvent:
        return AuditEvent(AuditAction.WALLET_TAKEOVER, status, wallet_id, self.caller, self.now(), details)

    def _tell(self, report: Report) -> None:
        if report.finding in NOTES:
            self.summary.notes += 1
        else:
            self.summary.differences += 1
        self.report(report)


def _is_bip39(phrase: Mnemonic) -> bool:
    """Tell whether a phrase is one exactly as BIP-39 writes it: written otherwise, it would stretch to another seed."""
    try:
        with parse(phrase.reveal().decode()) as canonical:
            return canonical == phrase
    except (InvalidMnemonicError, UnicodeDecodeError):
        return False


def _differences(wallet_id: UUID, seed: Seed, addresses: Sequence[StoredAddress]) -> Sequence[Difference]:
    return list(differences(wallet_id, seed, DerivationScheme.V1_0_8, addresses, NETWORKS))


def _described(difference: Difference) -> Report:
    stored, derived = difference.stored, difference.derived
    if derived is None:
        finding, detail = Finding.ADDRESS, "1.0.8 has no such account: another network, or an index outside of 0..2^31-1"
    elif difference.is_spelling:
        finding, detail = Finding.SPELLING, "the same account in other letters"
    else:
        finding, detail = Finding.ADDRESS, "the stored address is not the one that the phrase derives"
    return Report(finding, detail, difference.wallet_id, stored.network, stored.index, stored.text, derived)


def _contradicts(stored: StoredAddress, known: Mapping[Place, str]) -> bool:
    """Tell whether the account has another address here, which is not the same in other letters."""
    here = known.get(stored.place)
    return here is not None and here != stored.text and here not in CHAINS[stored.network].normalize(stored.text)


def _conflict(wallet_id: UUID, stored: StoredAddress, here: str) -> Report:
    return Report(Finding.CONFLICT, "the account has another address here", wallet_id, stored.network, stored.index, stored.text, here)


def _corrected(addresses: Sequence[StoredAddress], corrections: Corrections) -> Iterator[StoredAddress]:
    for address in addresses:
        text = corrections.get(address.place, address.text)
        if text is not None:
            yield replace(address, text=text)


def _labels(proven: _Proven) -> Mapping[str, object]:
    wallet = proven.wallet
    original = {} if proven.original_label == wallet.label else {"original_label": proven.original_label}
    return {"label": wallet.label, **original, "scheme": wallet.scheme.value}
