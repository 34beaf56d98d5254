"""A database of 1.0.8 and ours beside it, both real, for tests of the taking over."""

import asyncio
import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.database import PostgresDatabase
from adapters.postgres import PostgresAuditLog
from adapters.takeover import PostgresTakeover
from adapters.v1_database import open_v1_database
from tests.fakes import FakeKeyEncryption
from tests.postgres_probes import query as query_rows
from tests.v1_house import V1Database
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import Caller
from wallets.secret import Mnemonic
from wallets.takeover import Finding, Report, Summary, Takeover

NONCE_BYTES = 12
CALLER = Caller("takeover-1", "", "operator")


class FakeV1Phrases:
    """Encrypt and decrypt phrases as 1.0.8 had Vault do it: bound to nothing."""

    def __init__(self) -> None:
        self._aead = AESGCM(AESGCM.generate_key(bit_length=256))
        self.away = False

    def encrypt(self, phrase: str) -> str:
        """Return what 1.0.8 kept of a phrase."""
        nonce = os.urandom(NONCE_BYTES)
        return "vault:v1:" + base64.b64encode(nonce + self._aead.encrypt(nonce, phrase.encode(), None)).decode()

    async def decrypt_many(self, ciphertexts: Sequence[str]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `wallets.takeover.V1Phrases.decrypt_many`."""
        await asyncio.sleep(0)
        if self.away:
            msg = "the key backend is away"
            raise KeyEncryptionUnavailableError(msg)
        return [self._decrypted(ciphertext) for ciphertext in ciphertexts]

    def _decrypted(self, ciphertext: str) -> Mnemonic | CorruptCiphertextError:
        try:
            sealed = base64.b64decode(ciphertext.removeprefix("vault:v1:"), validate=True)
            return Mnemonic(self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None))
        except (InvalidTag, ValueError):
            return CorruptCiphertextError("the stored ciphertext does not decrypt")


@dataclass
class House:
    """A database of 1.0.8, which we read as a role that may only read, and ours, which is empty."""

    v1: V1Database
    reader_url: str
    database: PostgresDatabase
    url: str
    phrases: FakeV1Phrases
    encryption: FakeKeyEncryption = field(default_factory=FakeKeyEncryption)
    reports: list[Report] = field(default_factory=list)
    wallets_at_once: int = 100

    async def take_over(self, *, leave_out_differing: bool = False) -> Summary:
        """Take over, and keep what is reported."""
        self.reports.clear()
        async with open_v1_database(self.reader_url, self.wallets_at_once) as source:
            return await Takeover(
                source=source,
                target=PostgresTakeover(self.database),
                phrases=self.phrases,
                encryption=self.encryption,
                audit=PostgresAuditLog(self.database),
                caller=CALLER,
                report=self.reports.append,
                leave_out_differing=leave_out_differing,
            ).run()

    async def ours(self, query: str, *arguments: object) -> Sequence[Any]:
        """Ask our database."""
        return await query_rows(self.url, query, *arguments)

    async def addresses(self) -> set[tuple[Any, ...]]:
        """Return the addresses that are here."""
        return {tuple(row) for row in await self.ours("SELECT wallet_id, network, address_index, address FROM derived_addresses")}

    async def wallet_ids(self) -> set[UUID]:
        """Return the wallets that are here."""
        return {row["id"] for row in await self.ours("SELECT id FROM master_wallets")}

    async def taken_over_audit(self) -> Sequence[Any]:
        """Return the audit rows that came from 1.0.8, in the order of our log."""
        return await self.ours("SELECT * FROM audit_logs WHERE details ? 'v1_0_8' ORDER BY id")

    def findings(self) -> list[tuple[Finding, UUID | None]]:
        """Return what was reported, without the words."""
        return [(report.finding, report.wallet_id) for report in self.reports]
