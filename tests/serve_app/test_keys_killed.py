"""Killed at any point of a rewrap or a migration, no wallet is lost, no change is without its audit row, and the next run finishes."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from serve_app.embedded import EmbeddedVault
from tests.serve_app.key_office import KeyOffice, open_key_office
from tests.servers import RunningServer
from wallets.model import AuditAction

POINTS = int(os.environ.get("CHAOS_POINTS", "20"))
"""How often a command is interrupted, half of the times while it rewraps, half while it migrates. `make chaos` sets it."""

WALLETS, BATCH = 40, 4
LONGEST_DELAY_SECONDS = 0.02
"""A batch takes less: so the points lie everywhere between two lines that the command writes."""


@pytest.fixture
async def office(database_url: str, vault_server: RunningServer[EmbeddedVault], tmp_path: Path) -> AsyncIterator[KeyOffice]:
    """An office with wallets under Vault."""
    async with open_key_office(database_url, vault_server.server, tmp_path) as opened:
        await opened.keep(WALLETS)
        yield opened


@pytest.mark.timeout(60 + 10 * POINTS)
async def test_killed_while_it_rewraps(office: KeyOffice) -> None:
    """Each time after a rotation, so that all wallets are due."""
    points = _Points()
    while points.are_left:
        await office.rotate()
        points.take(interrupted=await _killed(office, "rewrap", action=AuditAction.KEYS_REWRAP))

    finished = await office.run("keys", "rewrap", environ=office.operators)

    assert finished.exit_code == 0, finished.output
    assert len(await office.counts()) == 1
    assert await office.every_wallet_derives_its_address()


@pytest.mark.timeout(60 + 10 * POINTS)
async def test_killed_while_it_migrates(office: KeyOffice) -> None:
    """To the key file until all have moved, then back, and so on."""
    points, target, other = _Points(), "local", "vault"
    while points.are_left:
        if all(key.startswith(f"{target}:") for key in await office.counts()):
            target, other = other, target
        points.take(interrupted=await _killed(office, "migrate", "--to", target, action=AuditAction.KEYS_MIGRATE))

    for backend in (other, target):
        finished = await office.run("keys", "migrate", "--to", backend)

        assert finished.exit_code == 0, finished.output
        assert {key.split(":")[0] for key in await office.counts()} == {backend}
        assert await office.every_wallet_derives_its_address()


class _Points:
    """Count the times that a command was really interrupted; some end before they are killed."""

    def __init__(self) -> None:
        self._left = POINTS // 2
        self._attempts = 0

    @property
    def are_left(self) -> bool:
        """Whether there have been too few."""
        return self._left > 0

    def take(self, *, interrupted: bool) -> None:
        """Take what came of an attempt."""
        self._left -= interrupted
        self._attempts += 1
        assert self._attempts <= 3 * POINTS


async def _killed(office: KeyOffice, *command: str, action: AuditAction) -> bool:
    """Kill the command at a random point, check what it left, and say whether it was killed before its end."""
    before, ciphertexts = len(await office.events(action)), await _ciphertexts(office)
    process = await office.start("keys", *command, "--batch-size", str(BATCH))
    assert process.stdout is not None
    for _ in range(random.randint(1, WALLETS // BATCH - 1)):
        await process.stdout.readline()
    await asyncio.sleep(random.uniform(0, LONGEST_DELAY_SECONDS))
    with suppress(ProcessLookupError):  # it has ended by itself
        process.kill()
    _, errors = await process.communicate()

    assert await office.every_wallet_derives_its_address(), errors.decode()
    changed = len(ciphertexts.symmetric_difference(await _ciphertexts(office))) // 2
    audited = [event["wallets"] for event in (await office.events(action))[before:]]
    assert changed == sum(int(str(count)) for count in audited)
    return process.returncode == -9


async def _ciphertexts(office: KeyOffice) -> set[tuple[object, ...]]:
    return {tuple(row) for row in await office.query("SELECT id, encrypted_phrase FROM master_wallets")}
