"""Say what must be configured for which process: for the edge, for custody, or for both in one."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from deployments.setting_types import AuthMethod, Environment, KeyBackend
from deployments.settings import ConfigurationError, Settings, VaultSettings

_OF_CUSTODY = ("APP__DATABASE__", "APP__KEYS__", "APP__KEYRING__", "APP__VAULT__")


def require_dependencies(settings: Settings) -> Settings:
    """Return settings that name everything the whole service needs.

    Raises:
        ConfigurationError: A dependency is not configured, or there is no API key.
    """
    return _require(settings, [*_missing_to_custody(settings), *_missing_to_edge(settings)])


def require_edge(settings: Settings) -> Settings:
    """Return settings that name everything the edge alone needs.

    Raises:
        ConfigurationError: There is no API key, or Redis is used and not named.
    """
    return _require(settings, _missing_to_edge(settings))


def require_custody(settings: Settings) -> Settings:
    """Return settings that name everything custody alone needs.

    Raises:
        ConfigurationError: A dependency is not configured.
    """
    return _require(settings, _missing_to_custody(settings))


def require_database(settings: Settings) -> str:
    """Return the URL of the database, which is all that migrating and looking at the schema need.

    Raises:
        ConfigurationError: There is none.
    """
    if settings.database.url is None:
        msg = "APP__DATABASE__URL: is not set; `up` migrates the database that it starts by itself"
        raise ConfigurationError(msg)
    return settings.database.url.get_secret_value()


def required(secret: SecretStr | None) -> str:
    """Return a secret that was found to be there when the settings were checked."""
    assert secret is not None, "it is checked before anything is opened"
    return secret.get_secret_value()


def without_custody(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out what only custody needs: a process of the edge alone does not even read it."""
    return {name: value for name, value in environ.items() if not name.startswith(_OF_CUSTODY)}


def _require(settings: Settings, missing: Iterable[str]) -> Settings:
    problems = dict.fromkeys(missing)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings


def _missing_to_custody(settings: Settings) -> Iterator[str]:
    missing: dict[str, object] = {"APP__DATABASE__URL": settings.database.url}
    if settings.keys.backend is KeyBackend.VAULT:
        missing |= {"APP__VAULT__ADDRESS": settings.vault.address}
    else:
        missing |= {"APP__KEYS__FILE": key_file(settings)}
    yield from (f"{name}: is not set" for name, value in missing.items() if value is None)
    if settings.keys.backend is KeyBackend.VAULT or settings.vault.address is not None:
        yield from missing_login(settings.vault)
    yield from _missing_redis(settings)


def _missing_to_edge(settings: Settings) -> Iterator[str]:
    if settings.server.api_key is None and not settings.server.allow_unauthenticated:
        yield "APP__SERVER__API_KEY: is not set; without a key the service refuses to start"
    yield from _missing_redis(settings)


def _missing_redis(settings: Settings) -> Iterator[str]:
    if settings.redis.enabled and settings.redis.url is None:
        yield "APP__REDIS__URL: is not set, but APP__REDIS__ENABLED is true"


def key_file(settings: Settings) -> Path | None:
    """Return where the local backend's key file is or would be; None in production, which has none, or where no setting says it."""
    if settings.env is Environment.PRODUCTION:
        return None
    return settings.keys.file or (settings.data_dir and settings.data_dir / "local-keys.json")


def missing_login(vault: VaultSettings) -> Iterator[str]:
    """Say what the method of login needs and has not."""
    needed: dict[AuthMethod, dict[str, object]] = {
        AuthMethod.TOKEN: {"TOKEN": vault.token},
        AuthMethod.APPROLE: {"ROLE_ID": vault.role_id, "SECRET_ID": vault.secret_id},
        AuthMethod.KUBERNETES: {"KUBERNETES_ROLE": vault.kubernetes_role},
    }
    for name, value in needed[vault.auth_method].items():
        if value is None:
            yield f"APP__VAULT__{name}: is not set, and APP__VAULT__AUTH_METHOD is {vault.auth_method}"
    if vault.auth_method is AuthMethod.KUBERNETES and not os.access(vault.kubernetes_jwt_file, os.R_OK):
        yield "APP__VAULT__KUBERNETES_JWT_FILE: is no file that can be read"
