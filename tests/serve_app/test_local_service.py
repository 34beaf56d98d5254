"""Commands find what the service that runs here works with, and never mix two services."""

import json
import os
from pathlib import Path

import pytest

from deployments.requirements import key_file
from deployments.setting_types import KeyBackend
from deployments.settings import ConfigurationError, load
from serve_app.local_service import remember_made, service_settings
from serve_app.machine import Machine
from serve_app.server_home import EmbeddedServerError, ServerHome
from serve_app.state import MachineState, Phase, write_state

URL = "postgresql://wallets:x@/wallets?host=/sockets"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a service that runs: the test's own process stands for it."""
    write_state(tmp_path / "state.json", MachineState(os.getpid(), "2026-01-01T00:00:00+00:00", Phase.READY, ()))
    return tmp_path


def _remember(data: Path, **made: str) -> None:
    remember_made(ServerHome(data), made)


def test_what_the_service_has_made_is_found(data: Path) -> None:
    """Database, Vault and keys, without any variable but the folder."""
    (data / "database-url").write_text(URL)
    (data / "token").write_text("the-token")
    _remember(
        data,
        APP__DATA_DIR=str(data),
        APP__DATABASE__URL_FILE=str(data / "database-url"),
        APP__VAULT__ADDRESS="http://127.0.0.1:1",
        APP__VAULT__OPERATOR_TOKEN_FILE=str(data / "token"),
        APP__KEYS__BACKEND="local",
    )

    settings = service_settings({"APP__DATA_DIR": str(data)})

    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == URL
    assert settings.vault.operator_token is not None
    assert settings.vault.operator_token.get_secret_value() == "the-token"
    assert (settings.vault.address, settings.keys.backend) == ("http://127.0.0.1:1", KeyBackend.LOCAL)
    assert key_file(settings) == data / "local-keys.json"


def test_what_is_named_comes_before_what_was_made(data: Path) -> None:
    """By a file or by its value."""
    (data / "database-url").write_text(URL)
    _remember(data, APP__DATABASE__URL_FILE=str(data / "database-url"), APP__VAULT__OPERATOR_TOKEN_FILE="/none", APP__KEYS__BACKEND="local")

    settings = service_settings({"APP__DATA_DIR": str(data), "APP__VAULT__OPERATOR_TOKEN": "mine", "APP__KEYS__BACKEND": "vault"})

    assert settings.vault.operator_token is not None
    assert settings.vault.operator_token.get_secret_value() == "mine"
    assert settings.keys.backend is KeyBackend.VAULT


def test_two_services_are_not_mixed(data: Path) -> None:
    """Where a database is named, nothing of the service here is used."""
    _remember(data, APP__DATABASE__URL_FILE="/none", APP__VAULT__ADDRESS="http://127.0.0.1:1")

    settings = service_settings({"APP__DATA_DIR": str(data), "APP__DATABASE__URL": "postgresql://elsewhere/wallets"})

    assert settings.vault.address is None


def test_without_a_service_the_database_must_be_named(tmp_path: Path) -> None:
    """Also while one is just being started or has ended."""
    environ = {"APP__DATA_DIR": str(tmp_path)}

    with pytest.raises(ConfigurationError, match="no service runs"):
        service_settings(environ)
    write_state(tmp_path / "state.json", MachineState(os.getpid(), "2026-01-01T00:00:00+00:00", Phase.STARTING, ()))
    with pytest.raises(ConfigurationError, match="no service runs"):
        service_settings(environ)

    assert service_settings({**environ, "APP__DATABASE__URL": URL}).database.url is not None


def test_a_damaged_memory_is_told(data: Path) -> None:
    """Nothing is guessed."""
    (data / "made-settings.json").write_text("{")

    with pytest.raises(EmbeddedServerError, match="damaged"):
        service_settings({"APP__DATA_DIR": str(data)})


def test_a_replica_never_gets_the_operators_token(tmp_path: Path) -> None:
    """Neither one that is configured nor the one of the embedded OpenBao; the operator's commands find it."""
    (tmp_path / "operator").write_text("the-operators-token")
    environ = {
        "APP__SERVER__API_KEY": "0123456789abcdef",
        "APP__DATABASE__URL": URL,
        "APP__VAULT__ADDRESS": "http://127.0.0.1:1",
        "APP__VAULT__TOKEN": "t",
        "APP__REDIS__ENABLED": "false",
        "APP__VAULT__OPERATOR_TOKEN_FILE": str(tmp_path / "operator"),
        "APP__KEYS__FILE": str(tmp_path / "keys"),
    }
    machine = Machine(load(environ), environ, tmp_path, print)

    replicas = machine._replica_environ()

    assert not any("OPERATOR" in name for name in replicas)
    assert load(replicas).vault.operator_token is None
    assert "OPERATOR" not in (tmp_path / "made-settings.json").read_text()


def test_what_the_service_was_started_with_is_found(data: Path) -> None:
    """Also where it was named by variables: these are remembered, secrets in files."""
    environ = {
        "APP__DATA_DIR": str(data),
        "APP__SERVER__API_KEY": "0123456789abcdef",
        "APP__DATABASE__URL": URL,
        "APP__VAULT__ADDRESS": "http://127.0.0.1:1",
        "APP__VAULT__TOKEN": "t0k3n",
        "APP__REDIS__ENABLED": "false",
        "APP__KEYS__FILE": str(data / "keys"),
    }
    Machine(load(environ), environ, data, print)._replica_environ()

    settings = service_settings({"APP__DATA_DIR": str(data)})

    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == URL
    assert settings.keys.file == data / "keys"
    assert not {"t0k3n", URL} & set(json.loads((data / "made-settings.json").read_text()).values())
