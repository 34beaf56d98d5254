"""What a custody keeps, in memory, and a custody on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.idempotency import answer
from tests.fake_addresses import CountingAddressWatcher, FakeAddressBook, FakeAddressCache, FakeAddressKeys, FakeSharedAddressCache
from tests.fake_answers import FakeAnswerStore
from tests.fake_journal import Journal
from tests.fakes import FakeAuditLog, FakeLockSignal, FakeWalletStore
from wallets.account_keys import AccountKeys
from wallets.address_keyring import AddressKeyring
from wallets.addresses import Addresses
from wallets.auditing import Auditor
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
        self.address_keys = FakeAddressKeys()
        self.shared = FakeSharedAddressCache()
        self.watcher = CountingAddressWatcher()
        self.audit = FakeAuditLog(self.journal)
        self.lock_signal = FakeLockSignal(self.journal)
        self.answers = FakeAnswerStore(self.journal)

    def custody(
        self,
        encryption: KeyEncryption,
        keyring: Keyring,
        components: Sequence[Component],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> LocalCustody:
        """Open a custody on them, with the policy of the service."""
        auditor = Auditor(self.audit, now)
        return LocalCustody(
            store=self.store,
            addresses=self._given_out(auditor, encryption, keyring),
            auditor=auditor,
            encryption=encryption,
            keyring=keyring,
            lock_signal=self.lock_signal,
            answers=self.answers,
            answer_of=answer,
            policy=AllOf(NamesOurAccount()),
            components=components,
        )

    def _given_out(self, auditor: Auditor, encryption: KeyEncryption, keyring: Keyring) -> Addresses:
        address_keyring = AddressKeyring(self.address_keys, encryption, now=auditor.now)
        return Addresses(
            store=self.store,
            book=self.addresses,
            cache=self.cache,
            shared=self.shared,
            address_keyring=address_keyring,
            account_keys=AccountKeys(self.address_keys, keyring, address_keyring, watcher=self.watcher),
            auditor=auditor,
            watcher=self.watcher,
        )
