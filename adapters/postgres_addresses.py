"""Keep addresses, and what they are authenticated by and derived from, in PostgreSQL; statements as in `adapters.postgres`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from adapters.database import PostgresDatabase
from adapters.postgres import insert_events, no_wallet, row_of
from wallets.model import Account, AuditEvent, EncryptedAddressKey, SealedAddress

_ADDRESS = "SELECT address, seal FROM derived_addresses WHERE wallet_id = $1 AND network = $2 AND variant = $3 AND address_index = $4"
_ADDRESS_RANGE = """\
SELECT address_index, address, seal FROM derived_addresses
WHERE wallet_id = $1 AND network = $2 AND variant = $3 AND address_index BETWEEN $4 AND $5"""
_ACCOUNTS = "SELECT wallet_id, network, address_index, variant, seal FROM derived_addresses WHERE address = $1 ORDER BY id LIMIT $2"
_PUT_ADDRESSES = """\
INSERT INTO derived_addresses AS kept (wallet_id, network, address_index, variant, address, seal, created_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
ON CONFLICT (wallet_id, network, variant, address_index) DO UPDATE SET address = EXCLUDED.address, seal = EXCLUDED.seal
WHERE (kept.address, kept.seal) IS DISTINCT FROM (EXCLUDED.address, EXCLUDED.seal)
RETURNING wallet_id, network, address_index, variant"""

ADDRESS_KEY = "SELECT number, encrypted_phrase FROM address_keys ORDER BY number DESC LIMIT 1"
_ADD_ADDRESS_KEY = "INSERT INTO address_keys (number, encrypted_phrase, created_at) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING"
_ADDRESS_KEY_OF = "SELECT number, encrypted_phrase FROM address_keys WHERE number = $1"

_ACCOUNT_KEY = "SELECT sealed FROM account_keys WHERE wallet_id = $1 AND path = $2"
_PUT_ACCOUNT_KEY = """\
INSERT INTO account_keys (wallet_id, path, sealed) VALUES ($1, $2, $3)
ON CONFLICT (wallet_id, path) DO UPDATE SET sealed = EXCLUDED.sealed"""


class PostgresAddressBook:
    """See `wallets.ports.AddressBook`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def lookup(self, account: Account) -> SealedAddress | None:
        """See `AddressBook.lookup`."""
        values = (account.wallet_id, account.network, account.variant, account.index)
        async with self._database.connection() as connection:
            record = await connection.fetchrow(_ADDRESS, *values)
        return None if record is None else SealedAddress(*record)

    async def lookup_range(self, first: Account, count: int) -> Mapping[int, SealedAddress]:
        """See `AddressBook.lookup_range`."""
        values = (first.wallet_id, first.network, first.variant, first.index, first.index + count - 1)
        async with self._database.connection() as connection:
            records = await connection.fetch(_ADDRESS_RANGE, *values)
        return {record["address_index"]: SealedAddress(record["address"], record["seal"]) for record in records}

    async def add_all(self, entries: Sequence[tuple[Account, SealedAddress, AuditEvent]]) -> None:
        """See `AddressBook.add_all`."""
        rows = [(each.wallet_id, each.network, each.index, each.variant, new.text, new.seal, event.at) for each, new, event in entries]
        columns = [list(column) for column in zip(*rows, strict=True)]
        async with self._database.connection() as connection:
            try:
                async with connection.transaction():
                    changed = {Account(*record) for record in await connection.fetch(_PUT_ADDRESSES, *columns)}
                    events = [row_of(event) for account, _, event in entries if account in changed]
                    if events:
                        await insert_events(connection, events)
            except asyncpg.ForeignKeyViolationError as error:
                raise no_wallet() from error

    async def accounts(self, address: str, at_most: int) -> Sequence[tuple[Account, SealedAddress]]:
        """See `AddressBook.accounts`."""
        if "\0" in address:  # which no address has, and PostgreSQL's text cannot
            return ()
        async with self._database.connection() as connection:
            records = await connection.fetch(_ACCOUNTS, address, at_most)
        return [(Account(*place), SealedAddress(address, seal)) for *place, seal in records]


class PostgresAddressKeys:
    """See `wallets.ports.AddressKeyStore` and `wallets.ports.AccountKeyStore`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `AddressKeyStore.address_key`."""
        async with self._database.connection() as connection:
            record = await connection.fetchrow(ADDRESS_KEY)
        return None if record is None else EncryptedAddressKey(*record)

    async def add_address_key(self, key: EncryptedAddressKey, at: datetime) -> EncryptedAddressKey:
        """See `AddressKeyStore.add_address_key`."""
        async with self._database.connection() as connection:
            # Where another is adding the same, this waits for its end; the next statement sees what came of it.
            await connection.execute(_ADD_ADDRESS_KEY, key.number, key.ciphertext, at)
            record = await connection.fetchrow(_ADDRESS_KEY_OF, key.number)
        assert record is not None  # keys are never deleted by us
        return EncryptedAddressKey(*record)

    async def account_key(self, wallet_id: UUID, path: str) -> str | None:
        """See `AccountKeyStore.account_key`."""
        async with self._database.connection() as connection:
            sealed: str | None = await connection.fetchval(_ACCOUNT_KEY, wallet_id, path)
        return sealed

    async def put_account_key(self, wallet_id: UUID, path: str, sealed: str) -> None:
        """See `AccountKeyStore.put_account_key`."""
        async with self._database.connection() as connection:
            try:
                await connection.execute(_PUT_ACCOUNT_KEY, wallet_id, path, sealed)
            except asyncpg.ForeignKeyViolationError as error:
                raise no_wallet() from error
