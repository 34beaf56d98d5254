"""The command line."""

import io
import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog
from rich.console import Console
from typer.testing import CliRunner, Result

from deployments.settings import ConfigurationError, load, variables
from serve_app.banner import banner
from serve_app.cli import app
from serve_app.folder_lock import folder_lock
from serve_app.machine import Machine
from serve_app.ports import free_ports
from serve_app.progress import Progress
from serve_app.samples import sample
from serve_app.server_home import default_data_folder
from serve_app.state import ChildState, MachineState, Phase, write_state
from serve_app.supervisor import Event
from tests.api.conftest import API_KEY, CountingLimiter, World
from tests.serve_app.running_service import running
from wallets.chains import CHAINS
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.mnemonic import parse, to_seed

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command with these `APP__*` and a data folder of its own."""
    inherited = dict.fromkeys((name for name in os.environ if name.startswith("APP__")), None)

    def invoke(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**inherited, "APP__DATA_DIR": str(tmp_path / "data"), **settings})

    return invoke


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Take back what the command line does to the log."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_check_config_shows_every_value_but_no_secret(run: Run) -> None:
    """Every variable is listed with its value in effect; secrets are redacted, whether they come from a variable or from a file."""
    result = run("check-config", APP__SERVER__PORT="3210", APP__DATABASE__URL="postgresql://me:hush-hush@db/wallets")

    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()[1:]}
    assert result.exit_code == 0
    assert set(rows) == {variable.name for variable in variables()}
    assert rows["APP__SERVER__PORT"][:2] == ["3210", "set"]
    assert rows["APP__DATABASE__URL"][:2] == ["<redacted>", "set"]
    assert rows["APP__DATABASE__POOL_SIZE"][:2] == ["20", "default"]
    assert "hush" not in result.output


@pytest.mark.parametrize("command", ["check-config", "up", "migrate", "status", "demo"])
def test_wrong_settings_are_refused_by_every_command(run: Run, command: str) -> None:
    """An unknown name gets a suggestion, a malformed value its reason; the exit code is 2, and nothing is shown of the value."""
    result = run(command, APP__SERVER__PROT="3000", APP__DATABASE__POOL_SIZE="many-and-secret")

    assert result.exit_code == 2
    assert "APP__SERVER__PROT: there is no such setting; did you mean APP__SERVER__PORT?" in result.stderr
    assert "APP__DATABASE__POOL_SIZE: " in result.stderr
    assert "many-and-secret" not in result.output


@pytest.mark.parametrize("command", [["status"], ["demo"]])
def test_says_that_nothing_runs(run: Run, command: list[str], tmp_path: Path) -> None:
    """Without a service the commands that need one say where they looked, and make nothing there."""
    result = run(*command)

    assert result.exit_code == 1
    assert f"no service runs on {tmp_path}/data; start it with `crypto-wallets up`" in result.stderr
    assert not (tmp_path / "data").exists()


def test_status_as_json_says_that_nothing_runs(run: Run) -> None:
    """A program gets JSON in this case too."""
    result = run("status", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


def test_up_says_who_has_the_port(run: Run, tmp_path: Path) -> None:
    """A port that is taken ends `up` before it has started anything."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        result = run("up", APP__SERVER__PORT=str(port))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"port {port} on 127.0.0.1 is taken by ")
    assert f"(pid {os.getpid()})" in result.stderr
    assert not (tmp_path / "data" / "postgres").exists()


def test_up_refuses_a_folder_in_use(run: Run, data: Path) -> None:
    """The process that holds the folder is named."""
    with folder_lock(data):
        result = run("up")

    assert result.exit_code == 1
    assert f"{data} is in use by process {os.getpid()}" in result.stderr


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/none"])
def test_up_says_that_a_data_folder_cannot_be(run: Run, tmp_path: Path, name: str) -> None:
    """A data folder that is a file, or cannot be made, is one line and no traceback."""
    (tmp_path / "file").touch()

    result = run("up", APP__DATA_DIR=str(tmp_path / name))

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert Path(name).parts[0] in result.stderr


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["postgres", "redis", "vault", "ray"]),
        ({"APP__REDIS__ENABLED": "false"}, ["postgres", "vault", "ray"]),
        ({"APP__REDIS__URL": "redis://r"}, ["postgres", "vault", "ray"]),
        ({"APP__DATABASE__URL": "postgresql://p"}, ["postgres", "redis", "vault", "ray"]),
        ({"APP__VAULT__ADDRESS": "http://v", "APP__VAULT__TOKEN": "t"}, ["postgres", "redis", "ray"]),
        ({"APP__DATABASE__URL": "postgresql://p", "APP__VAULT__ADDRESS": "http://v", "APP__VAULT__TOKEN": "t"}, ["redis", "ray"]),
    ],
)
def test_starts_what_is_not_configured(tmp_path: Path, settings: Mapping[str, str], names: list[str]) -> None:
    """Each server that no variable names is a child; an OpenBao of ours brings its PostgreSQL along."""
    machine = Machine(load(settings), settings, tmp_path, print)

    assert [unit.name for unit in machine.units()] == names


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"APP__VAULT__ADDRESS": "http://v"}, "APP__VAULT__TOKEN"),
        ({"APP__VAULT__TOKEN": "t"}, "APP__VAULT__ADDRESS"),
        ({"APP__VAULT__KEY_ID": "another"}, "APP__VAULT__KEY_ID"),
    ],
)
def test_refuses_half_a_vault(tmp_path: Path, settings: Mapping[str, str], variable: str) -> None:
    """A Vault that is named in part, or a key that ours does not have, is refused before anything starts."""
    with pytest.raises(ConfigurationError, match=rf"^{variable}"):
        Machine(load(settings), settings, tmp_path, print)


def test_makes_an_api_key_once(tmp_path: Path) -> None:
    """Without a configured key one is made, long and for the owner's eyes, and it is the same at the next start."""
    keys = [Machine(load({}), {}, tmp_path, print).api_key() for _ in range(2)]

    assert keys[0] is not None
    assert len(keys[0]) == 64
    assert keys[0] == keys[1]
    assert stat.S_IMODE((tmp_path / "api-key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"APP__SERVER__API_KEY": "configured-api-key"}, "configured-api-key"), ({"APP__SERVER__ALLOW_UNAUTHENTICATED": "true"}, None)],
)
def test_makes_no_api_key_where_none_is_needed(tmp_path: Path, settings: Mapping[str, str], key: str | None) -> None:
    """A configured key is used, and none is made where none is asked for."""
    machine = Machine(load(settings), settings, tmp_path, print)

    assert machine.api_key() == key
    assert not list(tmp_path.iterdir())
    assert "api_key_file" not in machine.facts()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
        ("::", "http://[::1]:3000"),
    ],
)
def test_names_an_address_that_clients_here_can_reach(tmp_path: Path, host: str, url: str) -> None:
    """A service on all addresses is reached by loopback."""
    settings = {"APP__SERVER__HOST": host}

    assert Machine(load(settings), settings, tmp_path, print).url == url


def test_migrate_brings_the_schema_up_to_date(run: Run, empty_database_url: str) -> None:
    """The first run applies the migrations, the second has nothing to do."""
    first, second = (run("migrate", APP__DATABASE__URL=empty_database_url) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "migrations applied: " in first.output
    assert second.output == "the schema is up to date\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "APP__DATABASE__URL: is not set"),
        ({"APP__DATABASE__URL": "mysql://me:hush-hush@127.0.0.1/wallets"}, "APP__DATABASE__URL: is no URL that starts with postgresql://"),
        ({"APP__DATABASE__URL": "postgresql://me:hush-hush@127.0.0.1:1/wallets"}, "cannot be reached, or refuses us"),
    ],
)
def test_migrate_says_why_it_cannot(run: Run, settings: Mapping[str, str], message: str) -> None:
    """What keeps it from migrating is one line without the password."""
    result = run("migrate", **settings)

    assert result.exit_code != 0
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hush" not in result.output


@pytest.mark.parametrize("network", CHAINS)
def test_samples_are_transfers_that_are_signed(network: str) -> None:
    """The sample of every network decodes whole, sends one base unit to the recipient, and is signed by the sender."""
    chain, scheme, seed = CHAINS[network], DerivationScheme.STANDARD, to_seed(parse("abandon " * 11 + "about"))
    paths = [DerivationPath.parse(chain.paths[scheme].format(index=index)) for index in (0, 1)]
    sender_key, recipient_key = (derive(seed, path, chain.curve, scheme) for path in paths)
    sender, recipient = (chain.address(key.public_key, scheme) for key in (sender_key, recipient_key))

    transaction = chain.decode(sample(chain, sender, recipient))

    assert [(transfer.recipient, transfer.amount) for transfer in transaction.intent.transfers] == [(recipient, 1)]
    assert transaction.intent.warnings == ()
    assert transaction.sign(sender_key).tx_id


def test_demo_signs_on_every_network(run: Run, data: Path) -> None:
    """The demo creates a wallet and shows, for each network, the sender, the transaction's id and what it does."""
    with running(World()) as url:
        write_state(data / "state.json", _state(url))

        result = run("demo", APP__SERVER__API_KEY=API_KEY)

    rows = {words[0]: words for words in map(str.split, result.output.splitlines()) if words and words[0] in CHAINS}
    assert result.exit_code == 0, result.stderr
    assert set(rows) == set(CHAINS)
    assert "transfer: 0.000000000000000001 ETH to 0x" in " ".join(rows["eth"])
    assert rows["sol"][1:3] != ["", ""]


def test_demo_waits_where_the_service_limits(run: Run, data: Path) -> None:
    """An answer of 429 is not the end of it; the call is repeated when the service says."""
    limiter = RefusesOne()

    with running(World(limiter=limiter)) as url:
        write_state(data / "state.json", _state(url))
        result = run("demo", APP__SERVER__API_KEY=API_KEY)

    assert result.exit_code == 0
    assert len(limiter.keys) == 2 + 3 * len(CHAINS)


def test_demo_says_why_the_service_refuses(run: Run, data: Path) -> None:
    """A wrong key is the service's own message."""
    with running(World()) as url:
        write_state(data / "state.json", _state(url))

        result = run("demo", APP__SERVER__API_KEY="not-the-key-of-this-service")

    assert result.exit_code == 1
    assert result.stderr.startswith("the service answers 401: ")


def test_status_shows_children_replicas_and_health(run: Run, data: Path) -> None:
    """All is well when every child is ready, there is a replica, and every component is ok; then the exit code is 0."""
    replica = "exec -a ray::ServeReplica:wallets:WalletService sleep 1000"
    with running(World()) as url, subprocess.Popen(["bash", "-c", f"({replica}) & echo; wait"], stdout=subprocess.PIPE) as ray:
        assert ray.stdout is not None
        ray.stdout.readline()
        write_state(data / "state.json", _state(url, ChildState("ray", Phase.READY, ray.pid, "2026-11-24T10:00:01+00:00")))

        table, content = run("status"), run("status", "--json")
        for process in psutil.Process(ray.pid).children():
            process.kill()

    answer = json.loads(content.stdout)
    assert (table.exit_code, content.exit_code) == (0, 0)
    assert answer["ok"] is True
    assert [child["name"] for child in answer["children"]] == ["ray"]
    assert len(answer["replicas"]) == 1
    assert answer["health"]["components"]["database"] == "ok"
    assert all(word in table.output for word in ("ray", "ready", "database", "MiB", str(ray.pid)))


def test_status_fails_when_a_component_is_away(run: Run, data: Path) -> None:
    """The service runs, but something is not well: it is shown, and the exit code is 1."""
    with running(World()) as url:
        write_state(data / "state.json", _state(url, ChildState("ray", Phase.RESTARTING, restarts=3)))

        result = run("status", "--json")

    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["ok"], answer["children"][0]["phase"], answer["replicas"]) == (False, "restarting", [])


def test_status_shows_that_the_service_does_not_answer(run: Run, data: Path) -> None:
    """While the supervisor runs and the service does not, that is the health."""
    write_state(data / "state.json", _state(f"http://127.0.0.1:{free_ports(1)[0]}"))

    result = run("status")

    assert result.exit_code == 1
    assert "does not answer" in result.output


def test_the_default_data_folder_is_in_the_data_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's is where XDG_DATA_HOME says."""
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert default_data_folder() == Path("/srv/data/crypto-wallets")


@pytest.mark.skipif(shutil.which("curl") is None, reason="without curl there is nothing to paste into")
def test_the_calls_of_the_banner_work_as_they_are() -> None:
    """Pasted into a shell, each call succeeds: create, address, sign, list."""
    with running(World()) as url:
        text = banner({"url": url, "folder": "/data", "logs": "/data/logs"}, API_KEY, seconds=1.0)
        create, *others = [line.strip() for line in text.splitlines() if line.startswith("  curl")]
        wallet = _pasted(create, "")

        address, signed, page = (_pasted(command, wallet["id"]) for command in others)

    assert wallet["label"] == "first wallet"
    assert signed["from"] == address["address"]
    assert [each["id"] for each in page["data"]] == [wallet["id"]]


def test_the_banner_names_what_a_person_needs() -> None:
    """URLs, the key and where it is kept, the logs, and how to stop stand in it."""
    facts = {"url": "http://127.0.0.1:3000", "folder": "/data", "logs": "/data/logs", "api_key_file": "/data/api-key"}

    text = banner(facts, "the-key-of-this-service", seconds=12.34)

    words = ("/api/v1", "/swagger-ui", "/metrics", "the-key-of-this-service", "/data/api-key", "/data/logs", "Ctrl-C", "12.3 s")
    assert all(word in text for word in words)


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    """A log gets one line for what is waited for and one when it is there, with the time it took, and no escape codes."""
    output, times = io.StringIO(), iter([1.0, 3.5])
    progress = Progress(Console(file=output, width=200), {"one": "The first"}, clock=lambda: next(times))

    for phase, detail in [
        (Phase.STARTING, ""),
        (Phase.READY, ""),
        (Phase.RESTARTING, "one [died]"),
        (Phase.STOPPING, ""),
        (Phase.STOPPED, "killed"),
    ]:
        progress.event(Event("one", phase, detail))
    progress.settle()

    assert output.getvalue().splitlines() == [
        "  Waiting for The first",
        "✓ The first is ready (2.5 s)",
        "! one [died]",
        "  Ending The first",
        "  The first was killed",
    ]


class RefusesOne(CountingLimiter):
    """Refuses the third call, and no other."""

    async def acquire(self, key: str, cost: int = 1) -> float | None:
        """See `api.limits.RateLimiter.acquire`."""
        await super().acquire(key, cost)
        return 0.1 if len(self.keys) == 3 else None


def _pasted(command: str, wallet_id: str) -> dict[str, Any]:
    answer = subprocess.run(["sh", "-c", command], env={"ID": wallet_id, "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, check=True)
    content: dict[str, Any] = json.loads(answer.stdout)
    return content


def _state(url: str, *children: ChildState) -> MachineState:
    return MachineState(os.getpid(), "2026-11-24T10:00:00+00:00", Phase.READY, children, {"url": url})
