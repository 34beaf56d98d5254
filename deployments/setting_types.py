"""Check single values of the settings: the words that they may be, and what a URL, a network or a path must look like."""

import ipaddress
import os
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from adapters.redis_url import parse

MOUNT = r"^[A-Za-z0-9._/-]{1,128}$"
"""A path in Vault."""

PLAIN = r"^[A-Za-z0-9._-]{1,256}$"
"""A name in Vault."""

RESOURCE = r"^[A-Za-z][A-Za-z0-9._-]{0,63}$|^$"
"""A custom resource of a Ray node."""

MAX_PORT = 65_535
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class Environment(StrEnum):
    """Where the service runs: what is unsafe is refused in production."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class KeyBackend(StrEnum):
    """What encrypts mnemonics; a ciphertext begins with it."""

    VAULT = "vault"
    LOCAL = "local"


class Topology(StrEnum):
    """In which processes the keys are: in those that clients reach, or in others."""

    INLINE = "inline"
    ISOLATED = "isolated"


class WithoutRedis(StrEnum):
    """What becomes of requests whose limits cannot be kept with other replicas."""

    SHARE = auto()
    REFUSE = auto()


class AuthMethod(StrEnum):
    """How the service logs in to Vault."""

    TOKEN = auto()
    APPROLE = auto()
    KUBERNETES = auto()


def url_of(*schemes: str) -> AfterValidator:
    """Check the scheme of a URL, and that something follows it, without ever quoting it: a password may be in it."""

    def check(text: SecretStr) -> SecretStr:
        scheme, separator, rest = text.get_secret_value().partition("://")
        if scheme not in schemes or not separator or not rest:
            msg = f"is no URL that starts with {' or '.join(f'{each}://' for each in schemes)}"
            raise ValueError(msg)
        return text

    return AfterValidator(check)


def _redis_url(text: SecretStr) -> SecretStr:
    parse(text.get_secret_value())
    return text


def _networks(text: str) -> str:
    try:
        for network in filter(None, (part.strip() for part in text.split(","))):
            ipaddress.ip_network(network)
    except ValueError:
        msg = "is no comma-separated list of networks such as 10.0.0.0/8"
        raise ValueError(msg) from None
    return text


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK):
        msg = "is no file that can be read"
        raise ValueError(msg)
    return path


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        msg = "is no absolute path: replicas have another folder than you"
        raise ValueError(msg)
    return path


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Networks = Annotated[str, AfterValidator(_networks)]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
