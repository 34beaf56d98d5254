"""The command line, `crypto-wallets`, as the README lists its commands.

An error is a line or two on standard error and the exit code 1, or 2 where the settings are wrong.
"""

import asyncio
import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.markup import escape

from deployments.hardening import forbid_core_dumps
from deployments.requirements import require_database
from deployments.settings import Settings, load
from serve_app.backup_commands import backup, prove_wallets, restore
from serve_app.banner import banner
from serve_app.configuration_table import effective
from serve_app.demo import create_wallet, sign_everywhere
from serve_app.folder_lock import folder_lock
from serve_app.keys_commands import keys
from serve_app.local_service import not_running, service_client
from serve_app.machine import TITLES, Machine
from serve_app.migration import bring_up_to_date, until_up_to_date
from serve_app.progress import Progress
from serve_app.server_home import data_folder, open_data_folder, told
from serve_app.status import read_status, render_status
from serve_app.supervisor import Supervisor
from serve_app.takeover_command import import_v1
from serve_app.terminal import fail, new_table, open_console, told_plainly

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(keys, name="keys")
app.command("import-v1")(import_v1)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("prove")(prove_wallets)


@app.callback()
def quiet_log() -> None:
    """Keep wallets and sign transactions."""
    # What the adapters log on their way to an error, the error says better.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@app.command()
def up() -> None:
    """Run the whole service here, in the foreground, with the servers that no APP__* variable names."""
    begin, console = time.monotonic(), open_console()
    with told_plainly():
        # HAProxy and OpenBao see phrases on their way.
        forbid_core_dumps()
        settings = load()
        progress = Progress(console, TITLES)
        try:
            _run(settings, progress, console, begin)
        finally:
            progress.settle()
    console.print("crypto-wallets has ended", highlight=False)


def _run(settings: Settings, progress: Progress, console: Console, begin: float) -> None:
    folder = open_data_folder(settings.data_dir)
    with told(folder), folder_lock(folder) as lock:
        machine = Machine(settings, os.environ, folder, progress.say)
        machine.require_ports()
        api_key = machine.api_key()

        def on_ready() -> None:
            progress.settle()
            text = banner(machine.facts(), api_key, seconds=time.monotonic() - begin)
            console.print(f"\n{escape(text)}\n", highlight=False, soft_wrap=True)

        supervisor = Supervisor(machine.units(), folder, on_event=progress.event, on_ready=on_ready, facts=machine.facts(), lock=lock)
        try:
            asyncio.run(supervisor.run())
        finally:
            machine.forget_given()


@app.command()
def migrate() -> None:
    """Bring the schema of the database at APP__DATABASE__URL to this version; safe to run at any time, and by many at once."""
    with told_plainly():
        applied = asyncio.run(bring_up_to_date(require_database(load()), typer.echo))
        typer.echo(f"migrations applied: {applied}" if applied else "the schema is up to date")


@app.command()
def check_schema(
    *, wait_secs: Annotated[float, typer.Option(min=0, max=3600, help="How long to wait until somebody else has migrated it")] = 0
) -> None:
    """See that the database at APP__DATABASE__URL has the schema of this version, and change nothing."""
    with told_plainly():
        asyncio.run(until_up_to_date(require_database(load()), wait_secs, typer.echo))
        typer.echo("the schema is up to date")


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs")] = False) -> None:
    """Show the service that runs here: children, replicas, health. The exit code is 0 only if all is well."""
    with told_plainly():
        folder = data_folder(load().data_dir)
        found = read_status(folder)
        if found is None:
            if as_json:
                typer.echo(json.dumps({"ok": False, "detail": not_running(folder)}))
                raise typer.Exit(1)
            fail(not_running(folder))
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=2))
        else:
            open_console().print(render_status(found), highlight=False)
        raise typer.Exit(0 if found.is_well else 1)


@app.command()
def check_config() -> None:
    """Check every APP__* variable, and show the values in effect without the secrets."""
    with told_plainly():
        settings = load()
        table = new_table("variable", "value", "", "meaning")
        for item in effective(settings, os.environ):
            table.add_row(item.name, escape(item.value), "set" if item.is_set else "default", escape(item.meaning))
        open_console().print(table, highlight=False)


@app.command()
def demo() -> None:
    """Have the service that runs here create a wallet and sign one transaction on every network."""
    console = open_console()
    with told_plainly():
        client = service_client()
        wallet_id = create_wallet(client, f"demo {datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        typer.echo(f"created wallet {wallet_id}")
        table = new_table("network", "from", "transaction id", "what was signed")
        with console.status("Signing"):
            for signed in sign_everywhere(client, wallet_id):
                table.add_row(signed.network, signed.sender, signed.tx_id, escape(signed.intent))
        console.print(table, highlight=False)


@app.command()
def lock() -> None:
    """Have the service that runs here forget every unlocked seed, in all its replicas."""
    with told_plainly():
        answer = service_client().post("/api/v1/admin/lock", {})
        forgotten, at = answer["forgotten_seeds"], answer["locked_at"]
        typer.echo(f"locked at {at}: the replica that answered forgot its unlocked seeds ({forgotten}), all others do within a second")


def main() -> None:
    """Run the command line."""
    app()
