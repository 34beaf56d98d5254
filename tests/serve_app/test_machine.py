"""What runs on one machine follows from the settings: its servers, its API key, its URL."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployments.settings import ConfigurationError, load
from serve_app.machine import Machine


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["postgres", "redis", "vault", "ray"]),
        ({"APP__REDIS__ENABLED": "false"}, ["postgres", "vault", "ray"]),
        ({"APP__REDIS__URL": "redis://r"}, ["postgres", "vault", "ray"]),
        ({"APP__DATABASE__URL": "postgresql://p"}, ["postgres", "redis", "vault", "ray"]),
        ({"APP__VAULT__ADDRESS": "http://v", "APP__VAULT__TOKEN": "t"}, ["postgres", "redis", "ray"]),
        ({"APP__DATABASE__URL": "postgresql://p", "APP__VAULT__ADDRESS": "http://v", "APP__VAULT__TOKEN": "t"}, ["redis", "ray"]),
    ],
)
def test_starts_what_is_not_configured(tmp_path: Path, settings: Mapping[str, str], names: list[str]) -> None:
    """Each server that no variable names is a child; an OpenBao of ours brings its PostgreSQL along."""
    machine = Machine(load(settings), settings, tmp_path, print)

    assert [unit.name for unit in machine.units()] == names


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"APP__VAULT__ADDRESS": "http://v"}, "APP__VAULT__TOKEN"),
        ({"APP__VAULT__TOKEN": "t"}, "APP__VAULT__ADDRESS"),
        ({"APP__VAULT__AUTH_METHOD": "approle"}, "APP__VAULT__ADDRESS"),
        ({"APP__VAULT__NAMESPACE": "n"}, "APP__VAULT__ADDRESS"),
        ({"APP__VAULT__ADDRESS": "http://v", "APP__VAULT__AUTH_METHOD": "approle", "APP__VAULT__ROLE_ID": "r"}, "APP__VAULT__SECRET_ID"),
        ({"APP__VAULT__KEY_ID": "another"}, "APP__VAULT__KEY_ID"),
    ],
)
def test_refuses_half_a_vault(tmp_path: Path, settings: Mapping[str, str], variable: str) -> None:
    """A Vault that is named in part, or a key that ours does not have, is refused before anything starts."""
    with pytest.raises(ConfigurationError, match=rf"^{variable}"):
        Machine(load(settings), settings, tmp_path, print)


def test_tells_the_replicas_no_secret_but_by_files(tmp_path: Path) -> None:
    """The environment of every process of Ray's names files of mode 0600, which are gone when the service has ended."""
    secrets = {
        "APP__SERVER__API_KEY": "s3cr3t-api-key-of-clients",
        "APP__SERVER__PREVIOUS_API_KEY": "s3cr3t-api-key-of-before",
        "APP__DATABASE__URL": "postgresql://u:s3cr3t@p/d",
        "APP__REDIS__URL": "redis://:s3cr3t@r",
        "APP__VAULT__SECRET_ID": "s3cr3t-id",
    }
    others = {"APP__VAULT__ADDRESS": "http://v", "APP__VAULT__AUTH_METHOD": "approle", "APP__VAULT__ROLE_ID": "role"}
    machine = Machine(load({**secrets, **others}), {**secrets, **others}, tmp_path, print)

    environ = machine._replica_environ()

    assert not any("s3cr3t" in value for value in environ.values())
    files = {name.removesuffix("_FILE"): Path(environ[name]) for name in environ if name.endswith("_FILE")}
    assert {name: file.read_text() for name, file in files.items()} == secrets
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    found = load(environ)
    assert found.vault.secret_id is not None
    assert found.vault.secret_id.get_secret_value() == "s3cr3t-id"
    machine.forget_given()
    assert not any(file.exists() for file in files.values())


def test_makes_an_api_key_once(tmp_path: Path) -> None:
    """Without a configured key one is made, long and for the owner's eyes, and it is the same at the next start."""
    keys = [Machine(load({}), {}, tmp_path, print).api_key() for _ in range(2)]

    assert keys[0] is not None
    assert len(keys[0]) == 64
    assert keys[0] == keys[1]
    assert stat.S_IMODE((tmp_path / "api-key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"APP__SERVER__API_KEY": "configured-api-key"}, "configured-api-key"), ({"APP__SERVER__ALLOW_UNAUTHENTICATED": "true"}, None)],
)
def test_makes_no_api_key_where_none_is_needed(tmp_path: Path, settings: Mapping[str, str], key: str | None) -> None:
    """A configured key is used, and none is made where none is asked for."""
    machine = Machine(load(settings), settings, tmp_path, print)

    assert machine.api_key() == key
    assert not list(tmp_path.iterdir())
    assert "api_key_file" not in machine.facts()


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")],
)
def test_names_an_address_that_clients_here_can_reach(tmp_path: Path, host: str, reached: str) -> None:
    """A service on all addresses is reached by loopback, over HTTP and gRPC."""
    settings = {"APP__SERVER__HOST": host}

    machine = Machine(load(settings), settings, tmp_path, print)

    assert (machine.url, machine.grpc_target) == (f"http://{reached}:3000", f"{reached}:3001")
