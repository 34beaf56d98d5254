"""The command line: `crypto-wallets up | migrate | check-config`."""

import asyncio
import sys
from typing import NoReturn

import typer
from rich.console import Console

from adapters import schema
from deployments.settings import ConfigurationError, Settings, load, variables
from serve_app.embedded import EmbeddedServerError
from serve_app.machine import Machine
from serve_app.supervisor import SupervisorError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_console = Console(highlight=False)


@app.command()
def up() -> None:
    """Run the whole service on this machine, in the foreground; what is not configured is started here."""
    settings = _settings()
    try:
        asyncio.run(Machine(settings, lambda text: _console.print(f"[dim]…[/] {text}")).run(_banner))
    except (SupervisorError, EmbeddedServerError, schema.SchemaMismatchError) as error:
        _fail(str(error))


@app.command()
def migrate() -> None:
    """Bring the database of APP__DATABASE__URL to this version's schema."""
    url = _settings().database.url
    if url is None:
        _fail("APP__DATABASE__URL: is not set")
    try:
        applied = asyncio.run(schema.migrate(url.get_secret_value()))
    except (schema.SchemaMismatchError, OSError) as error:
        _fail(str(error))
    _console.print(f"applied: {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")


@app.command()
def check_config() -> None:
    """Check every APP__* variable; list the known ones."""
    _settings()
    for variable in variables():
        _console.print(f"{variable.name:50} {variable.default:20} {variable.meaning}", markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line."""
    app()


def _settings() -> Settings:
    try:
        return load()
    except ConfigurationError as error:
        _fail(str(error), 2)


def _banner(machine: Machine) -> None:
    url, key = machine.url, machine.api_key
    head = f"curl -H 'X-Api-Key: {key}' {url}/api/v1"
    body = f"curl -H 'X-Api-Key: {key}' -H 'Content-Type: application/json' {url}/api/v1"
    unsigned = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
    lines = [
        "",
        f"crypto-wallets is ready at {url}",
        f"  API documents   {url}/api-docs/openapi.json",
        f"  health          {url}/api/v1/health",
        f"  metrics         {url}/metrics",
        f"  API key         {key}",
        f"  logs            {machine.log_folder}",
        "",
        "create a wallet, see an address, sign a transaction (put the wallet's id for ID):",
        f'  {body}/wallets -d \'{{"label": "first"}}\'',
        f"  {head}/wallets/ID/address/eth",
        f'  {body}/wallets/ID/sign -d \'{{"network": "eth", "index": 0, "unsigned_tx": "{unsigned}"}}\'',
        "",
        "Ctrl-C ends it.",
    ]
    for line in lines:
        _console.print(line, markup=False, soft_wrap=True)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201  # plain text for people and scripts
    raise SystemExit(code)
