"""Fixtures of the room `wallets`."""

import pytest

from tests.wallets.keyring_house import Vault
from wallets import keyring as keyring_module
from wallets.mnemonic import to_seed
from wallets.secret import Mnemonic, Seed


@pytest.fixture
def vault() -> Vault:
    """A keyring's surroundings."""
    return Vault()


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[Seed]:
    """Every seed that is unlocked in the test: it must be closed at some time, and this tells whether it is."""
    made: list[Seed] = []

    def recorded(mnemonic: Mnemonic) -> Seed:
        made.append(to_seed(mnemonic))
        return made[-1]

    monkeypatch.setattr(keyring_module, "to_seed", recorded)
    return made
