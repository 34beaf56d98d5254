"""A replica decrypts by what a ciphertext names, and encrypts with the backend that the settings choose."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.local_keys import LocalKeyFile
from api.observability import Metrics
from deployments.requirements import require_dependencies
from deployments.settings import Settings, load
from deployments.wiring import open_custody
from serve_app.embedded import EmbeddedVault
from tests.postgres_probes import query
from tests.servers import RunningServer
from wallets.errors import KeyEncryptionUnavailableError
from wallets.model import Account, Caller, HealthStatus, Wallet

CALLER = Caller("request-1", "192.0.2.1", "key-1")


def _vault_variables(vault: EmbeddedVault) -> Mapping[str, str]:
    return {
        "APP__VAULT__ADDRESS": vault.address,
        "APP__VAULT__CA_FILE": str(vault.ca_file),
        "APP__VAULT__TOKEN_FILE": str(vault.token_file),
    }


def _settings(database_url: str, folder: Path, backend: str, vault: EmbeddedVault | None) -> Settings:
    environ: Mapping[str, str] = {
        "APP__SERVER__API_KEY": "0123456789abcdef",
        "APP__DATABASE__URL": database_url,
        "APP__DATABASE__MIN_CONNECTIONS": "1",
        "APP__DATA_DIR": str(folder),
        "APP__KEYS__BACKEND": backend,
        "APP__KEYRING__MAX_SEEDS": "0",
        **(_vault_variables(vault) if vault else {}),
    }
    return require_dependencies(load(environ))


async def _created(settings: Settings) -> tuple[Wallet, str]:
    """Return a new wallet, and its address on Ethereum."""
    async with open_custody(settings, Metrics(), None) as custody:
        wallet = await custody.create_wallet("w", 12, CALLER)
        return wallet, (await custody.address(Account(wallet.id, "eth", 0), CALLER)).text


async def test_a_replica_needs_no_vault(database_url: str, tmp_path: Path) -> None:
    """With the key file alone it creates and derives, and its health tells of the file instead of Vault."""
    await LocalKeyFile(tmp_path / "local-keys.json").create()
    settings = _settings(database_url, tmp_path, "local", None)

    wallet, _ = await _created(settings)

    async with open_custody(settings, Metrics(), None) as custody:
        health = await custody.health()
    (row,) = await query(database_url, "SELECT id, key_version FROM master_wallets")
    assert (row["id"], row["key_version"]) == (wallet.id, "local:v1")
    assert set(health) == {"database", "local_keys"}
    assert health["local_keys"].status is HealthStatus.OK


async def test_a_key_file_that_is_missing_is_no_reason_not_to_start(database_url: str, tmp_path: Path) -> None:
    """The replica says so, refuses what needs the key, and serves once the file is there."""
    async with open_custody(_settings(database_url, tmp_path, "local", None), Metrics(), None) as custody:
        before = (await custody.health())["local_keys"]
        with pytest.raises(KeyEncryptionUnavailableError):
            await custody.create_wallet("w", 12, CALLER)
        await LocalKeyFile(tmp_path / "local-keys.json").create()
        after = (await custody.health())["local_keys"]
        await custody.create_wallet("w", 12, CALLER)

    assert (before.status, after.status) == (HealthStatus.ERROR, HealthStatus.OK)


@pytest.mark.parametrize("chosen", ["vault", "local"])
async def test_a_replica_decrypts_under_either_backend(
    database_url: str, vault_server: RunningServer[EmbeddedVault], tmp_path: Path, chosen: str
) -> None:
    """Whichever encrypts; so wallets can move while the service runs."""
    await LocalKeyFile(tmp_path / "local-keys.json").create()
    made = [await _created(_settings(database_url, tmp_path, backend, vault_server.server)) for backend in ("vault", "local")]
    await query(database_url, "DELETE FROM derived_addresses")

    async with open_custody(_settings(database_url, tmp_path, chosen, vault_server.server), Metrics(), None) as custody:
        found = [(wallet, (await custody.address(Account(wallet.id, "eth", 0), CALLER)).text) for wallet, _ in made]
        health = await custody.health()

    assert made == found
    assert set(health) == {"database", {"vault": "vault", "local": "local_keys"}[chosen]}


async def test_a_wallet_under_a_backend_that_is_not_configured_is_refused_as_unavailable(
    database_url: str, vault_server: RunningServer[EmbeddedVault], tmp_path: Path
) -> None:
    """503, and not as if it were damaged."""
    await LocalKeyFile(tmp_path / "local-keys.json").create()
    wallet, _ = await _created(_settings(database_url, tmp_path, "vault", vault_server.server))
    await query(database_url, "DELETE FROM derived_addresses")

    async with open_custody(_settings(database_url, tmp_path, "local", None), Metrics(), None) as custody:
        with pytest.raises(KeyEncryptionUnavailableError, match="`vault`, which is not configured here"):
            await custody.address(Account(wallet.id, "eth", 0), CALLER)
