"""The drill: a service is backed up while it works, its database is lost, and everything signs as before in a new one."""

import asyncio
import os
import stat
from pathlib import Path
from uuid import UUID

import pytest

from tests.known_phrase import PHRASE
from tests.open_vault import OpenVault
from tests.serve_app.records_office import CALLER, RecordsOffice, signed, transactions
from tests.servers import RunningServer
from wallets.custody import LocalCustody
from wallets.derivation import DerivationScheme
from wallets.errors import WalletError
from wallets.model import Account
from wallets.secret import Phrase

WITHOUT_VAULT = {"APP__VAULT__ADDRESS": "", "APP__VAULT__TOKEN_FILE": ""}

pytestmark = pytest.mark.usefixtures("hardened", "log_as_before")


@pytest.fixture
def office(database_url: str, open_vault: RunningServer[OpenVault], tmp_path: Path) -> RecordsOffice:
    """A service with an empty database."""
    vault = open_vault.server
    return RecordsOffice(database_url, vault, vault.make_key(), tmp_path)


@pytest.fixture
def new_office(office: RecordsOffice, empty_database_url: str, open_vault: RunningServer[OpenVault], tmp_path: Path) -> RecordsOffice:
    """The same service, with a database that has not even tables."""
    return RecordsOffice(empty_database_url, open_vault.server, office.environ["APP__VAULT__KEY_ID"], tmp_path)


async def test_a_lost_database_comes_back(office: RecordsOffice, new_office: RecordsOffice, tmp_path: Path) -> None:
    """Back up while it writes, lose the database, restore: addresses, signatures and the audit log are those of before."""
    file = tmp_path / "backup.jsonl.gz"
    async with office.service() as custody:
        ids = [(await custody.create_wallet(f"wallet {length}", length, CALLER)).id for length in (12, 24)]
        ids += [(await custody.import_wallet("old", Phrase.of(PHRASE, ""), DerivationScheme.V1_0_8, CALLER)).id]
        unsigned = {wallet_id: await transactions(custody, wallet_id) for wallet_id in ids}
        signatures = {wallet_id: await signed(custody, wallet_id, unsigned[wallet_id]) for wallet_id in ids}
        before = await office.audit()
        writing = asyncio.create_task(_write(custody, ids[0]))
        made = await office.run("backup", str(file))
        writing.cancel()
    after = await office.audit()
    verified = await office.run("backup", "--verify", str(file), APP__DATABASE__URL="", **WITHOUT_VAULT)
    await _destroy(office)

    restored = await new_office.run("restore", str(file))

    assert made.exit_code == 0, made.output
    assert verified.exit_code == 0, verified.output
    assert "holds: 3 wallets, " in verified.output
    assert "1.0.8" not in verified.output
    assert restored.exit_code == 0, restored.output
    assert "proven: 3 wallets decrypt" in restored.output
    audit = await new_office.audit()
    assert before.items() <= audit.items() <= after.items()
    assert len(after) > len(before)
    async with new_office.service() as custody:
        assert signatures == {wallet_id: await signed(custody, wallet_id, unsigned[wallet_id]) for wallet_id in ids}
        page = await custody.list_wallets(1, 10)
        assert {wallet.id for wallet in page.wallets} == set(ids)
    assert (await new_office.run("prove", "--all")).exit_code == 0


async def _write(custody: LocalCustody, wallet_id: UUID) -> None:
    index = 2
    while True:
        await custody.address(Account(wallet_id, "eth", index), CALLER)
        index += 1


async def _destroy(office: RecordsOffice) -> None:
    await office.query("DROP SCHEMA public CASCADE")


async def test_the_file_is_for_its_owner_and_never_overwrites(office: RecordsOffice, tmp_path: Path) -> None:
    """It has mode 0600 whatever the umask, nothing else remains in the folder, and a second backup of the same name is refused."""
    file = tmp_path / "here" / "backup"
    file.parent.mkdir()
    umask = os.umask(0)
    try:
        first = await office.run("backup", str(file))
    finally:
        os.umask(umask)
    content = file.read_bytes()

    second = await office.run("backup", str(file))

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert f"{file} exists" in second.stderr
    assert content == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["backup"]


async def test_a_backup_that_fails_leaves_nothing(office: RecordsOffice, tmp_path: Path) -> None:
    """No database, or no folder: the reason, the exit code 1, and no file."""
    folder = tmp_path / "here"
    folder.mkdir()

    away = await office.run("backup", str(folder / "backup"), APP__DATABASE__URL="postgresql://x@127.0.0.1:1/x")
    nowhere = await office.run("backup", str(folder / "none" / "backup"))

    assert (away.exit_code, nowhere.exit_code) == (1, 1)
    assert "the database is away" in away.stderr
    assert "cannot be written: No such file or directory" in nowhere.stderr
    assert list(folder.iterdir()) == []


async def test_says_that_the_key_is_not_in_it(office: RecordsOffice, tmp_path: Path) -> None:
    """Whoever makes a backup is told, every time, what else must be kept, and by what name."""
    made = await office.run("backup", str(tmp_path / "backup"))

    assert "The key is not in this file" in made.output
    assert office.environ["APP__VAULT__KEY_ID"] in made.output


async def test_damaged_and_foreign_files_are_refused(office: RecordsOffice, new_office: RecordsOffice, tmp_path: Path) -> None:
    """By `--verify` and by `restore`, before anything is written."""
    async with office.service() as custody:
        await custody.create_wallet("kept", 12, CALLER)
    file = tmp_path / "backup"
    await office.run("backup", str(file))
    data = file.read_bytes()
    flipped = data[:200] + bytes([data[200] ^ 1]) + data[201:]
    for name, content in {"cut": data[:-1], "long": data + b"\n", "flipped": flipped, "foreign": b"PK"}.items():
        path = tmp_path / name
        path.write_bytes(content)

        verified = await new_office.run("backup", "--verify", str(path))
        restored = await new_office.run("restore", str(path))

        assert (verified.exit_code, restored.exit_code) == (1, 1)
        assert "backup" in restored.stderr
    assert await new_office.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


async def test_is_not_restored_over_anything(office: RecordsOffice, tmp_path: Path) -> None:
    """The database that was backed up is not empty, so it stays as it is."""
    async with office.service() as custody:
        await custody.create_wallet("kept", 12, CALLER)
    await office.run("backup", str(tmp_path / "backup"))
    before = await office.audit()

    restored = await office.run("restore", str(tmp_path / "backup"))

    assert restored.exit_code == 1
    assert "the database is not empty" in restored.stderr
    assert before == await office.audit()


@pytest.mark.parametrize(
    "changes", [{"APP__VAULT__ADDRESS": "http://127.0.0.1:1"}, {"APP__VAULT__ADDRESS": "", "APP__VAULT__TOKEN_FILE": ""}]
)
async def test_without_the_key_it_is_restored_and_not_proven(
    office: RecordsOffice, new_office: RecordsOffice, tmp_path: Path, changes: dict[str, str]
) -> None:
    """Vault away, or not configured: the rows are there, the exit code 3 says that nothing is proven, and `prove` does it later."""
    async with office.service() as custody:
        wallet = await custody.create_wallet("kept", 12, CALLER)
    await office.run("backup", str(tmp_path / "backup"))

    restored = await new_office.run("restore", str(tmp_path / "backup"), **changes)

    assert restored.exit_code == 3, restored.output
    assert "restored, but not proven" in restored.stderr
    assert [row["id"] for row in await new_office.query("SELECT id FROM master_wallets")] == [wallet.id]
    assert (await new_office.run("prove", **changes)).exit_code == 3
    assert (await new_office.run("prove")).exit_code == 0


async def test_under_another_key_it_is_restored_and_said_to_be_worthless(
    office: RecordsOffice, new_office: RecordsOffice, open_vault: RunningServer[OpenVault], tmp_path: Path
) -> None:
    """A Vault that was set up anew has another key: no wallet decrypts, and the exit code says so."""
    async with office.service() as custody:
        wallet = await custody.create_wallet("kept", 12, CALLER)
    await office.run("backup", str(tmp_path / "backup"))

    restored = await new_office.run("restore", str(tmp_path / "backup"), APP__VAULT__KEY_ID=open_vault.server.make_key())

    assert restored.exit_code == 1
    assert "1 wallet does not decrypt" in restored.stderr
    assert str(wallet.id) in restored.output


async def test_a_process_that_sees_phrases_is_hardened(
    office: RecordsOffice, new_office: RecordsOffice, hardened: list[str], tmp_path: Path
) -> None:
    """`restore` and `prove` decrypt; `backup` does not."""
    await office.run("backup", str(tmp_path / "backup"))
    assert hardened == []

    await new_office.run("restore", str(tmp_path / "backup"))
    await new_office.run("prove")

    assert len(hardened) == 2


async def test_an_address_that_was_exchanged_is_found(office: RecordsOffice) -> None:
    """`prove` names the account, with both addresses."""
    async with office.service() as custody:
        wallet = await custody.create_wallet("kept", 12, CALLER)
        right = (await custody.address(Account(wallet.id, "sol", 0), CALLER)).text
    await office.query("UPDATE derived_addresses SET address = 'elsewhere'")

    proven = await office.run("prove")

    assert proven.exit_code == 1
    assert [str(wallet.id), "sol", "0", "elsewhere", right] in [line.split() for line in proven.output.splitlines()]
    assert "1 address is not what its wallet derives" in proven.stderr
    with pytest.raises(WalletError):
        async with office.service() as custody:
            await custody.accounts(right, CALLER)


@pytest.mark.parametrize("command", [["backup"], ["restore", "x"], ["prove"], ["import-v1"]])
async def test_says_which_database_is_missing(office: RecordsOffice, command: list[str]) -> None:
    """Without a database and without a service that runs here there is nothing to work on."""
    result = await office.run(*command, APP__DATABASE__URL="", **WITHOUT_VAULT)

    assert result.exit_code == 2
    assert "APP__DATABASE__URL: is not set, and no service runs on" in result.stderr
