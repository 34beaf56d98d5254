"""A custody with its surroundings in memory, which the custody tests share."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.fake_addresses import FakeAddressCache
from tests.fake_journal import Journal
from tests.fakes import FakeComponent, FakeKeyEncryption
from tests.known_phrase import PHRASE
from tests.records_in_memory import Records
from wallets.derivation import DerivationScheme
from wallets.keyring import Keyring
from wallets.model import (
    Account,
    AuditAction,
    AuditEvent,
    AuditStatus,
    Caller,
    SigningRequest,
    Wallet,
)
from wallets.secret import Phrase

CALLER = Caller("request-1", "192.0.2.1", "key-1")
VECTORS = Path(__file__).parents[1] / "vectors"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def unsigned(network: str, name: str) -> str:
    """Return a payload of a network's vectors, that the known phrase's first account signs."""
    file = {"sol": "solana", "ton": "ton"}[network]
    transactions = json.loads((VECTORS / f"{file}.json").read_text())["transactions"]
    return str(next(each["unsigned_tx"] for each in transactions if each["name"] == name))


@dataclass
class House:
    """A custody with its surroundings, all in memory."""

    journal: Journal = field(default_factory=Journal)
    encryption: FakeKeyEncryption = field(default_factory=FakeKeyEncryption)
    cache: FakeAddressCache = field(default_factory=FakeAddressCache)
    components: list[FakeComponent] = field(default_factory=list)
    now: datetime = NOW
    max_seeds: int = 0

    def __post_init__(self) -> None:
        records = Records(self.journal, self.cache)
        self.store, self.addresses, self.audit, self.lock_signal = records.store, records.addresses, records.audit, records.lock_signal
        self.address_keys, self.shared, self.watcher = records.address_keys, records.shared, records.watcher
        keyring = Keyring(self.store, self.encryption, max_seeds=self.max_seeds)
        self.custody = records.custody(self.encryption, keyring, self.components, lambda: self.now)

    async def known_wallet(self, scheme: DerivationScheme = DerivationScheme.STANDARD) -> Wallet:
        """Import the known phrase, and forget that in the journal."""
        wallet = await self.custody.import_wallet("known", Phrase.of(PHRASE, ""), scheme, CALLER)
        self.journal.events.clear()
        return wallet

    async def sign(self, wallet: Wallet, network: str, payload: str, *, index: int = 0) -> Any:
        """Sign a payload."""
        return await self.custody.sign(SigningRequest(Account(wallet.id, network, index), payload, CALLER))

    def only_event(self) -> AuditEvent:
        """Return the one audit row."""
        (event,) = self.audit.events
        return event


def outcome(event: AuditEvent) -> tuple[AuditAction, AuditStatus, UUID | None]:
    """Return what was done, how it ended, and to which wallet."""
    return event.action, event.status, event.wallet_id
