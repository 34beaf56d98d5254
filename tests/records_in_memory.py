"""What a custody keeps, in memory, and a custody on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fakes import FakeAddressBook, FakeAddressCache, FakeAuditLog, FakeLockSignal, FakeWalletStore, Journal
from wallets.custody import LocalCustody
from wallets.keyring import Keyring
from wallets.policy import AllOf, NamesOurAccount
from wallets.ports import Component, KeyEncryption


@dataclass
class Records:
    """Wallets, addresses, audit rows and locks, which all write into one journal."""

    journal: Journal = field(default_factory=Journal)
    cache: FakeAddressCache = field(default_factory=FakeAddressCache)

    def __post_init__(self) -> None:
        self.store = FakeWalletStore(self.journal)
        self.addresses = FakeAddressBook(self.journal)
        self.audit = FakeAuditLog(self.journal)
        self.lock_signal = FakeLockSignal(self.journal)

    def custody(
        self,
        encryption: KeyEncryption,
        keyring: Keyring,
        components: Sequence[Component],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> LocalCustody:
        """Open a custody on them, with the policy of the service."""
        return LocalCustody(
            store=self.store,
            addresses=self.addresses,
            cache=self.cache,
            audit=self.audit,
            encryption=encryption,
            keyring=keyring,
            lock_signal=self.lock_signal,
            policy=AllOf(NamesOurAccount()),
            components=components,
            now=now,
        )
