"""A keyring with its surroundings in memory, which the keyring tests share."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from tests.clock import Clock
from tests.fakes import FakeKeyEncryption
from tests.known_phrase import PHRASE
from wallets.chains import chain_for
from wallets.derivation import DerivationScheme
from wallets.errors import WalletNotFoundError
from wallets.keyring import Keyring, associated_data
from wallets.mnemonic import parse
from wallets.model import Wallet
from wallets.secret import Seed

ETH, SOL, TON = chain_for("eth"), chain_for("sol"), chain_for("ton")


class Ciphertexts:
    """The ciphertexts of the test's wallets."""

    def __init__(self) -> None:
        self.rows: dict[object, str] = {}

    async def encrypted_mnemonic(self, wallet_id: object) -> str:
        """See `EncryptedMnemonics`."""
        await asyncio.sleep(0)
        if wallet_id not in self.rows:
            msg = "no wallet has this id"
            raise WalletNotFoundError(msg)
        return self.rows[wallet_id]


class Vault:
    """A keyring with its surroundings."""

    def __init__(self) -> None:
        self.encryption = FakeKeyEncryption()
        self.ciphertexts = Ciphertexts()
        self.clock = Clock()

    def keyring(self, *, max_seeds: int = 10, ttl_seconds: float = 60) -> Keyring:
        """Make a keyring."""
        return Keyring(self.ciphertexts, self.encryption, max_seeds=max_seeds, ttl_seconds=ttl_seconds, clock=self.clock)

    async def wallet(self, scheme: DerivationScheme = DerivationScheme.STANDARD) -> Wallet:
        """Make a wallet of the known phrase."""
        wallet = Wallet(uuid4(), "wallet", scheme, datetime.now(UTC))
        self.ciphertexts.rows[wallet.id] = await self.encryption.encrypt(parse(PHRASE), associated_data=associated_data(wallet))
        return wallet


def is_closed(seed: Seed) -> bool:
    """Tell whether a secret has been closed."""
    return not seed._buffer


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
