"""Settings that cannot be right are refused, in words that never quote a value."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from deployments.requirements import key_file, require_dependencies
from deployments.settings import ConfigurationError, Settings, forget_secrets, load, secret_names, variables


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"APP__SERVER__PROT": "3000"}, "did you mean APP__SERVER__PORT"),
        ({"APP__SERVER__PORT": "s3cr3t"}, "APP__SERVER__PORT"),
        ({"APP__SERVER__PORT": "65535"}, "PORT and GRPC_PORT must be two, and none above 65535"),
        ({"APP__SERVER__PORT": "3000", "APP__SERVER__GRPC_PORT": "3000"}, "PORT and GRPC_PORT must be two"),
        ({"APP__SERVER__API_KEY": "s3cr3t"}, "at least 16"),
        ({"APP__ENV": "production", "APP__SERVER__ALLOW_UNAUTHENTICATED": "true"}, "refused"),
        ({"APP__ENV": "production", "APP__VAULT__ADDRESS": "http://vault.internal:8200"}, "https"),
        ({"APP__ENV": "production", "APP__VAULT__ADDRESS": "http://127.0.0.1.evil.example:8200"}, "https"),
        ({"APP__ENV": "production", "APP__VAULT__ADDRESS": "http://localhost:x@evil.example"}, "https"),
        ({"APP__ENV": "production", "APP__VAULT__ADDRESS": "http://[::1"}, "https"),
        ({"APP__SERVER__RATE_LIMIT__WITHOUT_REDIS": "refuse"}, "every request would be refused"),
        ({"APP__SERVER__RATE_LIMIT__SIGN_BURST_SIZE": "7"}, "belong together"),
        ({"APP__SERVER__RATE_LIMIT__KEY_REQUESTS_PER_SECOND": "7"}, "belong together"),
        ({"APP__REDIS__URL": "redis+sentinel://:s3cr3t@host"}, "APP__REDIS__URL: names no service"),
        ({"APP__REDIS__URL": "redis://:s3cr3t@host?ssl_cert_reqs=none"}, "APP__REDIS__URL: says more"),
        ({"APP__ENV": "production", "APP__KEYS__BACKEND": "local"}, "APP__KEYS__BACKEND: `local` is refused"),
        ({"APP__ENV": "production", "APP__KEYS__FILE": "/s3cr3t"}, "APP__KEYS__FILE: is refused"),
        ({"APP__KEYS__BACKEND": "s3cr3t"}, "APP__KEYS__BACKEND: .*'vault' or 'local'"),
        ({"APP__KEYS__FILE": "s3cr3t"}, "APP__KEYS__FILE: is no absolute path"),
        ({"APP__REPLICAS__MIN": "3", "APP__REPLICAS__MAX": "2"}, "MIN must not exceed MAX"),
        ({"APP__VAULT__TOKEN_FILE": "/nonexistent"}, "cannot be read"),
        ({"APP__VAULT__CA_FILE": "/nonexistent"}, "APP__VAULT__CA_FILE: is no file that can be read"),
        ({"APP__VAULT__ADDRESS": "vault.internal"}, "APP__VAULT__ADDRESS"),
        ({"APP__VAULT__AUTH_METHOD": "ldap"}, "APP__VAULT__AUTH_METHOD"),
        ({"APP__VAULT__ROLE_ID": "r"}, "APP__VAULT__ROLE_ID: is set, but APP__VAULT__AUTH_METHOD is token"),
        ({"APP__VAULT__SECRET_ID": "s3cr3t"}, "APP__VAULT__SECRET_ID: is set, but APP__VAULT__AUTH_METHOD is token"),
        ({"APP__VAULT__AUTH_METHOD": "approle", "APP__VAULT__TOKEN": "s3cr3t"}, "APP__VAULT__TOKEN: is set, but .* is approle"),
        ({"APP__VAULT__AUTH_METHOD": "approle", "APP__VAULT__KUBERNETES_ROLE": "r"}, "APP__VAULT__KUBERNETES_ROLE: is set, but"),
        ({"APP__VAULT__NAMESPACE": "a b"}, "APP__VAULT__NAMESPACE"),
        ({"APP__DATABASE__URL": "mysql://s3cr3t@host/db"}, "APP__DATABASE__URL: is no URL that starts with postgresql://"),
        ({"APP__DATABASE__URL": "s3cr3t"}, "APP__DATABASE__URL"),
        ({"APP__DATABASE__MIN_CONNECTIONS": "30"}, "MIN_CONNECTIONS must not exceed POOL_SIZE"),
        ({"APP__REDIS__URL": "s3cr3t"}, "APP__REDIS__URL: is no URL"),
        ({"APP__KEYRING__TTL_SECS": "inf"}, "APP__KEYRING__TTL_SECS"),
        ({"APP__SERVER__TRUSTED_PROXIES": "10.0.0.0/8,s3cr3t"}, "APP__SERVER__TRUSTED_PROXIES: is no comma-separated list"),
    ],
)
def test_what_cannot_be_right_is_refused(environ: dict[str, str], reason: str) -> None:
    """The refusal names the variable and the reason, and no value."""
    with pytest.raises(ConfigurationError, match=reason) as refusal:
        load(environ)

    assert "s3cr3t" not in str(refusal.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200/", "https://vault.internal"])
def test_vault_on_this_machine_needs_no_tls(address: str) -> None:
    """In production plain HTTP is taken on loopback alone."""
    assert load({"APP__ENV": "production", "APP__VAULT__ADDRESS": address}).vault.address == address


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """`*_FILE` is read into the secret it stands for, which does not print."""
    (tmp_path / "key").write_text("0123456789abcdef\n")

    settings = load({"APP__SERVER__API_KEY_FILE": str(tmp_path / "key")})

    assert settings.server.api_key is not None
    assert settings.server.api_key.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)


def test_a_replica_refuses_to_start_without_its_dependencies() -> None:
    """Everything that is missing is named at once."""
    with pytest.raises(ConfigurationError) as refusal:
        require_dependencies(load({}))

    assert all(name in str(refusal.value) for name in ("DATABASE__URL", "VAULT__ADDRESS", "VAULT__TOKEN", "API_KEY"))


LOGINS = {
    "token": ({}, ["APP__VAULT__TOKEN"]),
    "approle": ({"APP__VAULT__AUTH_METHOD": "approle"}, ["APP__VAULT__ROLE_ID", "APP__VAULT__SECRET_ID"]),
    "approle without secret id": ({"APP__VAULT__AUTH_METHOD": "approle", "APP__VAULT__ROLE_ID": "r"}, ["APP__VAULT__SECRET_ID"]),
    "kubernetes": (
        {"APP__VAULT__AUTH_METHOD": "kubernetes", "APP__VAULT__KUBERNETES_JWT_FILE": "/nonexistent"},
        ["APP__VAULT__KUBERNETES_ROLE", "APP__VAULT__KUBERNETES_JWT_FILE"],
    ),
}


@pytest.mark.parametrize("name", LOGINS)
def test_each_way_to_log_in_says_what_it_lacks(name: str) -> None:
    """That, and nothing of the other ways."""
    environ, missing = LOGINS[name]

    with pytest.raises(ConfigurationError) as refusal:
        require_dependencies(load(environ))

    vault = [line.partition(":")[0] for line in str(refusal.value).splitlines() if line.startswith("APP__VAULT__")]
    assert vault == ["APP__VAULT__ADDRESS", *missing]


def test_a_secret_in_a_file_is_read_and_its_file_remembered(tmp_path: Path) -> None:
    """What is renewed in the file is read anew by who logs in; the JWT of Kubernetes is no setting's value."""
    for name in ("token", "jwt"):
        (tmp_path / name).write_text("s3cr3t")

    vault = load({"APP__VAULT__TOKEN_FILE": str(tmp_path / "token"), "APP__VAULT__KUBERNETES_JWT_FILE": str(tmp_path / "jwt")}).vault

    assert vault.token is not None
    assert vault.token.get_secret_value() == "s3cr3t"
    assert (vault.token_file, vault.kubernetes_jwt_file) == (tmp_path / "token", tmp_path / "jwt")
    assert "s3cr3t" not in repr(vault)


def test_an_environment_that_has_been_read_forgets_its_secrets() -> None:
    """What we start does not inherit them; all else stays."""
    environ = {
        "APP__VAULT__TOKEN": "s3cr3t",
        "APP__SERVER__API_KEY": "s3cr3t",
        "APP__VAULT__TOKEN_FILE": "/f",
        "APP__LOG__LEVEL": "debug",
        "A": "b",
    }

    forget_secrets(environ)

    assert environ == {"APP__VAULT__TOKEN_FILE": "/f", "APP__LOG__LEVEL": "debug", "A": "b"}


def test_every_secret_may_be_named_by_a_file() -> None:
    """Else it would have to stand in an environment."""
    secret = {variable.name for variable in variables() if _is_secret(variable.name)}

    assert secret == set(secret_names())


def _is_secret(name: str) -> bool:
    section: type[BaseModel] = Settings
    *path, last = name.removeprefix("APP__").lower().split("__")
    for step in path:
        section = type(section.model_fields[step].default)
    return "SecretStr" in str(section.model_fields[last].annotation)


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"APP__KEYS__FILE": "/keys.json"}, []),
        ({"APP__DATA_DIR": "/data"}, []),
        ({}, ["APP__KEYS__FILE"]),
        ({"APP__DATA_DIR": "/data", "APP__VAULT__ADDRESS": "https://vault"}, ["APP__VAULT__TOKEN"]),
    ],
)
def test_with_the_local_backend_vault_is_not_required(environ: dict[str, str], missing: list[str]) -> None:
    """The key file must be named, or a data folder that holds it; Vault only whole or not at all."""
    others = {"APP__DATABASE__URL": "postgresql://x@y/z", "APP__SERVER__API_KEY": "0123456789abcdef", "APP__KEYS__BACKEND": "local"}
    settings = load(others | environ)

    if missing:
        with pytest.raises(ConfigurationError) as refusal:
            require_dependencies(settings)
        assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == missing
    else:
        assert require_dependencies(settings) is settings


def test_the_key_file_is_in_the_data_folder_unless_it_is_named() -> None:
    """In production there is none."""
    assert key_file(load({"APP__DATA_DIR": "/data"})) == Path("/data/local-keys.json")
    assert key_file(load({"APP__DATA_DIR": "/data", "APP__KEYS__FILE": "/keys"})) == Path("/keys")
    assert key_file(load({})) is None
    assert key_file(load({"APP__DATA_DIR": "/data", "APP__ENV": "production"})) is None
