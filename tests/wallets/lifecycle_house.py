"""An operator with two backends in memory, which the tests of the keys' lifecycle share."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from adapters.key_backends import KeyBackends
from tests.fake_ciphertexts import FakeCiphertextStore
from tests.fake_journal import Journal
from tests.fakes import FakeAuditLog, FakeKeyEncryption, FakeWalletStore
from tests.wallets.custody_house import CALLER, NOW
from wallets.address_keyring import AddressKeyring
from wallets.derivation import DerivationScheme
from wallets.key_lifecycle import KeyLifecycle, Progress
from wallets.keyring import associated_data
from wallets.model import Account, AuditAction, AuditEvent, AuditStatus, EncryptedMnemonic, SealedAddress, Wallet
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic

ACCOUNT = Account(UUID(int=1), "eth", 0)


@dataclass
class Office:
    """An operator with two backends and a store, all in memory."""

    journal: Journal = field(default_factory=Journal)
    vault: FakeKeyEncryption = field(default_factory=lambda: FakeKeyEncryption("vault"))
    local: FakeKeyEncryption = field(default_factory=lambda: FakeKeyEncryption("local"))
    phrases: dict[UUID, Mnemonic] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = FakeWalletStore(self.journal)
        self.ciphertexts = FakeCiphertextStore(self.store)
        self.audit = FakeAuditLog(self.journal)
        self.keys = KeyLifecycle(self.ciphertexts, self.audit, CALLER, batch_size=3, now=lambda: NOW)

    @property
    def both(self) -> KeyBackends:
        """Decrypt with whichever of the two a ciphertext names."""
        return KeyBackends({"vault": self.vault, "local": self.local}, "local")

    async def keep(self, encryption: FakeKeyEncryption, count: int) -> None:
        """Keep new wallets, and forget their audit rows."""
        for number in range(count):
            wallet = Wallet(uuid4(), f"wallet {number}", DerivationScheme.STANDARD, NOW)
            self.phrases[wallet.id] = Mnemonic(f"phrase of {wallet.id}".encode())
            ciphertext = await encryption.encrypt(self.phrases[wallet.id], associated_data=associated_data(wallet))
            await self.store.add(wallet, ciphertext, AuditEvent(AuditAction.WALLET_CREATE, AuditStatus.OK, wallet.id, CALLER, NOW))
        self.journal.events.clear()

    async def seal(self, encryption: KeyEncryption) -> SealedAddress:
        """Open the address key, made at the first call, and seal an address with it."""
        key = await AddressKeyring(self.ciphertexts.address_keys, encryption).key()
        return key.seal(ACCOUNT, DerivationScheme.STANDARD, "0xabc")

    async def damage_one(self) -> UUID:
        """Put the ciphertext of one wallet into the row of another, and return whose row that is."""
        one, other, *_ = self.store.rows()
        self.store.replace_ciphertext(one.wallet.id, other.ciphertext)
        del self.phrases[one.wallet.id]
        return one.wallet.id

    async def all_decrypt(self, encryption: KeyEncryption) -> bool:
        """Say whether every wallet that is not damaged decrypts to its own phrase."""
        rows = [row for row in self.store.rows() if row.wallet.id in self.phrases]
        items = [EncryptedMnemonic(row.ciphertext, associated_data(row.wallet)) for row in rows]
        return list(await encryption.decrypt_many(items)) == [self.phrases[row.wallet.id] for row in rows]

    def events(self, action: AuditAction) -> Sequence[AuditEvent]:
        """Return the audit rows of an action."""
        return [event for event in self.journal.events if event.action is action]


async def every_step(steps: AsyncIterator[Progress]) -> list[Progress]:
    """Take all steps, and return how far each was."""
    return [progress async for progress in steps]
