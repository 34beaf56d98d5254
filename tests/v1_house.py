"""A database as crypto-wallets-service 1.0.8 left it, its addresses made by other libraries than ours."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from eth_account import Account
from eth_account.hdaccount import key_from_seed
from eth_account.hdaccount.mnemonic import Mnemonic as EthMnemonic
from nacl.signing import SigningKey
from pytoniq_core import Address as TonAddress
from pytoniq_core import Cell, begin_cell
from solders.keypair import Keypair
from tronpy.keys import PrivateKey as TronKey

from tests.postgres_probes import connected
from tests.postgres_probes import query as query_rows
from wallets.chains.ton.code import V4R2_CODE, V4R2_CODE_HASH

SCHEMA = """\
CREATE TABLE master_wallets (
    id uuid PRIMARY KEY, label varchar(255) NOT NULL, encrypted_phrase text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE derived_addresses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), wallet_id uuid NOT NULL, network varchar(20) NOT NULL, address_index integer NOT NULL,
    address varchar(255) NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (wallet_id, network, address_index)
);
CREATE INDEX ON derived_addresses (address);
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), action varchar(100) NOT NULL, wallet_id uuid, status varchar(50) NOT NULL,
    ip_address inet, details jsonb, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON audit_logs (wallet_id);
CREATE INDEX ON audit_logs (created_at);
"""

NETWORKS = ("eth", "tron", "sol", "ton")
BEGIN = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


def address(phrase: str, network: str, index: int) -> str:
    """Return what 1.0.8 derived: a BIP-32 node of secp256k1 for each network, taken as an ed25519 seed on Solana and TON."""
    coin = {"eth": 60, "tron": 195, "sol": 501, "ton": 607}[network]
    node = key_from_seed(EthMnemonic.to_seed(phrase), f"m/44'/{coin}'/0'/0/{index}")
    if network == "eth":
        return str(Account.from_key(node).address)
    if network == "tron":
        return str(TronKey(node).public_key.to_base58check_address())
    if network == "sol":
        return str(Keypair.from_seed(node).pubkey())
    return _ton_address(bytes(SigningKey(node).verify_key))


def _ton_address(public_key: bytes) -> str:
    """Make wallet v4r2's address in workchain 0, bounceable, of the code whose hash is published."""
    code = Cell.one_from_boc(V4R2_CODE)
    assert code.hash == V4R2_CODE_HASH
    data = begin_cell().store_uint(0, 32).store_uint(698983191, 32).store_bytes(public_key).store_bit(0).end_cell()
    state = begin_cell().store_uint(0b00110, 5).store_ref(code).store_ref(data).end_cell()
    return str(TonAddress((0, state.hash)).to_str(is_user_friendly=True, is_url_safe=True, is_bounceable=True))


@dataclass
class V1Database:
    """The database at `url`, whose owner we are. `encrypt` makes the ciphertext of a phrase."""

    url: str
    encrypt: Callable[[str], str]
    phrases: dict[UUID, str] = field(default_factory=dict)

    async def create(self) -> None:
        """Make the tables."""
        await self.execute(SCHEMA)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Do something to it."""
        await self.fetch(statement, *arguments) if arguments else await self._script(statement)

    async def fetch(self, query: str, *arguments: object) -> Sequence[Any]:
        """Ask it something."""
        return await query_rows(self.url, query, *arguments)

    async def add_wallet(
        self, label: str = "customers", *, indexes: Sequence[int] = (0, 1), networks: Sequence[str] = NETWORKS, phrase: str | None = None
    ) -> UUID:
        """Keep a wallet with these accounts of each network, and the audit rows of what was done."""
        wallet_id, phrase = uuid4(), phrase or EthMnemonic().generate(12)
        self.phrases[wallet_id] = phrase
        at = BEGIN + timedelta(seconds=len(self.phrases))
        query = "INSERT INTO master_wallets (id, label, encrypted_phrase, created_at) VALUES ($1, $2, $3, $4)"
        await self.fetch(query, wallet_id, label, self.encrypt(phrase), at)
        await self.add_audit_row("create_wallet", wallet_id, at=at, label=label)
        for network in networks:
            for index in indexes:
                await self.add_address(wallet_id, network, index, at=at + timedelta(seconds=1 + index))
        await self.add_audit_row("sign_transaction", wallet_id, at=at + timedelta(hours=1), network="eth", amount="1.10")
        return wallet_id

    async def add_address(self, wallet_id: UUID, network: str, index: int, text: str | None = None, at: datetime = BEGIN) -> None:
        """Keep an address, the right one unless `text` is another."""
        query = "INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at) VALUES ($1, $2, $3, $4, $5)"
        await self.fetch(query, wallet_id, network, index, text or address(self.phrases[wallet_id], network, index), at)
        await self.add_audit_row("get_address", wallet_id, at=at, network=network, index=index)

    async def add_audit_row(
        self,
        action: str,
        wallet_id: UUID | None,
        status: str = "success",
        ip: str | None = "192.0.2.9",
        at: datetime = BEGIN,
        **details: object,
    ) -> None:
        """Write an audit row."""
        query = """\
            INSERT INTO audit_logs (action, wallet_id, status, ip_address, details, created_at)
            VALUES ($1, $2, $3, $4::text::inet, $5, $6)"""
        await self.fetch(query, action, wallet_id, status, ip, json.dumps(details) if details else None, at)

    async def fingerprint(self) -> Sequence[object]:
        """Return what changes with any row, and with any write at all, also one that was taken back."""
        tables = ("master_wallets", "derived_addresses", "audit_logs")
        query = "SELECT count(*), md5(string_agg(row::text, E'\\n' ORDER BY row.id)) FROM {} AS row"
        sums = [(await self.fetch(query.format(table)))[0] for table in tables]
        pages = [
            (await self.fetch("SELECT pg_relation_filenode($1::regclass), pg_relation_size($1::regclass)", table))[0] for table in tables
        ]
        query = "SELECT max(xmin::text::bigint), max(xmax::text::bigint) FROM "
        versions = [(await self.fetch(query + table))[0] for table in tables]
        schema = await self.fetch("SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
        return [list(map(tuple, group)) for group in (sums, pages, versions, schema)]

    async def _script(self, statements: str) -> None:
        async with connected(self.url) as connection:
            await connection.execute(statements)
