"""The command line's `import-v1`: take over what a database of 1.0.8 holds."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from rich.console import Console

from adapters.v1_database import WALLETS_AT_ONCE
from deployments.hardening import harden
from deployments.records_wiring import V1Source, open_takeover
from deployments.requirements import missing_login
from deployments.setting_types import AuthMethod
from deployments.settings import ConfigurationError, Settings, VaultSettings, read_secret
from serve_app.local_service import service_settings
from serve_app.terminal import Findings, open_bars, operator, told_plainly
from wallets.takeover import Report, Summary

DATABASE_URL = "V1_DATABASE_URL"
"""The variable of the environment that may name the database of 1.0.8. It is no `APP__*`: no replica may have it."""

_OPTIONS = {"address": "--vault-address", "ca_file": "--vault-ca-file", "key_id": "--vault-key", "mount": "--vault-mount"}


def import_v1(
    context: typer.Context,
    database_url: Annotated[str | None, typer.Option(envvar=DATABASE_URL, help="URL of 1.0.8's database", show_default=False)] = None,
    database_url_file: Annotated[Path | None, typer.Option(help="File with the URL, which keeps its password off the command line")] = None,
    vault_key: Annotated[str, typer.Option(help="Transit key of 1.0.8")] = "wallet-master-key",
    vault_mount: Annotated[str, typer.Option(help="Mount point of its Transit engine")] = "transit",
    vault_address: Annotated[str | None, typer.Option(help="Its Vault, where that is another than APP__VAULT__ADDRESS")] = None,
    vault_token_file: Annotated[Path | None, typer.Option(help="File with a token that may decrypt with its key")] = None,
    vault_ca_file: Annotated[Path | None, typer.Option(help="CA certificates to trust for its Vault")] = None,
    *,
    leave_out_differing: Annotated[
        bool, typer.Option("--leave-out-differing", help="Take wallets over without the addresses that differ")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=WALLETS_AT_ONCE, help="Wallets taken over together")] = WALLETS_AT_ONCE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines, for programs: the findings, and the summary last")] = False,
) -> None:
    """Take over the wallets, addresses and audit log of a database of 1.0.8, which is only read. Safe to run again at any time.

    Every stored address is derived again; the exit code is 0 only if nothing differs.
    """
    with told_plainly():
        _warn_of_password(context, database_url)
        settings = service_settings()
        source = V1Source(
            _url(database_url, database_url_file), _vault(settings, vault_key, vault_mount, vault_address, vault_token_file, vault_ca_file)
        )
        with _reported(as_json=as_json) as report:
            summary = asyncio.run(_take_over(settings, source, report, leave_out_differing, batch_size))
    typer.echo(json.dumps(_as_json(summary)) if as_json else _in_words(summary))
    raise typer.Exit(1 if summary.differences else 0)


async def _take_over(
    settings: Settings, source: V1Source, report: Callable[[Report], None], leave_out_differing: bool, batch_size: int
) -> Summary:
    harden()
    with _progress() as progress:
        opened = open_takeover(
            settings,
            source,
            operator(),
            report=report,
            progress=progress,
            leave_out_differing=leave_out_differing,
            batch_size=batch_size,
        )
        async with opened as takeover:
            return await takeover.run()


@contextmanager
def _progress() -> Iterator[Callable[[Summary], None]]:
    """Lend what shows how far it is: bars on a terminal, else a line for each step, both on standard error."""
    console = Console(stderr=True)
    with open_bars(console) as bars:
        wallets, audit_rows = bars.add_task("wallets", total=None), bars.add_task("audit rows", total=None)

        def show(summary: Summary) -> None:
            found, done = summary.found, summary.audit_rows_added + summary.audit_rows_here
            bars.update(wallets, total=found.wallets, completed=summary.wallets_seen)
            bars.update(audit_rows, total=found.audit_rows, completed=done)
            if not console.is_terminal:
                typer.echo(f"{summary.wallets_seen} of {found.wallets} wallets, {done} of {found.audit_rows} audit rows", err=True)

        yield show


@contextmanager
def _reported(*, as_json: bool) -> Iterator[Callable[[Report], None]]:
    """Lend what shows findings: all of them as JSON lines at once, or a table at the end, whichever end that is."""
    if as_json:
        yield _write_line
        return
    findings = Findings("finding", "wallet", "network", "index", "stored", "here", "")
    try:
        yield lambda row: findings.add(row.finding, row.wallet_id, row.network, row.index, row.stored, row.derived, row.detail)
    finally:
        findings.show("; --json shows all")


def _write_line(report: Report) -> None:
    typer.echo(json.dumps({name: value for name, value in asdict(report).items() if value is not None}, default=str))


def _url(url: str | None, file: Path | None) -> str:
    if (url is None) == (file is None):
        msg = f"name the database of 1.0.8 by one of --database-url-file, the variable {DATABASE_URL}, and --database-url"
        raise ConfigurationError(msg)
    return read_secret(file, "--database-url-file") if file is not None else str(url)


def _vault(settings: Settings, key: str, mount: str, address: str | None, token_file: Path | None, ca_file: Path | None) -> VaultSettings:
    """Return how to reach the Vault of 1.0.8: as ours is reached, but for what is named."""
    if address is not None and token_file is None:
        msg = "--vault-token-file: is needed with --vault-address"
        raise ConfigurationError(msg)
    values: dict[str, Any] = settings.vault.model_dump() if address is None else {"address": address, "ca_file": ca_file}
    if token_file is not None:
        token = read_secret(token_file, "--vault-token-file")
        values |= {"auth_method": AuthMethod.TOKEN, "token": token, "token_file": token_file}
    if values["address"] is None or (token_file is None and any(missing_login(settings.vault))):
        msg = "--vault-address, --vault-token-file: are needed, because APP__VAULT__* name no Vault"
        raise ConfigurationError(msg)
    try:
        return VaultSettings.model_validate(values | {"key_id": key, "mount": mount})
    except ValidationError as error:
        problems = [(str(each["loc"][0]), each["msg"].removeprefix("Value error, ")) for each in error.errors(include_input=False)]
        raise ConfigurationError("\n".join(f"{_OPTIONS.get(name, name)}: {reason}" for name, reason in problems)) from None


def _warn_of_password(context: typer.Context, url: str | None) -> None:
    source = context.get_parameter_source("database_url")
    if url is not None and source is not None and source.name == "COMMANDLINE" and urlsplit(url).password:
        text = "warning: every user of this machine can read the password on the command line; --database-url-file keeps it off"
        typer.echo(text, err=True)


def _as_json(summary: Summary) -> Mapping[str, object]:
    return {
        "ok": not summary.differences,
        "wallets": {
            "found": summary.found.wallets,
            "added": summary.wallets_added,
            "here_before": summary.wallets_here,
            "refused": summary.wallets_refused,
        },
        "addresses": {"found": summary.found.addresses, "added": summary.addresses_added},
        "audit_rows": {"found": summary.found.audit_rows, "added": summary.audit_rows_added, "here_before": summary.audit_rows_here},
        "differences": summary.differences,
        "notes": summary.notes,
    }


def _in_words(summary: Summary) -> str:
    return (
        f"wallets: {summary.found.wallets} found, {summary.wallets_added} taken over, {summary.wallets_here} here before, "
        f"{summary.wallets_refused} not taken over\n"
        f"addresses: {summary.found.addresses} found, {summary.addresses_added} taken over\n"
        f"audit rows: {summary.found.audit_rows} found, {summary.audit_rows_added} taken over, {summary.audit_rows_here} here before\n"
        f"differences: {summary.differences}, notes: {summary.notes}"
    )
