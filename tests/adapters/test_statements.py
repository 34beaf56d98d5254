"""No statement of a request costs more as the database grows: PostgreSQL explains each one, on tables with many rows."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import adapters
from adapters import idempotency, lock_signal, nonces, postgres, postgres_addresses
from tests.servers import RunningServer
from wallets.model import Account

REQUESTS = (postgres, postgres_addresses, lock_signal, idempotency, nonces)
"""What a replica runs for requests, and while it waits for them."""

OTHERS = {
    "audit_partitions": "a few times a day; looks at partitions, not at rows",
    "backup": "reads everything",
    "kept_wallets": "proves; reads what it proves",
    "migrations": "reads its own table, a row for each migration",
    "postgres_keys": "renews keys: an operator's",
    "takeover": "an operator's, and only once",
    "v1_database": "another database",
}
"""Modules with statements that no request runs, and why."""

FEW_ROWS = {"address_keys", "keyring_lock", "wallet_counts"}
"""Tables of one row, or a few: reading all of them is the quickest way."""

_VERBS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ")

_FILL = """\
INSERT INTO master_wallets SELECT gen_random_uuid(), 'x', 'standard', 'vault:v1:' || md5(n::text), now() - n * interval '1 s'
FROM generate_series(1, 20000) AS n;
INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at)
SELECT id, 'eth', 0, md5(id::text), now() FROM master_wallets;
INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
SELECT 'transaction:sign', 'ok', id, '', '', '', '{}', now() FROM master_wallets;
INSERT INTO account_keys (wallet_id, path, sealed) SELECT id, 'm', 'aesgcm:v1:x' FROM master_wallets;
INSERT INTO idempotent_requests SELECT sha256(n::text::bytea), sha256(''), gen_random_uuid(), now() - n * interval '1 s', '{}'
FROM generate_series(1, 20000) AS n;
INSERT INTO signed_nonces (chain, address, nonce, digest, is_replacement, signed_at)
SELECT 'evm:1', md5(n::text), n::text, sha256(n::text::bytea), false, now() FROM generate_series(1, 20000) AS n;
ANALYZE account_keys, master_wallets, derived_addresses, audit_logs, idempotent_requests, signed_nonces"""


def arguments(account: Account, address: str) -> Mapping[str, tuple[Any, ...]]:
    """Return values for each statement as a request gives them, of a wallet that there is."""
    at, wallet_id = datetime.now(UTC), account.wallet_id
    event = (["a"], ["ok"], [wallet_id], ["r"], ["ip"], ["k"], ["{}"], [at])
    return {
        "_INSERT_WALLET": (uuid4(), "label", "standard", "vault:v1:x", at),
        "_WALLETS": ([wallet_id, uuid4()],),
        "_CIPHERTEXTS": ([wallet_id, uuid4()],),
        "_COUNT": (),
        "_PAGE": (20, 0),
        "_OLDER": (at, wallet_id, 21),
        "_ADDRESS": (wallet_id, account.network, account.variant, account.index),
        "_ADDRESS_RANGE": (wallet_id, account.network, account.variant, account.index, account.index + 99),
        "_ACCOUNTS": (address, 1_000),
        "_PUT_ADDRESSES": ([wallet_id], [account.network], [8], [account.variant], ["0x8"], ["blake2b:v1:x"], [at]),
        "ADDRESS_KEY": (),
        "_ADD_ADDRESS_KEY": (1, "vault:v1:x", at),
        "_ADDRESS_KEY_OF": (1,),
        "_ACCOUNT_KEY": (wallet_id, "m/44'/60'/0'"),
        "_PUT_ACCOUNT_KEY": (wallet_id, "m/44'/60'/0'", "aesgcm:v1:x"),
        "_INSERT_EVENTS": event,
        "_CLAIM": (b"n" * 32, b"f" * 32, uuid4(), 86_400.0, 30.0),
        "_KEPT": (b"n" * 32,),
        "_RELEASE": (b"n" * 32, uuid4()),
        "_ANSWER": (b"n" * 32, uuid4(), b"{}"),
        "_PRUNE": (86_400.0, 1_000),
        "_USE": (["evm:1"], ["0x1"], ["1"], [b"d" * 32], [False], [at]),
        "_EPOCH": (),
        "_MOVE_ON": ("a channel",),
    }


def constants(module: ModuleType) -> Mapping[str, str]:
    """Return the statements that a module has as constants, by name."""
    return {name: value for name, value in vars(module).items() if isinstance(value, str) and value.startswith(_VERBS)}


def statements(tree: ast.AST) -> int:
    """Count the texts in a module, or in a part of it, that are statements."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return sum(text.lstrip().startswith(_VERBS) for text in texts)


STATEMENTS = {name: sql for module in REQUESTS for name, sql in constants(module).items()}


@pytest.fixture(scope="module")
def filled_url(postgres_server: RunningServer[Any]) -> Iterator[str]:
    """A database with many wallets, addresses and audit rows, which no test changes."""
    name = f"filled_{uuid4().hex}"
    asyncio.run(_execute(postgres_server.server.superuser_url, f"CREATE DATABASE {name} TEMPLATE wallets OWNER wallets"))
    url = postgres_server.server.url_of("wallets", name)
    asyncio.run(_execute(url, _FILL))
    yield url
    asyncio.run(_execute(postgres_server.server.superuser_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def connection(filled_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to it."""
    connection = await asyncpg.connect(filled_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_request_reads_what_it_needs(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    """Every statement finds its rows by an index, planned for its values and for any."""
    known = await connection.fetchrow("SELECT wallet_id, address FROM derived_addresses LIMIT 1")
    assert known is not None
    values = arguments(Account(known["wallet_id"], "eth", 0), known["address"])[name]

    custom = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {STATEMENTS[name]}", *values)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE statement AS {STATEMENTS[name]}")
    nothing = f"({', '.join('NULL' for _ in values)})" if values else ""
    generic = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE statement{nothing}")

    assert set(_scanned(json.loads(custom)[0]["Plan"])) <= FEW_ROWS
    assert set(_scanned(json.loads(generic)[0]["Plan"])) <= FEW_ROWS


async def test_a_statement_without_an_index_is_found(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The check of the test before fails on one."""
    explained = await connection.fetchval("EXPLAIN (FORMAT JSON) SELECT id FROM master_wallets WHERE label = $1", "y")

    assert list(_scanned(json.loads(explained)[0]["Plan"])) == ["master_wallets"]


def test_no_statement_is_forgotten() -> None:
    """Every statement of these modules is a constant, and a module with statements is one of these or is left out for a reason."""
    trees = {path.stem: ast.parse(path.read_text()) for path in Path(adapters.__path__[0]).glob("*.py")}
    requests = {module.__name__.rpartition(".")[2] for module in REQUESTS}
    functions = [node for name in requests for node in ast.walk(trees[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert {name for name, tree in trees.items() if statements(tree)} == requests | OTHERS.keys()
    assert sum(statements(function) for function in functions) == 0
    assert STATEMENTS.keys() == arguments(Account(uuid4(), "eth", 0), "").keys()


def _scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables that a plan reads from the first row to the last."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _scanned(child)
