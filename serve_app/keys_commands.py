"""The command line's `keys status | rotate | rewrap | migrate | retire`: what an operator does with the keys that encrypt mnemonics."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from adapters.key_backends import KeyBackends
from deployments.hardening import harden
from deployments.key_wiring import local_keys, make_key_file, open_backends, open_ciphertexts, open_key_lifecycle, open_rotation
from deployments.setting_types import KeyBackend
from deployments.settings import ConfigurationError, Settings
from serve_app.local_service import service_settings
from serve_app.terminal import fail, open_console, operator, told_plainly
from wallets.key_lifecycle import BATCH_SIZE, Progress
from wallets.model import KeyVersion, KeyVersions

T = TypeVar("T")

keys = typer.Typer(no_args_is_help=True, help="Renew the keys that encrypt mnemonics, while the service runs.")

BatchSize = Annotated[int, typer.Option("--batch-size", min=1, max=BATCH_SIZE, help="Wallets renewed together")]


@keys.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs")] = False) -> None:
    """Show how many wallets are under each version of the key, which one encrypts, and which ones still decrypt."""

    async def ask(settings: Settings) -> tuple[Mapping[KeyVersion | None, int], KeyVersions | None, str]:
        async with open_ciphertexts(settings) as ciphertexts:
            counts = await ciphertexts.count()
        try:
            async with open_rotation(settings) as rotation:
                return counts, await rotation.versions(), ""
        except ConfigurationError as error:
            return counts, None, str(error)

    settings = _settings()
    counts, versions, reason = _run(ask(settings))
    if as_json:
        typer.echo(json.dumps(_as_json(settings.keys.backend, counts, versions, reason), indent=2))
        return
    console = open_console()
    console.print(_described(settings.keys.backend, versions, reason), highlight=False)
    console.print(_table(settings.keys.backend, counts, versions), highlight=False)


@keys.command()
def rotate() -> None:
    """Make a new version of the key. It encrypts from now on; `rewrap` brings the wallets to it."""

    async def do(settings: Settings) -> KeyVersion:
        async with open_key_lifecycle(settings, operator()) as lifecycle, open_rotation(settings) as rotation:
            return KeyVersion(rotation.backend, await lifecycle.rotate(rotation))

    made = _run(do(_settings()))
    open_console().print(f"{made} encrypts from now on; run `crypto-wallets keys rewrap` to bring the wallets to it", highlight=False)


@keys.command()
def rewrap(*, batch_size: BatchSize = BATCH_SIZE) -> None:
    """Bring every wallet to the latest version of the key. Run it again if it was interrupted: it goes on where it was."""

    async def do(settings: Settings) -> Progress:
        if settings.keys.backend is KeyBackend.LOCAL:  # other than Vault it decrypts here
            harden()
        async with open_key_lifecycle(settings, operator(), batch_size) as lifecycle, open_rotation(settings) as rotation:
            return await _shown("rewrapped", lifecycle.rewrap(rotation))

    _end(_run(do(_settings())))


@keys.command()
def migrate(
    *, to: Annotated[KeyBackend, typer.Option("--to", help="The backend that the wallets move to")], batch_size: BatchSize = BATCH_SIZE
) -> None:
    """Move every wallet to another key backend. Each new ciphertext is decrypted and compared before the old one goes."""

    async def do(settings: Settings) -> Progress:
        harden()
        async with open_backends(settings) as backends, open_key_lifecycle(settings, operator(), batch_size) as lifecycle:
            if to not in backends:
                msg = f"the backend `{to.value}` is not configured here, or is refused in production"
                raise ConfigurationError(msg)
            if to is KeyBackend.LOCAL:
                await make_key_file(local_keys(settings), lifecycle.store)
            return await _shown("moved", lifecycle.migrate(KeyBackends(backends, to), backends[to], to))

    settings = _settings()
    _end(_run(do(settings)))
    if settings.keys.backend is not to:
        open_console().print(
            f"new wallets are still encrypted by `{settings.keys.backend.value}`: start the service with APP__KEYS__BACKEND={to.value}. "
            "What was made before that is moved when this is run again",
            highlight=False,
        )


@keys.command()
def retire(*, below: Annotated[int, typer.Option("--below", min=1, help="The oldest version that shall still decrypt")]) -> None:
    """Have versions of the key below this one refused. Refused itself while a wallet is under one of them."""

    async def do(settings: Settings) -> KeyVersions:
        async with open_key_lifecycle(settings, operator()) as lifecycle, open_rotation(settings) as rotation:
            return await lifecycle.retire(rotation, below)

    versions = _run(do(_settings()))
    open_console().print(f"versions {versions.oldest_usable} to {versions.latest} decrypt, older ones are refused", highlight=False)


def _settings() -> Settings:
    with told_plainly():
        return service_settings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    with told_plainly():
        return asyncio.run(work)


async def _shown(verb: str, steps: AsyncIterator[Progress]) -> Progress:
    """Show how far it is: as a bar on a terminal, as a line for each step elsewhere."""
    console, progress = open_console(), Progress(0)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("wallets", total=None)
        async for progress in steps:
            done = progress.renewed + progress.failed
            bar.update(task, total=progress.due, completed=done)
            _line(console, f"{verb} {progress.renewed} of {progress.due} wallets")
    if console.is_terminal:
        console.print(f"{verb} {progress.renewed} of {progress.due} wallets", highlight=False)
    return progress


def _line(console: Console, text: str) -> None:
    if not console.is_terminal:
        console.print(text, highlight=False)


def _end(progress: Progress) -> None:
    if progress.failed:
        fail(f"{progress.failed} wallets stay as they are, because their ciphertexts do not decrypt; the audit log names each")


def _as_json(
    backend: KeyBackend, counts: Mapping[KeyVersion | None, int], versions: KeyVersions | None, reason: str
) -> Mapping[str, object]:
    return {
        "backend": backend.value,
        "latest": versions and versions.latest,
        "oldest_usable": versions and versions.oldest_usable,
        **({"detail": reason} if reason else {}),
        "wallets": {_name(key): counts[key] for key in _in_order(counts)},
    }


def _described(backend: KeyBackend, versions: KeyVersions | None, reason: str) -> str:
    if versions is None:
        return f"the backend is {backend.value}; its versions are not known: {reason}"
    return f"{backend.value}:v{versions.latest} encrypts; versions from {versions.oldest_usable} on decrypt"


def _table(backend: KeyBackend, counts: Mapping[KeyVersion | None, int], versions: KeyVersions | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("key", "wallets", ""):
        table.add_column(column, header_style="dim")
    for key in _in_order(counts):
        table.add_row(_name(key), str(counts[key]), _remark(key, backend, versions))
    return table


def _remark(key: KeyVersion | None, backend: KeyBackend, versions: KeyVersions | None) -> str:
    if key is None:
        return "cannot be decrypted"
    if key.backend != backend:
        return f"`keys migrate --to {backend.value}` moves them"
    if versions is None or key.number >= versions.latest:
        return ""
    return "refused" if key.number < versions.oldest_usable else "`keys rewrap` renews them"


def _in_order(counts: Mapping[KeyVersion | None, int]) -> list[KeyVersion | None]:
    return sorted(counts, key=lambda key: (key is None, key and (key.backend, key.number)))


def _name(key: KeyVersion | None) -> str:
    return "unknown" if key is None else str(key)
