"""The command line's `keys status | rotate | rewrap | migrate | retire`: what an operator does with the keys that encrypt mnemonics."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from adapters.key_backends import KeyBackends
from deployments.hardening import harden
from deployments.key_wiring import local_keys, make_key_file, open_backends, open_ciphertexts, open_key_lifecycle, open_rotation
from deployments.setting_types import KeyBackend
from deployments.settings import ConfigurationError, Settings
from serve_app.local_service import service_settings
from serve_app.terminal import counted, fail, new_table, open_bars, open_console, operator, told_plainly
from wallets.key_lifecycle import BATCH_SIZE, Progress
from wallets.model import EncryptedAddressKey, KeyVersion, KeyVersions

T = TypeVar("T")

keys = typer.Typer(no_args_is_help=True, help="Renew the keys that encrypt mnemonics, while the service runs.")

BatchSize = Annotated[int, typer.Option("--batch-size", min=1, max=BATCH_SIZE, help="Wallets renewed together")]


@dataclass(frozen=True, slots=True)
class _Keys:
    """How many wallets are under each key, and which versions the configured backend has; None where `reason` says why that is unknown.

    `address_key` is None until the first address is given out.
    """

    backend: KeyBackend
    wallets: Mapping[KeyVersion | None, int]
    address_key: EncryptedAddressKey | None
    versions: KeyVersions | None
    reason: str = ""

    def as_json(self) -> Mapping[str, object]:
        """Return it as JSON's types."""
        return {
            "backend": self.backend.value,
            "latest": self.versions and self.versions.latest,
            "oldest_usable": self.versions and self.versions.oldest_usable,
            **({"detail": self.reason} if self.reason else {}),
            "wallets": {_name(key): self.wallets[key] for key in self._in_order()},
            "address_key": self.address_key and _name(KeyVersion.of(self.address_key.ciphertext)),
        }

    def in_words(self) -> str:
        """Say which version encrypts, and which ones decrypt."""
        if self.versions is None:
            return f"the backend is {self.backend.value}; its versions are not known: {self.reason}"
        return f"{self.backend.value}:v{self.versions.latest} encrypts; versions from {self.versions.oldest_usable} on decrypt"

    def as_table(self) -> Table:
        """Show the wallets under each key, and what should be done with them."""
        table = new_table("key", "wallets", "")
        for key in self._in_order():
            table.add_row(_name(key), str(self.wallets[key]), self._remark(key))
        if self.address_key is not None:
            key = KeyVersion.of(self.address_key.ciphertext)
            table.add_row(_name(key), "the address key", self._remark(key))
        return table

    def _remark(self, key: KeyVersion | None) -> str:
        if key is None:
            return "cannot be decrypted"
        if key.backend != self.backend:
            return f"moved by `keys migrate --to {self.backend.value}`"
        if self.versions is None or key.number >= self.versions.latest:
            return ""
        return "refused" if key.number < self.versions.oldest_usable else "renewed by `keys rewrap`"

    def _in_order(self) -> list[KeyVersion | None]:
        return sorted(self.wallets, key=lambda key: (key is None, key and (key.backend, key.number)))


@keys.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs")] = False) -> None:
    """Show what is under each version of the key, which one encrypts, and which ones still decrypt."""

    async def ask(settings: Settings) -> _Keys:
        async with open_ciphertexts(settings) as ciphertexts:
            used = settings.keys.backend, await ciphertexts.count(), await ciphertexts.address_key()
        try:
            async with open_rotation(settings) as rotation:
                return _Keys(*used, await rotation.versions())
        except ConfigurationError as error:
            return _Keys(*used, None, str(error))

    found = _run(ask(_settings()))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        typer.echo(found.in_words())
        open_console().print(found.as_table(), highlight=False)


@keys.command()
def rotate() -> None:
    """Make a new version of the key. It encrypts from now on; `rewrap` brings the wallets to it."""

    async def do(settings: Settings) -> KeyVersion:
        async with open_key_lifecycle(settings, operator()) as lifecycle, open_rotation(settings) as rotation:
            return KeyVersion(rotation.backend, await lifecycle.rotate(rotation))

    made = _run(do(_settings()))
    typer.echo(f"{made} encrypts from now on; run `crypto-wallets keys rewrap` to bring the wallets to it")


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
        typer.echo(
            f"new wallets are still encrypted by `{settings.keys.backend.value}`: start the service with APP__KEYS__BACKEND={to.value}. "
            "What was made before that is moved when this is run again"
        )


@keys.command()
def retire(*, below: Annotated[int, typer.Option("--below", min=1, help="The oldest version that shall still decrypt")]) -> None:
    """Have versions of the key below this one refused. Refused itself while a wallet is under one of them."""

    async def do(settings: Settings) -> KeyVersions:
        async with open_key_lifecycle(settings, operator()) as lifecycle, open_rotation(settings) as rotation:
            return await lifecycle.retire(rotation, below)

    versions = _run(do(_settings()))
    typer.echo(f"versions {versions.oldest_usable} to {versions.latest} decrypt, older ones are refused")


def _settings() -> Settings:
    with told_plainly():
        return service_settings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    with told_plainly():
        return asyncio.run(work)


async def _shown(verb: str, steps: AsyncIterator[Progress]) -> Progress:
    """Show how far it is: as a bar on a terminal, as a line for each step elsewhere."""
    console, progress = open_console(), Progress(0)
    with open_bars(console) as bars:
        task = bars.add_task("wallets", total=None)
        async for progress in steps:
            bars.update(task, total=progress.due, completed=progress.renewed + progress.failed)
            if not console.is_terminal:
                typer.echo(_renewed(verb, progress))
    if console.is_terminal:
        console.print(_renewed(verb, progress), highlight=False)
    return progress


def _renewed(verb: str, progress: Progress) -> str:
    return f"{verb} {progress.renewed} of {counted(progress.due, 'wallet', 'wallets')}"


def _end(progress: Progress) -> None:
    if progress.is_address_key_lost:
        fail("the address key stays as it is, because what is stored does not decrypt; docs/addresses.md says how to make a new one")
    if progress.failed:
        stay = counted(progress.failed, "wallet stays as it is", "wallets stay as they are")
        fail(f"{stay}, because what is stored does not decrypt; the audit log names each")


def _name(key: KeyVersion | None) -> str:
    return "unknown" if key is None else str(key)
