"""Taking over a database of 1.0.8, on a real PostgreSQL on both sides: whole, once, and without a trace in the source."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from adapters import v1_database
from adapters.takeover import PostgresTakeover
from adapters.v1_database import V1DatabaseError, open_v1_database
from tests.adapters.takeover_house import House
from tests.v1_house import BEGIN, V1Database, address
from wallets.derivation import DerivationScheme
from wallets.errors import ConflictError, KeyEncryptionUnavailableError, StoreUnavailableError
from wallets.keyring import associated_data
from wallets.model import Wallet


async def test_wallets_keep_their_ids_labels_times_and_phrases(house: House) -> None:
    """A wallet is here under its old id, and its phrase decrypts bound to it; the ciphertext is ours."""
    wallet_id = await house.v1.add_wallet("Kunden €")

    await house.take_over()

    (row,) = await house.ours("SELECT * FROM master_wallets")
    wallet = Wallet(wallet_id, "Kunden €", DerivationScheme.V1_0_8, BEGIN + timedelta(seconds=1))
    assert (wallet.id, wallet.label, wallet.scheme, wallet.created_at) == (row["id"], row["label"], row["scheme"], row["created_at"])
    with await house.encryption.decrypt(row["encrypted_phrase"], associated_data=associated_data(wallet)) as mnemonic:
        assert house.v1.phrases[wallet_id].encode() == mnemonic.reveal()


async def test_addresses_that_other_libraries_made_are_derived_again_and_kept(house: House) -> None:
    """All accounts of all four networks, up to the last index there is, are here with their times, and nothing is reported."""
    wallet_id = await house.v1.add_wallet(indexes=(0, 1, 7, 2**31 - 1))

    summary = await house.take_over()

    expected = await house.v1.fetch("SELECT wallet_id, network, address_index, address, created_at FROM derived_addresses ORDER BY 2, 3")
    found = await house.ours("SELECT wallet_id, network, address_index, address, created_at FROM derived_addresses ORDER BY 2, 3")
    assert list(map(tuple, expected)) == list(map(tuple, found))
    assert 16 == summary.addresses_added == len(found)
    assert house.reports == []
    assert {wallet_id} == await house.wallet_ids()


async def test_audit_rows_keep_their_time_and_their_original(house: House) -> None:
    """Each row of 1.0.8 is here once, in its order, under our names where we know them, and its original to the letter in the details."""
    wallet_id = await house.v1.add_wallet(networks=())
    await house.v1.add_audit_row("login", None, "throttled", ip=None, at=BEGIN + timedelta(days=1))
    await house.v1.execute(
        """INSERT INTO audit_logs (action, status, details, created_at)
        VALUES ('SIGN', 'Error', '{"big": 123456789012345678901234567890.10, "text": "a\\"b\\\\u00e9"}', '2030-01-01')"""
    )

    summary = await house.take_over()

    rows = await house.taken_over_audit()
    originals = await house.v1.fetch("SELECT created_at, id::text AS key, details::text AS json FROM audit_logs ORDER BY created_at")
    assert [(row["action"], row["status"]) for row in rows] == [
        ("wallet:create", "ok"),
        ("transaction:sign", "ok"),
        ("v1_0_8:login", "v1_0_8:throttled"),
        ("transaction:sign", "failed"),
    ]
    assert [row["created_at"] for row in originals] == [row["created_at"] for row in rows]
    assert [wallet_id, wallet_id, None, None] == [row["wallet_id"] for row in rows]
    kept = await house.ours(
        """\
        SELECT details #>> '{v1_0_8,id}' AS key, details #> '{v1_0_8,details}' AS json
        FROM audit_logs WHERE details ? 'v1_0_8' ORDER BY id"""
    )
    assert [(row["key"], row["json"] or "null") for row in originals] == [(row["key"], row["json"]) for row in kept]
    assert summary.audit_rows_added == 4


async def test_the_source_is_not_changed(house: House) -> None:
    """Rows, versions of rows, files and tables of the source are the same afterwards, also where something is refused."""
    wallet_id = await house.v1.add_wallet()
    await house.v1.add_address(wallet_id, "eth", 5, "0x" + "00" * 20)
    before = await house.v1.fingerprint()

    await house.take_over()
    await house.take_over(leave_out_differing=True)

    assert before == await house.v1.fingerprint()


async def test_the_source_refuses_to_be_written_to(house: House) -> None:
    """Even as the owner of the tables, the session that reads cannot write, inside of its transaction and after it."""
    async with open_v1_database(house.v1.url) as source:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await source._connection.execute("DELETE FROM audit_logs")
        await source._connection.execute("ROLLBACK")

        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await source._connection.execute("DELETE FROM audit_logs")


async def test_a_second_run_adds_what_is_new_and_nothing_twice(house: House) -> None:
    """What 1.0.8 has written between two runs is added to what is here; the rest is left as it is."""
    old, quiet = await house.v1.add_wallet(), await house.v1.add_wallet()
    await house.take_over()
    ciphertexts = dict(await house.ours("SELECT id, encrypted_phrase FROM master_wallets"))
    await house.v1.add_address(old, "ton", 9)
    new = await house.v1.add_wallet()

    second = await house.take_over()
    third = await house.take_over()

    assert (second.wallets_added, second.wallets_here, second.addresses_added) == (1, 2, 9)
    assert (third.wallets_added, third.wallets_here, third.addresses_added, third.audit_rows_added) == (0, 3, 0, 0)
    assert {old, quiet, new} == await house.wallet_ids()
    assert ciphertexts.items() <= dict(await house.ours("SELECT id, encrypted_phrase FROM master_wallets")).items()
    assert (old, "ton", 9, address(house.v1.phrases[old], "ton", 9)) in await house.addresses()
    (count,) = await house.v1.fetch("SELECT count(*) FROM audit_logs")
    assert count[0] == len(await house.taken_over_audit())
    takeovers = await house.ours("SELECT wallet_id FROM audit_logs WHERE action = 'wallet:takeover' AND status = 'ok'")
    assert sorted([old, quiet, new]) == sorted(row["wallet_id"] for row in takeovers)


async def test_batches_end_where_they_may(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read a few at a time, and none is lost at an edge: of fewer, as many, and more than a batch."""
    house.wallets_at_once = 2
    monkeypatch.setattr(v1_database, "ROWS_AT_ONCE", 2)
    ids = [await house.v1.add_wallet(networks=("eth",), indexes=range(count)) for count in (0, 1, 2, 3, 4)]

    summary = await house.take_over()

    assert set(ids) == await house.wallet_ids()
    assert (summary.wallets_added, summary.addresses_added, summary.audit_rows_added) == (5, 10, 20)


async def test_goes_on_where_a_key_backend_was_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken over by then stays, whole; the next run completes it."""
    house.wallets_at_once = 1
    ids = [await house.v1.add_wallet() for _ in range(3)]
    decrypt_many, calls = house.phrases.decrypt_many, iter([False, True])

    async def failing(ciphertexts: Sequence[str]) -> Any:
        house.phrases.away = next(calls)
        return await decrypt_many(ciphertexts)

    monkeypatch.setattr(house.phrases, "decrypt_many", failing)
    with pytest.raises(KeyEncryptionUnavailableError):
        await house.take_over()
    monkeypatch.undo()
    half = await house.wallet_ids()
    house.phrases.away = False

    summary = await house.take_over()

    assert len(half) == 1
    assert (summary.wallets_added, summary.wallets_here) == (2, 1)
    assert set(ids) == await house.wallet_ids()
    assert len(await house.addresses()) == 24


async def test_closes_every_phrase(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of a wallet, its phrase is closed."""
    await house.v1.add_wallet()
    bad = await house.v1.add_wallet()
    await house.v1.add_address(bad, "eth", 5, "0x")
    seen: list[Any] = []
    decrypt_many = house.phrases.decrypt_many

    async def watched(ciphertexts: Sequence[str]) -> Any:
        seen.extend(await decrypt_many(ciphertexts))
        return seen

    monkeypatch.setattr(house.phrases, "decrypt_many", watched)
    await house.take_over()

    assert len(seen) == 2
    for phrase in seen:
        with pytest.raises(ValueError, match="closed"):
            phrase.reveal()


async def test_only_one_takes_over_at_a_time(house: House) -> None:
    """A second process is told, before it has read anything."""
    async with PostgresTakeover(house.database).alone():
        with pytest.raises(ConflictError, match="another process"):
            async with PostgresTakeover(house.database).alone():
                pass

    async with PostgresTakeover(house.database).alone():
        pass


async def test_refuses_what_is_no_database_of_1_0_8(empty_database_url: str, database_url: str) -> None:
    """A database without its tables, with other columns, or of this version is refused with the reason."""
    for url, reason in ((empty_database_url, "no table master_wallets"), (database_url, "of this version")):
        with pytest.raises(V1DatabaseError, match=reason):
            async with open_v1_database(url):
                pass
    v1 = V1Database(empty_database_url, str)
    await v1.create()
    await v1.execute("ALTER TABLE audit_logs DROP COLUMN ip_address")

    with pytest.raises(V1DatabaseError, match="audit_logs has no column ip_address"):
        async with open_v1_database(empty_database_url):
            pass


async def test_says_what_the_role_may_not_read(house: House) -> None:
    """A role without the right to a table is told which; it is not taken for an outage."""
    await house.v1.execute("REVOKE SELECT ON derived_addresses FROM PUBLIC")
    role = house.reader_url.partition("//")[2].partition(":")[0]
    await house.v1.execute(f"REVOKE SELECT ON derived_addresses FROM {role}")  # noqa: S608  # PostgreSQL takes no parameter for a name, and the fixture has made this one of hex digits

    with pytest.raises(V1DatabaseError, match="derived_addresses"):
        await house.take_over()


async def test_says_when_the_source_is_away() -> None:
    """No server, or a URL that is none: an error of ours, in which no password stands."""
    with pytest.raises(StoreUnavailableError, match=r"database of 1\.0\.8"):
        async with open_v1_database("postgresql://me:hush@127.0.0.1:1/x"):
            pass
    with pytest.raises(V1DatabaseError) as raised:
        async with open_v1_database("mysql://me:hush@127.0.0.1:1/x"):
            pass

    assert "hush" not in str(raised.value)


async def test_reads_types_of_other_makes(house: House) -> None:
    """Ids that are numbers, times without a zone and nothing where nothing is known are read as well."""
    await house.v1.execute("""\
        ALTER TABLE audit_logs ALTER id DROP DEFAULT, ALTER id TYPE bigint USING 7, ALTER ip_address TYPE text, ALTER status DROP NOT NULL;
        ALTER TABLE audit_logs ALTER created_at TYPE timestamp, ALTER created_at DROP NOT NULL;
        ALTER TABLE derived_addresses ALTER address_index TYPE bigint;
        INSERT INTO audit_logs (id, action, created_at) VALUES (1, 'sign', '2024-01-01 00:00:00.5'), (2, 'sign', NULL)""")

    await house.take_over()

    rows = await house.taken_over_audit()
    assert [row["created_at"].isoformat() for row in rows] == ["1970-01-01T00:00:00+00:00", "2024-01-01T00:00:00.500000+00:00"]
    assert [json.loads(row["details"])["v1_0_8"]["id"] for row in rows] == ["2", "1"]
