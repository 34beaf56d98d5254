"""Wallets in a database, the backends they are under, and the operator's commands as processes of their own."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from typer.testing import CliRunner, Result

from adapters.database import PostgresDatabase
from adapters.key_backends import KeyBackends
from adapters.postgres import PostgresWalletStore
from adapters.postgres_addresses import PostgresAddressKeys
from deployments.key_wiring import open_backends, open_ciphertexts, open_rotation
from deployments.settings import load
from serve_app.cli import app
from serve_app.embedded import EmbeddedVault
from tests.postgres_probes import query as query_rows
from wallets.address_keyring import AddressKeyring
from wallets.chains import chain_for
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.keyring import associated_data
from wallets.mnemonic import generate, to_seed
from wallets.model import AuditAction, AuditEvent, AuditStatus, Caller, EncryptedMnemonic, Wallet
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic

CALLER = Caller("request-1", "192.0.2.1", "key-1")
CRYPTO_WALLETS = str(Path(sys.executable).with_name("crypto-wallets"))

_ETH = chain_for("eth")


@dataclass
class KeyOffice:
    """A database, OpenBao and a key file, and the settings that name them. `addresses` is what each wallet must always derive."""

    environ: Mapping[str, str]
    backends: Mapping[str, KeyEncryption]
    addresses: dict[UUID, str] = field(default_factory=dict)

    @property
    def operators(self) -> Mapping[str, str]:
        """The settings without the right to decrypt."""
        return {name: value for name, value in self.environ.items() if not name.startswith("APP__VAULT__TOKEN")}

    @property
    def both(self) -> KeyBackends:
        """Decrypt under whichever backend a wallet is."""
        return KeyBackends(self.backends, "vault")

    async def keep(self, count: int, backend: str = "vault") -> None:
        """Keep new wallets with fresh mnemonics."""
        made = [(Wallet(uuid4(), "w", DerivationScheme.STANDARD, datetime.now(UTC)), generate(12)) for _ in range(count)]
        ciphertexts = await self.backends[backend].encrypt_many([(phrase, associated_data(wallet)) for wallet, phrase in made])
        async with open_ciphertexts(load(self.environ)) as ciphertext_store:
            store = PostgresWalletStore(ciphertext_store._database)
            for (wallet, phrase), ciphertext in zip(made, ciphertexts, strict=True):
                event = AuditEvent(AuditAction.WALLET_CREATE, AuditStatus.OK, wallet.id, CALLER, wallet.created_at)
                await store.add(wallet, ciphertext, event)
                self.addresses[wallet.id] = _address(wallet, phrase)

    async def keep_address_key(self) -> None:
        """Make the key that authenticates addresses, under Vault's latest version."""
        async with PostgresDatabase(self.environ["APP__DATABASE__URL"]) as database:
            await AddressKeyring(PostgresAddressKeys(database), self.backends["vault"]).key()

    async def rotate(self) -> None:
        """Make a new version of Vault's key."""
        async with open_rotation(load(self.environ)) as rotation:
            await rotation.rotate()

    async def start(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Process:
        """Start a command in a process of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("APP__")}
        chosen = self.environ if environ is None else environ
        return await asyncio.create_subprocess_exec(CRYPTO_WALLETS, *arguments, env=inherited | dict(chosen), stdout=PIPE, stderr=PIPE)

    async def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Result:
        """Run a command to its end, in a thread of this process."""
        inherited = dict.fromkeys((name for name in os.environ if name.startswith("APP__")), None)
        chosen = self.environ if environ is None else environ
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=inherited | dict(chosen))

    async def counts(self) -> Mapping[str, int]:
        """Return how many wallets are under each key version."""
        async with open_ciphertexts(load(self.environ)) as ciphertexts:
            return {str(key): count for key, count in (await ciphertexts.count()).items()}

    async def every_wallet_derives_its_address(self) -> bool:
        """Decrypt every wallet with whichever backend it names, and derive its address again."""
        rows = await self.query("SELECT id, encrypted_phrase FROM master_wallets")
        wallets = [Wallet(row["id"], "w", DerivationScheme.STANDARD, datetime.now(UTC)) for row in rows]
        items = [EncryptedMnemonic(row["encrypted_phrase"], associated_data(wallet)) for row, wallet in zip(rows, wallets, strict=True)]
        phrases = await self.both.decrypt_many(items)
        found = {wallet.id: _address(wallet, phrase) for wallet, phrase in zip(wallets, phrases, strict=True)}
        return found == self.addresses

    async def events(self, action: AuditAction) -> Sequence[Mapping[str, object]]:
        """Return the audit rows of an action in their order: status, who did it, and the details."""
        rows = await self.query("SELECT * FROM audit_logs WHERE action = $1 ORDER BY id", action.value)
        return [{"status": row["status"], "by": row["api_key_id"], **json.loads(row["details"])} for row in rows]

    async def query(self, query: str, *values: object) -> Sequence[Any]:
        """Ask the database."""
        return await query_rows(self.environ["APP__DATABASE__URL"], query, *values)


@asynccontextmanager
async def open_key_office(database_url: str, vault: EmbeddedVault, folder: Path) -> AsyncIterator[KeyOffice]:
    """Open an office on an empty database; `folder` is its data folder."""
    environ = {
        "APP__DATABASE__URL": database_url,
        "APP__DATA_DIR": str(folder),
        "APP__VAULT__ADDRESS": vault.address,
        "APP__VAULT__CA_FILE": str(vault.ca_file),
        "APP__VAULT__TOKEN_FILE": str(vault.token_file),
        "APP__VAULT__OPERATOR_TOKEN_FILE": str(vault.operator_token_file),
    }
    async with open_backends(load(environ)) as backends:
        yield KeyOffice(environ, backends)


def _address(wallet: Wallet, phrase: Mnemonic | Exception) -> str:
    assert isinstance(phrase, Mnemonic)
    path = DerivationPath.parse(_ETH.path(wallet.scheme).format(index=0))
    with phrase, to_seed(phrase) as seed, derive(seed, path, _ETH.curve, wallet.scheme) as key:
        return _ETH.address(key.public_key, wallet.scheme)
