"""The command line's `backup | restore | prove`: one file of everything, and the proof that it still opens."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import TaskID

from adapters.backup import Progress, back_up
from adapters.backup import restore as put_back
from adapters.backup_file import BackupWriter, Contents, Table, verify
from deployments.hardening import harden
from deployments.records_wiring import open_proof
from deployments.requirements import key_file
from deployments.setting_types import KeyBackend
from deployments.settings import ConfigurationError, Settings
from serve_app.backup_files import created, opened
from serve_app.local_service import service_settings
from serve_app.terminal import Findings, counted, fail, open_bars, told_plainly
from wallets.errors import KeyEncryptionUnavailableError
from wallets.proof import Difference, Proof, prove

UNPROVEN = 3
"""Exit code of a restore that is complete, but whose wallets could not be proven because the key backend is away."""

SAMPLE = 100
MOST_ADDRESSES = 1_000
"""What a sample has of wallets, and of the addresses of each."""

_KINDS = {
    "master_wallets": ("wallet", "wallets"),
    "derived_addresses": ("address", "addresses"),
    "address_keys": ("address key", "address keys"),
    "account_keys": ("account key", "account keys"),
    "audit_logs": ("audit row", "audit rows"),
    "taken_over_audit_rows": ("mark of an audit row of 1.0.8", "marks of audit rows of 1.0.8"),
}
"""What people call a row of each table, and rows."""

All = Annotated[bool, typer.Option("--all", help="Prove every wallet and address, not 100 wallets at random and 1,000 addresses of each")]


def backup(
    file: Annotated[Path | None, typer.Argument(help="The backup; its name is made of the time if not given", show_default=False)] = None,
    *,
    only_verify: Annotated[bool, typer.Option("--verify", help="Check a backup that exists, without a database")] = False,
) -> None:
    """Write everything in the database into one file, while the service runs. The key that it is encrypted under is not in it."""
    with told_plainly():
        if only_verify:
            if file is None:
                msg = "--verify: name the file"
                raise ConfigurationError(msg)
            with opened(file) as readable:
                typer.echo(_described(verify(readable)))
            return
        path = (file or Path(f"crypto-wallets-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl.gz")).absolute()
        settings = service_settings()
        with created(path) as writable, _bars() as progress:
            key = _key(settings)
            release = version("crypto-wallets-service")
            asyncio.run(back_up(_url(settings), BackupWriter(writable), key=key, service_version=release, progress=progress))
        with opened(path) as readable:
            contents = verify(readable)
    typer.echo(f"wrote {path}\n{_described(contents)}\n\n{_about_key(contents.header.key)}")


def restore(
    file: Annotated[Path, typer.Argument(help="The backup", show_default=False)],
    *,
    prove_all: All = False,
) -> None:
    """Put a backup into an empty database, and prove that its wallets decrypt and derive the addresses stored for them.

    The exit code is 0 if all is proven, 1 if not, and 3 if the backup is restored, but the key backend is away.
    """
    with told_plainly():
        settings = service_settings()
        with opened(file) as readable, _bars() as progress:
            contents = verify(readable)
            migrated = asyncio.run(put_back(_url(settings), readable, contents, progress=progress))
    typer.echo(f"restored {file}\n{_described(contents)}")
    for migration in migrated:
        typer.echo(f"applied migration {migration.version:04} {migration.name}")
    _prove(settings, prove_all=prove_all, unproven="the backup is restored, but not proven")


def prove_wallets(*, prove_all: All = False) -> None:
    """Decrypt wallets and derive the addresses stored for them again: 100 wallets at random, or all.

    The exit code is 0 if all is as it should be, 1 if not, and 3 if the key backend is away.
    """
    with told_plainly():
        settings = service_settings()
    _prove(settings, prove_all=prove_all, unproven="nothing is proven")


def _prove(settings: Settings, *, prove_all: bool, unproven: str) -> None:
    """Prove, show what came of it, and end with an exit code unless all is well."""
    findings = Findings("wallet", "network", "index", "stored", "derived")

    def report(wallet_id: UUID, difference: Difference | None) -> None:
        if difference is None:
            findings.add(wallet_id, None, None, None, "does not decrypt")
        else:
            stored = difference.stored
            findings.add(
                wallet_id, f"{stored.network} {stored.variant}".rstrip(), stored.index, stored.text, difference.derived or "no such account"
            )

    async def run() -> Proof:
        harden()
        async with open_proof(settings) as (kept, encryption):
            sample, most = (None, None) if prove_all else (SAMPLE, MOST_ADDRESSES)
            return await prove(kept, encryption, sample=sample, most_addresses=most, report=report)

    with told_plainly():
        try:
            proof = asyncio.run(run())
        except (ConfigurationError, KeyEncryptionUnavailableError) as error:
            fail(f"{unproven}: {error}; when it is back, run `crypto-wallets prove`", UNPROVEN)
    decrypt = counted(proof.wallets, "wallet decrypts", "wallets decrypt")
    derived = counted(proof.addresses - proof.differing, "address is derived again", "addresses are derived again")
    typer.echo(f"proven: {decrypt}, {derived}")
    if not proof.holds:
        findings.show()
        unreadable = counted(proof.unreadable, "wallet does not decrypt", "wallets do not decrypt")
        differing = counted(proof.differing, "address is not what its wallet derives", "addresses are not what their wallets derive")
        lost = "; the address key does not decrypt" if proof.is_address_key_lost else ""
        fail(f"{unreadable}, and {differing}{lost}")


@contextmanager
def _bars() -> Iterator[Progress]:
    """Lend what shows how far each table is, on a terminal."""
    with open_bars(Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(_kind(table)[1], total=total)
            bars.update(tasks[table], completed=done)

        yield show


def _url(settings: Settings) -> str:
    assert settings.database.url is not None, "service_settings has checked it"
    return settings.database.url.get_secret_value()


def _key(settings: Settings) -> dict[str, str]:
    """Name the key for who looks for it in ten years."""
    if settings.keys.backend is KeyBackend.LOCAL:
        return {"backend": "local", "file": str(key_file(settings))}
    return {"backend": "vault", "mount": settings.vault.mount, "name": settings.vault.key_id}


def _described(contents: Contents) -> str:
    header = contents.header
    rows = ", ".join(_rows(table) for table in contents.tables if table.rows) or "nothing"
    keys = ", ".join(f"{count} under {name}" for name, count in sorted(header.key_versions.items())) or "none"
    return (
        f"whole: every checksum fits\n"
        f"made {header.created_at} by version {header.service_version}, schema version {header.schema_version}\n"
        f"holds: {rows}\n"
        f"ciphertexts: {keys}; key: {', '.join(f'{name} {text}' for name, text in header.key.items())}"
    )


def _rows(table: Table) -> str:
    return counted(table.rows, *_kind(table.name))


def _kind(table: str) -> tuple[str, str]:
    return _KINDS.get(table, (f"row of {table}", f"rows of {table}"))


def _about_key(key: Mapping[str, str]) -> str:
    if key["backend"] == "local":
        what = f"the key file {key['file']}"
    else:
        what = f"Vault's storage with the Transit key {key['name']}, and what unseals it"
    return (
        f"The key is not in this file, and without it no wallet can ever be opened again. Keep {what} as well, in another place than "
        "this file: together they are the money. docs/backup.md says how."
    )
