"""Compose what the operator's commands do with keys, and how Vault is reached, for them and for the replicas."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.database import PostgresDatabase
from adapters.local_keys import LocalKeyFile
from adapters.migrations import check_schema
from adapters.postgres import PostgresAuditLog
from adapters.postgres_keys import PostgresCiphertextStore
from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import AppRoleLogin, KubernetesLogin, TokenFileLogin, TokenLogin, VaultLogin
from adapters.vault_rotation import VaultKeyRotation
from adapters.vault_server import VaultServer
from deployments.requirements import key_file, missing_login, required
from deployments.setting_types import AuthMethod, KeyBackend
from deployments.settings import ConfigurationError, Settings, VaultSettings
from wallets.key_lifecycle import BATCH_SIZE, KeyLifecycle
from wallets.model import Caller, KeyVersion
from wallets.ports import CiphertextStore, KeyEncryption, KeyRotation


class KeysLostError(Exception):
    """Wallets are under a key that is not there; the message tells the operator what to do."""


@asynccontextmanager
async def open_rotation(settings: Settings) -> AsyncIterator[KeyRotation]:
    """Open the operator's side of the chosen backend.

    Raises:
        ConfigurationError: It is not configured, or Vault without the operator's token.
    """
    if settings.keys.backend is KeyBackend.LOCAL:
        yield local_keys(settings)
        return
    vault = settings.vault
    if vault.address is None or vault.operator_token is None:
        missing = "ADDRESS" if vault.address is None else "OPERATOR_TOKEN"
        msg = f"APP__VAULT__{missing}: is not set; rotating Vault's key needs a token of the operator's (docs/vault)"
        raise ConfigurationError(msg)
    async with _client(vault, TokenLogin(vault.operator_token.get_secret_value())) as client:
        yield VaultKeyRotation(client, transit_key(vault))


@asynccontextmanager
async def open_backends(settings: Settings) -> AsyncIterator[Mapping[str, KeyEncryption]]:
    """Open every backend that is configured, by name, for who moves wallets between them."""
    async with AsyncExitStack() as stack:
        backends: dict[str, KeyEncryption] = {}
        if key_file(settings) is not None:
            backends[KeyBackend.LOCAL] = local_keys(settings)
        if settings.vault.address is not None and not any(missing_login(settings.vault)):
            client = await stack.enter_async_context(vault_client(settings.vault))
            backends[KeyBackend.VAULT] = VaultTransit(client, transit_key(settings.vault))
        yield backends


@asynccontextmanager
async def open_ciphertexts(settings: Settings) -> AsyncIterator[PostgresCiphertextStore]:
    """Open the wallets' ciphertexts, for one who works on them alone."""
    async with _few_connections(settings) as database:
        yield PostgresCiphertextStore(database)


@asynccontextmanager
async def open_key_lifecycle(settings: Settings, caller: Caller, batch_size: int = BATCH_SIZE) -> AsyncIterator[KeyLifecycle]:
    """Open the operator's use cases."""
    async with _few_connections(settings) as database:
        yield KeyLifecycle(PostgresCiphertextStore(database), PostgresAuditLog(database), caller, batch_size)


def _few_connections(settings: Settings) -> PostgresDatabase:
    url = settings.database.url
    assert url is not None, "the caller has checked it"
    return PostgresDatabase(url.get_secret_value(), pool_size=2, min_connections=1, command_timeout_seconds=60, verify=check_schema)


def local_keys(settings: Settings) -> LocalKeyFile:
    """Return the local backend.

    Raises:
        ConfigurationError: There can be none.
    """
    path = key_file(settings)
    if path is None:
        msg = "APP__KEYS__FILE: is not set, nor a data folder; in production there is no local backend"
        raise ConfigurationError(msg)
    return LocalKeyFile(path)


async def make_key_file(keys: LocalKeyFile, ciphertexts: CiphertextStore) -> bool:
    """Make the key file if there is none, and never in the place of one that was lost; return whether it was made.

    Raises:
        KeyEncryptionUnavailableError: It cannot be made or used.
        KeysLostError: There is none, but wallets are under it.
        StoreUnavailableError: The database is away.
    """
    if keys.exists:
        return await keys.create()
    lost = _under(await ciphertexts.count(), KeyBackend.LOCAL)
    if lost:
        msg = f"the key file is gone, and {lost} wallets can be decrypted by nothing else: restore it from a copy"
        raise KeysLostError(msg)
    return await keys.create()


async def require_backends(settings: Settings, ciphertexts: CiphertextStore) -> None:
    """See that neither a wallet nor the address key is under a backend that is not configured.

    Raises:
        KeysLostError: One is; no address could be given out, or nothing signed.
        StoreUnavailableError: The database is away.
    """
    stranded = _under(await ciphertexts.count(), KeyBackend.VAULT) if settings.vault.address is None else 0
    if stranded:
        msg = (
            f"{stranded} wallets are still under Vault, which is not configured: start the service with APP__KEYS__BACKEND=vault, and run "
            "`crypto-wallets keys migrate --to local` before APP__KEYS__BACKEND=local"
        )
        raise KeysLostError(msg)
    address_key = await ciphertexts.address_key()
    key = None if address_key is None else KeyVersion.of(address_key.ciphertext)
    if settings.vault.address is None and key is not None and key.backend == KeyBackend.VAULT:
        msg = (
            "the address key is still under Vault, which is not configured: start the service with APP__KEYS__BACKEND=vault, and run "
            "`crypto-wallets keys migrate --to local` before APP__KEYS__BACKEND=local"
        )
        raise KeysLostError(msg)


def vault_client(vault: VaultSettings) -> VaultClient:
    """Make a client that logs in as the settings say; use it as an asynchronous context manager."""
    return _client(vault, vault_login(vault))


def vault_login(vault: VaultSettings) -> VaultLogin:
    """Make the login that the settings choose; what stands in a file is read at each login."""
    if vault.auth_method is AuthMethod.APPROLE:
        assert vault.role_id is not None, "require_dependencies has checked it"
        return AppRoleLogin(vault.role_id, vault.secret_id_file or required(vault.secret_id), mount=vault.approle_mount)
    if vault.auth_method is AuthMethod.KUBERNETES:
        assert vault.kubernetes_role is not None, "require_dependencies has checked it"
        return KubernetesLogin(vault.kubernetes_role, vault.kubernetes_jwt_file, mount=vault.kubernetes_mount)
    return TokenFileLogin(vault.token_file) if vault.token_file else TokenLogin(required(vault.token))


def transit_key(vault: VaultSettings) -> TransitKey:
    """Return the key in Vault."""
    return TransitKey(vault.key_id, vault.mount)


def _under(counts: Mapping[KeyVersion | None, int], backend: KeyBackend) -> int:
    return sum(count for key, count in counts.items() if key is not None and key.backend == backend)


def _client(vault: VaultSettings, login: VaultLogin) -> VaultClient:
    assert vault.address is not None, "the caller has checked it"
    return VaultClient(VaultServer(vault.address, vault.ca_file, vault.namespace), login, deadline_seconds=vault.deadline_secs)
