"""A service on real servers, in this process, and the commands that work on all of its records beside it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from typer.testing import CliRunner, Result

from api.observability import Metrics
from deployments.settings import load
from deployments.wiring import open_custody
from serve_app.cli import app
from serve_app.samples import sample
from tests.open_vault import OpenVault
from tests.postgres_probes import query as query_rows
from wallets.chains import CHAINS
from wallets.custody import LocalCustody
from wallets.model import Account, Caller, SigningRequest

CALLER = Caller("request-1", "192.0.2.7", "key-1")
CRYPTO_WALLETS = str(Path(sys.executable).with_name("crypto-wallets"))


class RecordsOffice:
    """A database and a key in Vault, and the settings that name them; `folder` is for files."""

    def __init__(self, database_url: str, vault: OpenVault, key: str, folder: Path) -> None:
        self.url = database_url
        token = folder / "token"
        token.write_text(vault.root_token)
        self.environ: dict[str, str] = {
            "APP__DATABASE__URL": database_url,
            "APP__DATA_DIR": str(folder / "data"),
            "APP__VAULT__ADDRESS": vault.address,
            "APP__VAULT__TOKEN_FILE": str(token),
            "APP__VAULT__KEY_ID": key,
        }

    @asynccontextmanager
    async def service(self) -> AsyncIterator[LocalCustody]:
        """Serve from this process, as a replica does."""
        async with open_custody(load(self.environ), Metrics(None), None) as custody:
            yield custody

    async def run(self, *arguments: str, **changes: str) -> Result:
        """Run a command to its end, in a thread of this process."""
        inherited = dict.fromkeys((name for name in os.environ if name.startswith("APP__")), None)
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=inherited | self.environ | changes)

    async def start(self, *arguments: str) -> Process:
        """Start a command in a process of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("APP__")}
        return await asyncio.create_subprocess_exec(CRYPTO_WALLETS, *arguments, env=inherited | self.environ, stdout=PIPE, stderr=PIPE)

    async def query(self, query: str, *values: object) -> Sequence[Any]:
        """Ask the database."""
        return await query_rows(self.url, query, *values)

    async def audit(self) -> Mapping[int, str]:
        """Return every audit row to the letter, by its number."""
        return {row["id"]: row["text"] for row in await self.query("SELECT id, row::text AS text FROM audit_logs AS row")}


async def transactions(custody: LocalCustody, wallet_id: UUID) -> Mapping[str, str]:
    """Return an unsigned transaction of the wallet's first account on every network."""
    made = {}
    for chain in CHAINS.values():
        sender, recipient = [(await custody.address(Account(wallet_id, chain.network, index), CALLER)).text for index in (0, 1)]
        made[chain.network] = sample(chain, sender, recipient).hex()
    return made


async def signed(custody: LocalCustody, wallet_id: UUID, unsigned: Mapping[str, str]) -> Mapping[str, bytes]:
    """Sign each with the wallet's first account."""
    requests = [SigningRequest(Account(wallet_id, network, 0), text, CALLER) for network, text in unsigned.items()]
    return {request.account.network: (await custody.sign(request)).signed.raw for request in requests}
