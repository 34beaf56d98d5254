"""What the tests of logging in to Vault share."""

import asyncio
from collections.abc import Callable
from typing import Any

from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import Lease, VaultLogin
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.open_vault import OpenVault
from wallets.secret import Mnemonic


class Counted:
    """A login that counts how often it is made."""

    def __init__(self, login: VaultLogin) -> None:
        self._login = login
        self.watched = login.watched
        self.made = 0

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        self.made += 1
        return self._login.log_in(connect)


class Sleeps:
    """A sleep that lasts until the test says so; `waits` are the seconds that were asked for."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._asked = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.waits.append(seconds)
        self._asked.set()
        await self._over.wait()
        self._over.clear()

    async def asleep(self) -> float:
        """Wait until somebody sleeps, and return for how long."""
        await self._asked.wait()
        self._asked.clear()
        return self.waits[-1]

    def wake(self) -> None:
        """End the sleep."""
        self._over.set()


class AppRole:
    """An AppRole of the open Vault that may use one key."""

    def __init__(self, vault: OpenVault, key: str, **options: Any) -> None:
        root = vault.root()
        if "approle/" not in root.sys.list_auth_methods()["data"]:
            root.sys.enable_auth_method("approle")
        self._root, self._name = root, f"role-{key}"
        policies = [vault.load_policy("service", key)]
        root.auth.approle.create_or_update_approle(self._name, token_policies=policies, token_no_default_policy=True, **options)
        self.role_id: str = root.auth.approle.read_role_id(self._name)["data"]["role_id"]

    def secret_id(self) -> str:
        """Make a new secret id."""
        return str(self._root.auth.approle.generate_secret_id(self._name)["data"]["secret_id"])


async def works(client: VaultClient, key: str) -> bool:
    """Tell whether a phrase comes back as it went."""
    transit = VaultTransit(client, TransitKey(key))
    ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    return await transit.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)
