"""`up` with the local key backend: no OpenBao, a key file made once, and no start that would strand wallets."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from deployments.key_wiring import KeysLostError
from deployments.settings import ConfigurationError, load
from serve_app.embedded import EmbeddedVault
from serve_app.machine import Machine
from tests.serve_app.key_office import KeyOffice, open_key_office
from tests.servers import RunningServer


@pytest.fixture
async def office(database_url: str, vault_server: RunningServer[EmbeddedVault], tmp_path: Path) -> AsyncIterator[KeyOffice]:
    """An office without wallets, whose data folder is the test's."""
    async with open_key_office(database_url, vault_server.server, tmp_path) as opened:
        yield opened


def _local(office: KeyOffice) -> Mapping[str, str]:
    settings = {name: value for name, value in office.environ.items() if "VAULT" not in name}
    return {**settings, "APP__KEYS__BACKEND": "local"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["postgres", "redis", "ray"]),
        ({"APP__DATABASE__URL": "postgresql://p"}, ["redis", "ray"]),
        ({"APP__VAULT__ADDRESS": "http://v", "APP__VAULT__TOKEN": "t"}, ["postgres", "redis", "ray"]),
    ],
)
def test_no_openbao_is_started(tmp_path: Path, settings: Mapping[str, str], names: list[str]) -> None:
    """Nor a PostgreSQL for it; a Vault that is configured serves wallets that are still under it."""
    settings = {**settings, "APP__KEYS__BACKEND": "local"}

    machine = Machine(load(settings), settings, tmp_path, print)

    assert [unit.name for unit in machine.units()] == names


def test_half_a_vault_is_refused_all_the_same(tmp_path: Path) -> None:
    """Also where it would only decrypt."""
    settings = {"APP__KEYS__BACKEND": "local", "APP__VAULT__ADDRESS": "http://v"}

    with pytest.raises(ConfigurationError, match="APP__VAULT__TOKEN"):
        Machine(load(settings), settings, tmp_path, print)


async def test_the_key_file_is_made_once_and_told(office: KeyOffice, tmp_path: Path) -> None:
    """A person must know that it needs a copy."""
    told: list[str] = []
    settings = load(_local(office))
    machine = Machine(settings, _local(office), tmp_path, told.append)

    for _ in range(2):
        await machine._check_keys(settings)

    assert len(told) == 1
    assert str(tmp_path / "local-keys.json") in told[0]
    await office.keep(1, "local")
    assert await office.every_wallet_derives_its_address()


async def test_wallets_under_vault_are_not_stranded(office: KeyOffice, tmp_path: Path) -> None:
    """`up` refuses the local backend while Vault is needed and not configured, and says what to do."""
    await office.keep(2)
    settings = load(_local(office))

    with pytest.raises(KeysLostError, match="2 wallets are still under Vault"):
        await Machine(settings, _local(office), tmp_path, print)._check_keys(settings)

    assert not (tmp_path / "local-keys.json").exists()


async def test_wallets_under_a_lost_key_file_are_not_stranded(office: KeyOffice, tmp_path: Path) -> None:
    """No new file takes its place."""
    settings = load(_local(office))
    machine = Machine(settings, _local(office), tmp_path, print)
    await machine._check_keys(settings)
    await office.keep(3, "local")
    (tmp_path / "local-keys.json").unlink()

    with pytest.raises(KeysLostError, match="3 wallets can be decrypted by nothing else"):
        await machine._check_keys(settings)

    assert not (tmp_path / "local-keys.json").exists()
