"""Read the configuration: `APP__*` environment variables, once, frozen, and refused where they cannot be right.

Levels are joined by `__`. Every secret may instead be named by a file (`APP__VAULT__TOKEN_FILE`), which keeps it out of the environment of
every process that Ray starts. Secrets print as `**********`; an error never quotes a value.
"""

import difflib
import ipaddress
import os
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticUndefined

from deployments.limit_settings import RateLimitSettings
from deployments.setting_types import (
    MAX_PORT,
    MOUNT,
    PLAIN,
    RESOURCE,
    AbsolutePath,
    AuthMethod,
    Environment,
    KeyBackend,
    Networks,
    Port,
    ReadableFile,
    RedisUrl,
    Section,
    Topology,
    WithoutRedis,
    url_of,
)

PREFIX = "APP__"
MIN_API_KEY_LENGTH = 16


class ConfigurationError(Exception):
    """The configuration cannot be right; the message says which variables, and why, one a line, without their values."""


class ServerSettings(Section):
    """What clients see."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` for all")
    port: Port = Field(default=3000, description="HTTP port")
    grpc_port: Port | None = Field(default=None, description="gRPC port; HTTP port + 1 if not set")
    api_key: SecretStr | None = Field(default=None, description="The key clients send as `X-Api-Key`; required unless unauthenticated")
    api_key_file: Path | None = Field(default=None, description="File with the key")
    previous_api_key: SecretStr | None = Field(default=None, description="A second key that is taken as well, while keys are exchanged")
    previous_api_key_file: Path | None = Field(default=None, description="File with the second key")
    allow_unauthenticated: bool = Field(default=False, description="Serve without a key; refused in production")
    trusted_proxies: Networks = Field(default="", description="Networks (CIDR, comma-separated) whose `X-Forwarded-For` is believed")
    rate_limit: RateLimitSettings = RateLimitSettings()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.effective_grpc_port > MAX_PORT or self.effective_grpc_port == self.port:
            msg = f"PORT and GRPC_PORT must be two, and none above {MAX_PORT}"
            raise ValueError(msg)
        return self

    @property
    def effective_grpc_port(self) -> int:
        """The gRPC port, set or not."""
        return self.port + 1 if self.grpc_port is None else self.grpc_port


class DatabaseSettings(Section):
    """PostgreSQL."""

    url: Annotated[SecretStr, url_of("postgresql", "postgres")] | None = Field(
        default=None, description="`postgresql://user:password@host:port/database`; `up` starts one if not set"
    )
    url_file: Path | None = Field(default=None, description="File with the URL")
    pool_size: int = Field(default=20, ge=1, le=1000, description="Connections at most, a replica")
    min_connections: int = Field(default=5, ge=0, le=1000, description="Connections kept open, a replica")
    max_lifetime_secs: float = Field(default=600, gt=0, description="Seconds after which a connection is replaced")
    idle_timeout_secs: float = Field(default=300, gt=0, description="Seconds after which an unused connection is closed")
    acquire_timeout_secs: float = Field(default=5, gt=0, le=30, description="Seconds to wait for a connection; then 503")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_connections > self.pool_size:
            msg = "MIN_CONNECTIONS must not exceed POOL_SIZE"
            raise ValueError(msg)
        return self


class KeysSettings(Section):
    """What encrypts mnemonics."""

    backend: KeyBackend = Field(default=KeyBackend.VAULT, description="What encrypts mnemonics: `vault`, or `local`, a key file")
    file: AbsolutePath | None = Field(default=None, description="The key file; `local-keys.json` in the data folder if not set")


class VaultSettings(Section):
    """HashiCorp Vault or OpenBao, Transit engine."""

    address: str | None = Field(default=None, pattern=r"^https?://", description="URL of Vault; `up` starts an OpenBao if not set")
    auth_method: AuthMethod = Field(default=AuthMethod.TOKEN, description="How to log in: `token`, `approle` or `kubernetes`")
    token: SecretStr | None = Field(default=None, description="May encrypt and decrypt with the key, look itself up and renew itself")
    token_file: Path | None = Field(default=None, description="File with the token, taken up again when it changes (a Vault Agent's sink)")
    role_id: str | None = Field(default=None, pattern=PLAIN, description="Role id of the AppRole")
    secret_id: SecretStr | None = Field(default=None, description="Secret id of the AppRole")
    secret_id_file: Path | None = Field(default=None, description="File with the secret id, read anew at each login")
    approle_mount: str = Field(default="approle", pattern=MOUNT, description="Mount point of the AppRole method")
    kubernetes_role: str | None = Field(default=None, pattern=PLAIN, description="Role of the Kubernetes method")
    kubernetes_mount: str = Field(default="kubernetes", pattern=MOUNT, description="Mount point of the Kubernetes method")
    kubernetes_jwt_file: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="File with the service account's JWT, read anew at each login",
    )
    namespace: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._/-]{1,256}$", description="Namespace in Vault")
    operator_token: SecretStr | None = Field(default=None, description="For `keys` alone: may rotate the key and rewrap, and not decrypt")
    operator_token_file: Path | None = Field(default=None, description="File with the operator's token")
    key_id: str = Field(default="wallet-master-key", pattern=r"^[A-Za-z0-9._-]{1,128}$", description="Name of the Transit key")
    mount: str = Field(default="transit", pattern=MOUNT, description="Mount point of the Transit engine")
    ca_file: ReadableFile | None = Field(default=None, description="CA certificates to trust for `https`")
    deadline_secs: float = Field(default=10, gt=0, le=60, description="Seconds after which a call with all its retries ends in 503")
    share_circuit: bool = Field(default=True, description="Tell other replicas through Redis, if it is used, when Vault's circuit changes")


class RedisSettings(Section):
    """Redis: shared limits and addresses. Without it each replica keeps its own."""

    enabled: bool = Field(default=False, description="Use Redis; `up` turns it on")
    url: RedisUrl | None = Field(
        default=None, description="`redis://:password@host:port/0`, or another form (`docs/redis.md`); `up` starts one if not set"
    )
    url_file: Path | None = Field(default=None, description="File with the URL")
    ca_file: ReadableFile | None = Field(default=None, description="CA certificates to trust for `rediss`; the system's if not set")
    ttl_secs: int = Field(default=3600, ge=1, description="Seconds an address stays in Redis")


class KeyringSettings(Section):
    """Seeds kept unlocked in a replica."""

    max_seeds: int = Field(default=1000, ge=0, le=100_000, description="Seeds kept unlocked at most; 0 keeps none")
    ttl_secs: float = Field(default=300, ge=0, le=86_400, description="Seconds a seed stays unlocked; 0 keeps none")


class _Scaled(Section):
    """A deployment on Ray Serve; each of its replicas uses one core."""

    min: int
    max: int
    resource: str = Field(default="", pattern=RESOURCE, description="Custom resource of Ray's that a node must have to run one")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min > self.max:
            msg = "MIN must not exceed MAX"
            raise ValueError(msg)
        return self


class ReplicaSettings(_Scaled):
    """Replicas of the ingress on Ray Serve (of the whole service where it is inline); each uses one core."""

    min: int = Field(default=2, ge=1, le=1000, description="Replicas at least")
    max: int = Field(default=10, ge=1, le=1000, description="Replicas at most; on one machine never more than its cores, or `MIN`")
    target_ongoing_requests: float = Field(default=16, gt=0, description="Requests in flight a replica at which more replicas are started")
    max_ongoing_requests: int = Field(default=64, ge=1, description="Requests that a replica works on at once; more wait")
    max_wait_ms: int = Field(default=30, ge=1, description="How long HAProxy keeps a request while all replicas work on as many; then 503")
    max_answer_secs: int = Field(default=30, ge=1, description="How long HAProxy waits for a replica's answer over HTTP; then 504")
    max_queued_requests: int = Field(default=128, ge=1, description="Requests that wait in a replica at most; beyond it 503")


class SignerSettings(_Scaled):
    """Signers of the isolated topology on Ray Serve; each uses one core."""

    min: int = Field(default=1, ge=1, le=1000, description="Signers at least, where the topology is isolated")
    max: int = Field(default=10, ge=1, le=1000, description="Signers at most; on one machine never more than its cores, or `MIN`")
    target_ongoing_calls: float = Field(default=2, gt=0, description="Gateways' calls in flight a signer at which more are started")
    metrics_host: str = Field(default="127.0.0.1", description="Address on which a signer tells its metrics, if it has a port for them")
    metrics_port: Port | None = Field(
        default=None, description="Port for `GET /metrics` of the one signer of a node; without it, gateways of the node tell them"
    )


class SigningSettings(Section):
    """What is signed."""

    allow_legacy_without_chain_id: bool = Field(
        default=False, description="Sign EVM transactions from before EIP-155, which can be replayed on other chains"
    )
    nonce_guard: bool = Field(
        default=False, description="Refuse a second, different transaction with the same nonce of an account, unless it says `replace`"
    )


class IdempotencySettings(Section):
    """Requests that are sent again, with an `Idempotency-Key`."""

    ttl_secs: float = Field(default=86_400, ge=60, le=2_592_000, description="Seconds for which answers to requests with a key are kept")


class LogSettings(Section):
    """Logs: JSON lines on standard output."""

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="`debug`, `info`, `warning` or `error`")


class Settings(Section):
    """The configuration of a replica, and of the machine that runs one."""

    env: Environment = Field(default=Environment.DEVELOPMENT, description="`development` or `production`")
    data_dir: Path | None = Field(default=None, description="Folder of `up` for everything it keeps; the user's data home if not set")
    metrics_dir: Path | None = Field(default=None, description="Folder in which the replicas of a node share their metrics; `up` sets it")
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    keys: KeysSettings = KeysSettings()
    vault: VaultSettings = VaultSettings()
    redis: RedisSettings = RedisSettings()
    keyring: KeyringSettings = KeyringSettings()
    topology: Topology = Field(
        default=Topology.INLINE, description="`inline`: each replica signs; `isolated`: gateways answer, and signers have the keys"
    )
    signing: SigningSettings = SigningSettings()
    replicas: ReplicaSettings = ReplicaSettings()
    signers: SignerSettings = SignerSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name, default as text, and meaning."""

    name: str
    default: str
    meaning: str


def variables(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[Variable]:
    """List every variable that is read, in the order of the README's table."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, Section):
            yield from variables(type(field.default), f"{prefix}{name.upper()}__")
        else:
            default = "" if field.default in (None, "", PydanticUndefined) else str(field.default).lower()
            yield Variable(prefix + name.upper(), default, field.description or "")


def secret_names() -> list[str]:
    """List the variables that hold a secret: those that may be named by a file (`*_FILE`) instead."""
    known = [variable.name for variable in variables()]
    return [name for name in known if f"{name}_FILE" in known]


def forget_secrets(environ: MutableMapping[str, str]) -> None:
    """Take the secrets out of an environment that has been read, so that processes we start do not inherit them."""
    for name in secret_names():
        environ.pop(name, None)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, with every `*_FILE` read into the secret it stands for.

    Raises:
        ConfigurationError: A variable is unknown or malformed, a file cannot be read, or the combination is unsafe.
    """
    environ = os.environ if environ is None else environ
    problems = list(_unknown(environ))
    try:
        settings = Settings.model_validate(_with_files(_nested(environ)))
    except ValidationError as error:
        problems += [_problem(item) for item in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError("\n".join(problems)) from None
    problems += _unsafe(settings)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings


def _nested(environ: Mapping[str, str]) -> dict[str, Any]:
    """Turn `APP__A__B=x` into `{"a": {"b": "x"}}`; empty values count as not set."""
    tree: dict[str, Any] = {}
    for variable in variables():
        value = environ.get(variable.name, "")
        if value:
            *path, last = variable.name.removeprefix(PREFIX).lower().split("__")
            branch = tree
            for step in path:
                branch = branch.setdefault(step, {})
            branch[last] = value
    return tree


def _with_files(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read each `*_file` that stands for a secret into it; other files are read by who needs them."""
    secrets = secret_names()
    for name, value in list(tree.items()):
        if isinstance(value, dict):
            _with_files(value, (*path, name))
        elif name.endswith("_file") and _variable((*path, secret := name.removesuffix("_file"))) in secrets:
            if secret in tree:
                msg = f"{_variable((*path, name))}: {_variable((*path, secret))} is set as well; set one of the two"
                raise ConfigurationError(msg)
            tree[secret] = read_secret(Path(value), _variable((*path, name)))
    return tree


def read_secret(path: Path, variable: str) -> str:
    """Return what stands in a file that `variable` names.

    Raises:
        ConfigurationError: It cannot be read, or is empty.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{variable}: the file cannot be read ({getattr(error, 'strerror', None) or 'it is not text'})"
        raise ConfigurationError(msg) from None
    if not text:
        msg = f"{variable}: the file is empty"
        raise ConfigurationError(msg)
    return text


def _problem(item: ErrorDetails) -> str:
    """Say what is wrong with which variable; pydantic puts words of its own before ours."""
    return f"{_variable(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + "__".join(str(step) for step in location).upper()


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [variable.name for variable in variables()]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _unsafe(settings: Settings) -> Iterator[str]:
    production = settings.env is Environment.PRODUCTION
    if production and settings.server.allow_unauthenticated:
        yield "APP__SERVER__ALLOW_UNAUTHENTICATED: is refused when APP__ENV is production"
    if production and settings.keys.backend is KeyBackend.LOCAL:
        yield "APP__KEYS__BACKEND: `local` is refused when APP__ENV is production: its key lies beside what it protects; use Vault"
    if production and settings.keys.file is not None:
        yield "APP__KEYS__FILE: is refused when APP__ENV is production; run `crypto-wallets keys migrate --to vault` before"
    if production and settings.vault.address and settings.vault.address.startswith("http://") and not _is_loopback(settings.vault.address):
        yield "APP__VAULT__ADDRESS: must be https when APP__ENV is production: mnemonics travel on it"
    limit = settings.server.rate_limit
    if limit.enabled and limit.without_redis is WithoutRedis.REFUSE and not settings.redis.enabled:
        yield "APP__SERVER__RATE_LIMIT__WITHOUT_REDIS: is `refuse`, but APP__REDIS__ENABLED is false: every request would be refused"
    yield from _other_login(settings.vault)
    for name in ("api_key", "previous_api_key"):
        key: SecretStr | None = getattr(settings.server, name)
        if key is not None and len(key.get_secret_value()) < MIN_API_KEY_LENGTH:
            yield f"APP__SERVER__{name.upper()}: must have at least {MIN_API_KEY_LENGTH} characters"


def _other_login(vault: VaultSettings) -> Iterator[str]:
    """Say which credentials belong to another method than the one that is chosen: a forgotten setting, or a forgotten method."""
    owners = {
        "TOKEN": (AuthMethod.TOKEN, vault.token),
        "ROLE_ID": (AuthMethod.APPROLE, vault.role_id),
        "SECRET_ID": (AuthMethod.APPROLE, vault.secret_id),
        "KUBERNETES_ROLE": (AuthMethod.KUBERNETES, vault.kubernetes_role),
    }
    for name, (method, value) in owners.items():
        if value is not None and method is not vault.auth_method:
            yield f"APP__VAULT__{name}: is set, but APP__VAULT__AUTH_METHOD is {vault.auth_method}"


def _is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine; one with a user in it, which may look like the host, never does."""
    try:
        parts = urlsplit(url)
        return "@" not in parts.netloc and (parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback)
    except ValueError:
        return False
