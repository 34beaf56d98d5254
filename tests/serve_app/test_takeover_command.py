"""`import-v1` on real servers: a database of 1.0.8 whose phrases are under a key of Vault's that binds nothing."""

import asyncio
import base64
import itertools
import json
import os
import random
from pathlib import Path

import pytest

from tests.open_vault import OpenVault
from tests.serve_app.records_office import CALLER, RecordsOffice
from tests.servers import RunningServer
from tests.v1_house import NETWORKS, V1Database, address
from wallets.model import Account

POINTS = int(os.environ.get("CHAOS_POINTS", "20")) // 4
"""How often the command is killed. `make chaos` sets it."""

WALLETS, BATCH = 24, 2
LONGEST_DELAY_SECONDS = 0.03

pytestmark = pytest.mark.usefixtures("hardened", "log_as_before")


class Move:
    """Both services: the old one's database and key, and the new one's office."""

    def __init__(self, office: RecordsOffice, v1: V1Database, key: str, url_file: Path) -> None:
        self.office = office
        self.v1 = v1
        self.key = key
        self.arguments = ("import-v1", "--database-url-file", str(url_file), "--vault-key", key)


@pytest.fixture
async def move(database_url: str, empty_database_url: str, reader_url: str, open_vault: RunningServer[OpenVault], tmp_path: Path) -> Move:
    """An empty database of 1.0.8, which the command reads as a role that may only read."""
    vault = open_vault.server
    key = vault.make_key(derived=False)
    transit = vault.root().secrets.transit

    def encrypt(phrase: str) -> str:
        plaintext = base64.b64encode(phrase.encode()).decode()
        return str(transit.encrypt_data(key, plaintext=plaintext)["data"]["ciphertext"])

    v1 = V1Database(empty_database_url, encrypt)
    await v1.create()
    url_file = tmp_path / "v1-url"
    url_file.write_text(reader_url + "\n")
    return Move(RecordsOffice(database_url, vault, vault.make_key(), tmp_path), v1, key, url_file)


async def test_the_new_service_signs_for_old_wallets(move: Move, hardened: list[str]) -> None:
    """After it, the new service gives out the old addresses, and finds them; the old database is as it was."""
    ids = [await move.v1.add_wallet(f"customer {number}") for number in range(3)]
    before = await move.v1.fingerprint()

    result = await move.office.run(*move.arguments)

    assert result.exit_code == 0, result.output
    assert "wallets: 3 found, 3 taken over, 0 here before, 0 not taken over" in result.output
    assert before == await move.v1.fingerprint()
    assert hardened == ["takeover_command"]
    async with move.office.service() as custody:
        for wallet_id in ids:
            for network in NETWORKS:
                for index in (0, 1, 12):  # the last one was never derived before
                    expected = address(move.v1.phrases[wallet_id], network, index)
                    assert expected == (await custody.address(Account(wallet_id, network, index), CALLER)).text
                    assert [Account(wallet_id, network, index)] == await custody.accounts(expected, CALLER)


async def test_reports_for_programs(move: Move) -> None:
    """Each finding is a line of JSON, and the summary is the last; the exit code says that there are differences."""
    bad = await move.v1.add_wallet("bad\nlabel", networks=())
    await move.v1.add_address(bad, "eth", 3, "0x0000000000000000000000000000000000000001")
    odd = await move.v1.add_wallet("odd\nlabel", networks=())

    result = await move.office.run(*move.arguments, "--json")

    difference, note, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert difference == {
        "finding": "address",
        "detail": "the stored address is not the one that the phrase derives",
        "wallet_id": str(bad),
        "network": "eth",
        "index": 3,
        "stored": "0x0000000000000000000000000000000000000001",
        "derived": address(move.v1.phrases[bad], "eth", 3),
    }
    assert (note["finding"], note["wallet_id"], note["stored"]) == ("label", str(odd), "odd\nlabel")
    assert summary["ok"] is False
    assert summary["wallets"] == {"found": 2, "added": 1, "here_before": 0, "refused": 1}
    assert summary["audit_rows"] == {"found": 5, "added": 5, "here_before": 0}


async def test_reports_for_people(move: Move) -> None:
    """Findings are a table, in which what stands in the old database cannot write to the terminal."""
    wallet_id = await move.v1.add_wallet("red \x1b[31m[bold]label", networks=())
    await move.v1.add_address(wallet_id, "eth", 3, "[red]x")

    result = await move.office.run(*move.arguments, "--leave-out-differing")

    assert result.exit_code == 1
    assert "[red]x" in result.output
    assert "red \ufffd[31m[bold]label" in result.output
    assert "\x1b[31m" not in result.output
    assert "1 taken over" in result.output
    assert "differences: 1, notes: 1" in result.output


async def test_another_key_decrypts_nothing_and_is_reported(move: Move, open_vault: RunningServer[OpenVault]) -> None:
    """The wrong key, and one that is not there, take nothing over."""
    await move.v1.add_wallet()

    wrong = await move.office.run(*move.arguments, "--vault-key", open_vault.server.make_key(derived=False))
    missing = await move.office.run(*move.arguments, "--vault-key", "none")

    assert (wrong.exit_code, missing.exit_code) == (1, 1)
    assert "does not decrypt under this key" in wrong.output
    assert await move.office.query("SELECT FROM master_wallets") == []


async def test_the_old_vault_may_be_another(move: Move, open_vault: RunningServer[OpenVault], tmp_path: Path) -> None:
    """With an address, a token and a CA of its own; ours stays where the wallets go."""
    await move.v1.add_wallet()
    token = tmp_path / "old-token"
    token.write_text(open_vault.server.root_token)
    options = ("--vault-address", open_vault.server.tls_address, "--vault-ca-file", str(open_vault.server.ca_file))

    without_token = await move.office.run(*move.arguments, *options)
    malformed = await move.office.run(*move.arguments, "--vault-address", "old-vault", "--vault-token-file", str(token))
    with_token = await move.office.run(*move.arguments, *options, "--vault-token-file", str(token))

    assert (without_token.exit_code, malformed.exit_code, with_token.exit_code) == (2, 2, 0), with_token.output
    assert "--vault-token-file: is needed" in without_token.stderr
    assert malformed.stderr.startswith("--vault-address: ")


async def test_no_secret_is_shown(move: Move, reader_url: str) -> None:
    """Neither phrase, password nor token is in what the command writes, whatever ends it."""
    good, bad = await move.v1.add_wallet(), await move.v1.add_wallet()
    await move.v1.add_address(bad, "eth", 3, "x")
    runs = [
        await move.office.run(*move.arguments),
        await move.office.run(*move.arguments, "--json"),
        await move.office.run("import-v1", "--database-url", reader_url.replace("reads", "wrong-password"), "--vault-key", move.key),
        await move.office.run("import-v1", "--vault-key", move.key, V1_DATABASE_URL="postgresql://me:hush@127.0.0.1:1/x"),
        await move.office.run("import-v1", "--vault-key", move.key, V1_DATABASE_URL="mysql://me:hush@127.0.0.1:1/x"),
    ]

    words = [word for wallet_id in (good, bad) for word in move.v1.phrases[wallet_id].split()]
    output = "".join(run.output + run.stderr for run in runs)
    assert [run.exit_code for run in runs] == [1, 1, 1, 1, 1]
    assert [secret for secret in ("reads@", "wrong-password", "hush") if secret in output] == []
    assert not any(" ".join(pair) in output for pair in itertools.pairwise(words))
    assert "--database-url-file keeps it off" in runs[2].stderr
    assert "--database-url-file keeps it off" not in runs[3].stderr


async def test_says_how_to_name_the_old_database(move: Move, tmp_path: Path) -> None:
    """Not named, named twice, or by a file that is not there."""
    neither = await move.office.run("import-v1")
    both = await move.office.run(*move.arguments, "--database-url", "postgresql://x@127.0.0.1/x")
    nowhere = await move.office.run("import-v1", "--database-url-file", str(tmp_path / "none"))

    assert (neither.exit_code, both.exit_code, nowhere.exit_code) == (2, 2, 2)
    for result in (neither, both):
        assert "--database-url-file" in result.stderr
    assert "the file cannot be read" in nowhere.stderr


@pytest.mark.timeout(60 + 10 * POINTS)
async def test_killed_at_any_point_it_goes_on(move: Move) -> None:
    """Wallets come whole or not at all, and in the end everything is here once, as if it had never been killed."""
    for number in range(WALLETS):
        await move.v1.add_wallet(f"customer {number}", indexes=(0,))
    killed = 0
    for _ in range(POINTS):
        process = await move.office.start(*move.arguments, "--batch-size", str(BATCH))
        assert process.stderr is not None
        for _ in range(random.randint(0, 3)):
            await process.stderr.readline()
        await asyncio.sleep(random.uniform(0, LONGEST_DELAY_SECONDS))
        if process.returncode is None:
            process.kill()
        await process.communicate()
        killed += process.returncode == -9
        await _is_whole(move)

    result = await move.office.run(*move.arguments)

    assert result.exit_code == 0, result.output
    assert killed >= POINTS // 3
    (counts,) = await move.office.query("""\
        SELECT (SELECT count(*) FROM master_wallets), (SELECT count(*) FROM derived_addresses),
            (SELECT count(*) FROM audit_logs WHERE details ? 'v1_0_8'),
            (SELECT count(DISTINCT details #>> '{v1_0_8,id}') FROM audit_logs WHERE details ? 'v1_0_8'),
            (SELECT count(*) FROM audit_logs WHERE action = 'wallet:takeover')""")
    assert tuple(counts) == (WALLETS, 4 * WALLETS, 6 * WALLETS, 6 * WALLETS, WALLETS)
    assert (await move.office.run("prove", "--all")).exit_code == 0


async def _is_whole(move: Move) -> None:
    """See that every wallet that is here has all its addresses and its audit row."""
    rows = await move.office.query("""\
        SELECT (SELECT count(*) FROM derived_addresses WHERE wallet_id = wallet.id),
            (SELECT count(*) FROM audit_logs WHERE wallet_id = wallet.id AND action = 'wallet:takeover') FROM master_wallets AS wallet""")
    assert {tuple(row) for row in rows} <= {(4, 1)}
