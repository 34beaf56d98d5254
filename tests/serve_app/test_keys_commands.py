"""What an operator does with the keys, by the command line, on real servers."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from api.observability import Metrics
from deployments.requirements import require_dependencies
from deployments.settings import load
from deployments.wiring import open_custody
from serve_app.embedded import EmbeddedVault
from tests.serve_app.key_office import CALLER, KeyOffice, open_key_office
from tests.servers import RunningServer
from wallets.model import Account, AuditAction, SigningRequest

UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"

pytestmark = pytest.mark.usefixtures("hardened", "log_as_before")


@pytest.fixture
async def office(database_url: str, vault_server: RunningServer[EmbeddedVault], tmp_path: Path) -> AsyncIterator[KeyOffice]:
    """An office without wallets, whose data folder is the test's."""
    async with open_key_office(database_url, vault_server.server, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("backend", ["vault", "local"])
async def test_rotate_rewrap_and_retire(office: KeyOffice, backend: str) -> None:
    """With the rights of the operator alone, every wallet gets under a new version, and older versions go out of use."""
    environ = {**office.operators, "APP__KEYS__BACKEND": backend}
    if backend == "local":
        assert (await office.run("keys", "migrate", "--to", "local")).exit_code == 0
    await office.keep(5, backend)

    rotated = await office.run("keys", "rotate", environ=environ)
    early = await office.run("keys", "retire", "--below", str(await _latest(office, environ)), environ=environ)
    rewrapped = await office.run("keys", "rewrap", "--batch-size", "2", environ=environ)
    latest = await _latest(office, environ)
    retired = await office.run("keys", "retire", "--below", str(latest), environ=environ)

    assert (rotated.exit_code, early.exit_code, rewrapped.exit_code, retired.exit_code) == (0, 1, 0, 0)
    assert f"{backend}:v{latest} encrypts from now on" in rotated.output
    assert f"5 wallets are under {backend}:v{latest - 1}: rewrap them first" in early.stderr
    assert rewrapped.output.splitlines() == [f"rewrapped {done} of 5 wallets" for done in (0, 2, 4, 5)]
    assert f"versions {latest} to {latest} decrypt, older ones are refused" in retired.output
    assert {f"{backend}:v{latest}": 5} == dict(await office.counts())
    assert await office.every_wallet_derives_its_address()


async def _latest(office: KeyOffice, environ: dict[str, str]) -> int:
    return int(json.loads((await office.run("keys", "status", "--json", environ=environ)).output)["latest"])


@pytest.mark.parametrize(
    ("backend", "arguments", "sees_mnemonics"),
    [
        ("vault", ["rewrap"], False),
        ("local", ["rewrap"], True),
        ("vault", ["migrate", "--to", "local"], True),
        ("vault", ["rotate"], False),
        ("vault", ["status"], False),
    ],
)
async def test_a_process_that_sees_mnemonics_is_hardened(
    office: KeyOffice, hardened: list[str], backend: str, arguments: list[str], *, sees_mnemonics: bool
) -> None:
    """Once, before it has any."""
    await office.run("keys", "migrate", "--to", "local")
    hardened.clear()

    result = await office.run("keys", *arguments, environ={**office.environ, "APP__KEYS__BACKEND": backend})

    assert result.exit_code == 0
    assert ["keys_commands"] * sees_mnemonics == hardened


async def test_progress_is_a_bar_on_a_terminal(office: KeyOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full at the end, with the sum below it."""
    await office.keep(4)
    await office.run("keys", "rotate")
    screen = io.StringIO()
    monkeypatch.setattr("serve_app.keys_commands.open_console", lambda: Console(file=screen, force_terminal=True, width=80))

    assert (await office.run("keys", "rewrap", "--batch-size", "2")).exit_code == 0

    assert "4/4" in screen.getvalue()
    assert screen.getvalue().endswith("rewrapped 4 of 4 wallets\n")


async def test_what_was_done_is_audited(office: KeyOffice) -> None:
    """Each row says who did it: the user of the system, from the command line."""
    await office.keep(1)

    for arguments in (["rotate"], ["rewrap"], ["migrate", "--to", "local"], ["retire", "--below", "10000"]):
        await office.run("keys", *arguments)

    steps = {action: await office.events(action) for action in AuditAction if action.startswith("keys:")}
    assert [event.get("step") for event in steps[AuditAction.KEYS_ROTATE]] == ["asked", "done"]
    assert [event["wallets"] for event in steps[AuditAction.KEYS_REWRAP]] == [1]
    assert [event["to"] for event in steps[AuditAction.KEYS_MIGRATE]] == ["local:v1"]
    assert [event["status"] for event in steps[AuditAction.KEYS_RETIRE]] == ["refused"]
    assert {str(event["by"]).split(":")[0] for events in steps.values() for event in events} == {"os-user"}


async def test_status_shows_the_wallets_of_each_version(office: KeyOffice) -> None:
    """And under which the address key is: for people with what to do about them, for programs as JSON."""
    await office.run("keys", "migrate", "--to", "local")
    await office.keep(1, "local")
    await office.keep(2)
    await office.keep_address_key()
    await office.run("keys", "rotate")
    await office.keep(3)

    shown = await office.run("keys", "status")
    found = json.loads((await office.run("keys", "status", "--json")).output)

    latest = found["latest"]
    assert {"local:v1": 1, f"vault:v{latest - 1}": 2, f"vault:v{latest}": 3} == found["wallets"]
    assert (found["backend"], found["address_key"]) == ("vault", f"vault:v{latest - 1}")
    assert [" ".join(line.split()) for line in shown.output.splitlines()[2:]] == [
        "local:v1 1 moved by `keys migrate --to vault`",
        f"vault:v{latest - 1} 2 renewed by `keys rewrap`",
        f"vault:v{latest} 3",
        f"vault:v{latest - 1} the address key renewed by `keys rewrap`",
    ]


async def test_without_the_operators_token_status_shows_what_it_can(office: KeyOffice) -> None:
    """The wallets are counted by the database; what would change something is refused."""
    await office.keep(2)
    environ = {name: value for name, value in office.environ.items() if "OPERATOR" not in name}

    found = json.loads((await office.run("keys", "status", "--json", environ=environ)).output)
    refused = [await office.run("keys", *arguments, environ=environ) for arguments in (["rotate"], ["rewrap"], ["retire", "--below", "2"])]

    assert sum(found["wallets"].values()) == 2
    assert found["latest"] is None
    assert "APP__VAULT__OPERATOR_TOKEN" in found["detail"]
    assert {(each.exit_code, each.stderr.startswith("APP__VAULT__OPERATOR_TOKEN: is not set")) for each in refused} == {(2, True)}


async def test_signing_goes_on_while_wallets_are_rewrapped_moved_and_retired(office: KeyOffice) -> None:
    """A service that keeps no seed, and so decrypts for each signature, never fails one; afterwards old versions are of no use."""
    await office.keep(60)
    service = {"APP__SERVER__API_KEY": "0123456789abcdef", "APP__KEYRING__MAX_SEEDS": "0", "APP__DATABASE__MIN_CONNECTIONS": "1"}
    settings = require_dependencies(load({**office.environ, **service}))
    async with open_custody(settings, Metrics(None), None) as custody:
        signed, done = 0, asyncio.Event()

        async def sign(wallets: list[UUID]) -> None:
            nonlocal signed
            while not done.is_set():
                for wallet_id in wallets:
                    result = await custody.sign(SigningRequest(Account(wallet_id, "eth", 0), UNSIGNED, CALLER))
                    assert result.address == office.addresses[wallet_id]
                    signed += 1

        wallets = list(office.addresses)
        signing = [asyncio.create_task(sign(wallets[start::2])) for start in range(2)]
        while not signed:  # with connections made, signing is quick enough to be seen between two batches
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in signing)
        assert (await office.run("keys", "rotate", environ=office.operators)).exit_code == 0
        meanwhile = []
        for arguments in (["rewrap"], ["migrate", "--to", "local"], ["migrate", "--to", "vault"]):
            before = signed
            assert (await office.run("keys", *arguments, "--batch-size", "2")).exit_code == 0
            meanwhile.append(signed - before)
        latest = await _latest(office, dict(office.environ))
        assert (await office.run("keys", "retire", "--below", str(latest), environ=office.operators)).exit_code == 0
        after = signed
        while signed < after + len(wallets):
            await asyncio.sleep(0)
            assert not any(task.done() for task in signing)
        done.set()
        await asyncio.gather(*signing)

    assert all(meanwhile)
    assert {f"vault:v{latest}": 60} == dict(await office.counts())


async def test_damaged_wallets_are_left_and_told(office: KeyOffice) -> None:
    """The others are renewed; the exit code says that not all is well."""
    await office.keep(3)
    one, other, *_ = office.addresses
    await office.query("UPDATE master_wallets SET encrypted_phrase = (SELECT encrypted_phrase FROM master_wallets WHERE id = $2) "
                       "WHERE id = $1", one, other)  # fmt: skip
    await office.run("keys", "rotate")

    results = [await office.run("keys", *arguments) for arguments in (["rewrap"], ["migrate", "--to", "local"])]

    assert {result.exit_code for result in results} == {1}
    assert {"1 wallet stays as it is" in result.stderr for result in results} == {True}
    counts = await office.counts()
    assert counts["local:v1"] == 2
    assert sum(counts.values()) == 3


async def test_a_lost_key_file_is_not_replaced(office: KeyOffice, tmp_path: Path) -> None:
    """With wallets under it, no new one is made: it would look as if all were well."""
    await office.keep(2)
    assert (await office.run("keys", "migrate", "--to", "local")).exit_code == 0
    await office.keep(1)
    (tmp_path / "local-keys.json").rename(tmp_path / "lost")

    refused = await office.run("keys", "migrate", "--to", "local")

    assert refused.exit_code == 1
    assert refused.stderr == "the key file is gone, and 2 wallets can be decrypted by nothing else: restore it from a copy\n"
    assert not (tmp_path / "local-keys.json").exists()


async def test_there_is_no_moving_to_a_key_file_in_production(office: KeyOffice) -> None:
    """Nor a local backend at all."""
    await office.keep(1)

    refused = await office.run("keys", "migrate", "--to", "local", environ={**office.environ, "APP__ENV": "production"})

    assert (refused.exit_code, refused.stderr) == (2, "the backend `local` is not configured here, or is refused in production\n")


async def test_a_database_that_is_away_is_told(office: KeyOffice) -> None:
    """By every command, and none changes a key."""
    environ = {**office.environ, "APP__DATABASE__URL": "postgresql://me:hush-hush@127.0.0.1:1/wallets"}
    latest = await _latest(office, dict(office.environ))

    for arguments in (["status"], ["rotate"], ["rewrap"], ["migrate", "--to", "local"], ["retire", "--below", "2"]):
        result = await office.run("keys", *arguments, environ=environ)
        assert result.exit_code == 1
        assert "hush" not in result.output + result.stderr

    assert latest == await _latest(office, dict(office.environ))


async def test_a_service_must_run_or_be_named(tmp_path: Path, office: KeyOffice) -> None:
    """Without a database and a service there is nothing to work on."""
    result = await office.run("keys", "status", environ={"APP__DATA_DIR": str(tmp_path / "none")})

    assert result.exit_code == 2
    assert "APP__DATABASE__URL: is not set, and no service runs on" in result.stderr
