"""A keyring with its surroundings in memory, which the keyring tests share."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.clock import Clock
from tests.fakes import FakeKeyEncryption
from tests.known_phrase import PHRASE
from wallets import keyring as keyring_module
from wallets.chains import chain_for
from wallets.derivation import DerivationScheme, derive
from wallets.errors import WalletNotFoundError
from wallets.keyring import Keyring, Watcher, associated_data
from wallets.mnemonic import parse
from wallets.model import Wallet
from wallets.secret import PrivateKey, Secret

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

    def keyring(self, *, max_seeds: int = 10, ttl_seconds: float = 60, watcher: Watcher | None = None) -> Keyring:
        """Make a keyring."""
        return Keyring(self.ciphertexts, self.encryption, max_seeds=max_seeds, ttl_seconds=ttl_seconds, clock=self.clock, watcher=watcher)

    async def wallet(self, scheme: DerivationScheme = DerivationScheme.STANDARD) -> Wallet:
        """Make a wallet of the known phrase."""
        wallet = Wallet(uuid4(), "wallet", scheme, datetime.now(UTC))
        self.ciphertexts.rows[wallet.id] = await self.encryption.encrypt(parse(PHRASE), associated_data=associated_data(wallet))
        return wallet


class CountingWatcher:
    """Remembers the last number of seeds, and counts refused ciphertexts."""

    def __init__(self) -> None:
        self.count = -1
        self.refused = 0

    def seeds_unlocked(self, count: int) -> None:
        """See `Watcher.seeds_unlocked`."""
        self.count = count

    def ciphertext_refused(self) -> None:
        """See `Watcher.ciphertext_refused`."""
        self.refused += 1


def recorded_keys(monkeypatch: pytest.MonkeyPatch) -> list[PrivateKey]:
    """Return a list to which every key that is derived from now on is added."""
    made: list[PrivateKey] = []

    def recorded(*arguments: Any) -> PrivateKey:
        made.append(derive(*arguments))
        return made[-1]

    monkeypatch.setattr(keyring_module, "derive", recorded)
    return made


def is_closed(secret: Secret) -> bool:
    """Tell whether a secret has been closed."""
    return not secret._buffer


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
