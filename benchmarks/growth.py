"""Does work cost more as the database grows: signing, and listing wallets by page and by cursor?

Each size is a database of its own, with the application under uvicorn on it, so that Serve's own cost hides nothing. The audit rows are
all in the partition that signing writes into. Everything that was filled in is dropped at the end.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from adapters.migrations import migrate
from benchmarks import wallet
from benchmarks.house import Target
from benchmarks.session import USUAL_CONNECTIONS, Session, Size
from serve_app.embedded import EmbeddedPostgres

QUESTION = "growth"
SIGN = "sign"
FIRST_PAGE, MIDDLE_PAGE = "first page", "page in the middle"
FIRST_CURSOR, MIDDLE_CURSOR = "by cursor, newest", "by cursor, in the middle"

_NETWORK = "eth"
_PER_PAGE = 5
"""The smallest database has two pages of it, so that every answer holds as many."""
_ROWS_AT_ONCE = 500_000
_STATEMENT_SECONDS = 600.0

_FILL_WALLETS = """\
INSERT INTO master_wallets (id, label, scheme, encrypted_phrase, created_at)
SELECT gen_random_uuid(), 'benchmark', scheme, left(encrypted_phrase, 9) || left(repeat(md5(n::text), 99), length(encrypted_phrase) - 9),
    created_at - n * interval '1 second'
FROM master_wallets, generate_series(1, $1) AS n"""
_FILL_ADDRESSES = """\
INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at)
SELECT id, 'eth', 1, '0x' || md5(id::text) || '01234567', created_at FROM master_wallets"""
_FILL_AUDIT = """\
WITH first AS (SELECT * FROM audit_logs WHERE action = 'transaction:sign' ORDER BY id LIMIT 1),
    kept AS (SELECT array_agg(id) AS ids FROM master_wallets)
INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
SELECT action, status, ids[1 + n * 7919 % cardinality(ids)], md5(n::text), ip_address, api_key_id, details,
    date_trunc('month', now(), 'UTC') + (now() - date_trunc('month', now(), 'UTC')) * n / $3::float8
FROM first, kept, generate_series($1::bigint, $2::bigint) AS n"""


@dataclass(frozen=True, slots=True)
class Grown:
    """A target on a database of some size, and the files of its requests by what they ask for."""

    target: Target
    requests: dict[str, Path]


def measure(session: Session) -> None:
    """Fill a database of each size, then give each its turn with every request."""
    if not session.scale.growth:
        session.tell(f"{QUESTION}: in the full form only")
        return
    with ExitStack() as stack:
        grown = {each.target.name: each for size in session.scale.growth for each in [stack.enter_context(_grown(session, size))]}
        targets = [each.target for each in grown.values()]
        for request in (SIGN, FIRST_PAGE, MIDDLE_PAGE, FIRST_CURSOR, MIDDLE_CURSOR):
            session.tell(f"{QUESTION}: {request}")
            for target in targets:
                session.warm_up(target, grown[target.name].requests[request])
            for _, target in session.interleaved(targets):
                case = {"target": target.name, "request": request, "connections": str(USUAL_CONNECTIONS)}
                session.closed(QUESTION, case, target, grown[target.name].requests[request], connections=USUAL_CONNECTIONS)


@contextmanager
def _grown(session: Session, size: Size) -> Iterator[Grown]:
    session.tell(f"{QUESTION}: filling {size}")
    postgres = EmbeddedPostgres(session.house.folder / "service" / "postgres")
    name = f"grown_{size.wallets}_{size.audit_rows}"
    asyncio.run(_execute(postgres.superuser_url, f"CREATE DATABASE {name} OWNER wallets"))
    try:
        url = postgres.url_of("wallets", name)
        asyncio.run(migrate(url))
        with session.house.another_uvicorn(str(size), url) as target:
            wallet_id = _signed_once(target)
            asyncio.run(_fill(url, size))
            asyncio.run(_execute(postgres.url_of("postgres", name), "VACUUM (ANALYZE)", "CHECKPOINT"))
            yield Grown(target, _requests(session, target, wallet_id, size))
    finally:
        asyncio.run(_execute(postgres.superuser_url, f"DROP DATABASE {name} WITH (FORCE)"))


def _signed_once(target: Target) -> str:
    """Import the wallet that signs, and have its first row written, after which the others are made."""
    wallet_id = wallet.import_wallet(target)
    target.client.post(f"/api/v1/wallets/{wallet_id}/sign", json.loads(wallet.sign_bodies(_NETWORK)[0]))
    return wallet_id


def _requests(session: Session, target: Target, wallet_id: str, size: Size) -> dict[str, Path]:
    listed = f"/api/v1/wallets?per_page={_PER_PAGE}"
    middle = f"{listed}&page={size.wallets // _PER_PAGE // 2}"
    cursor = target.client.fetch(middle)["next_cursor"]
    paths = {
        FIRST_PAGE: f"{listed}&page=1",
        MIDDLE_PAGE: middle,
        FIRST_CURSOR: f"{listed}&cursor=",
        MIDDLE_CURSOR: f"{listed}&cursor={cursor}",
    }
    lists = {name: session.requests(target, name, path) for name, path in paths.items()}
    return lists | {SIGN: session.requests(target, SIGN, f"/api/v1/wallets/{wallet_id}/sign", wallet.sign_bodies(_NETWORK))}


async def _fill(url: str, size: Size) -> None:
    connection = await asyncpg.connect(url, command_timeout=_STATEMENT_SECONDS)
    await connection.execute(_FILL_WALLETS, size.wallets - 1)
    await connection.execute(_FILL_ADDRESSES)
    for first in range(1, size.audit_rows + 1, _ROWS_AT_ONCE):
        await connection.execute(_FILL_AUDIT, first, min(first + _ROWS_AT_ONCE - 1, size.audit_rows), size.audit_rows)
    await connection.close()


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
