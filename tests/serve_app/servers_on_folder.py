"""PostgreSQL, Valkey and OpenBao on one data folder, as a start of the service has them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import hvac

from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedVault
from tests.servers import Embedded, RunningServer, started

KEY = "wallet-master-key"
PLAINTEXT = "c2VjcmV0"


@dataclass
class Servers:
    """The three servers on one data folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        self.redis = EmbeddedRedis(self.folder / "redis")
        self.vault = EmbeddedVault(self.folder / "vault", self.postgres)

    @contextmanager
    def running(self) -> Iterator[dict[str, RunningServer[Embedded]]]:
        """Prepare and start all of them, in order, and stop them after."""
        servers: dict[str, Embedded] = {"postgres": self.postgres, "redis": self.redis, "vault": self.vault}
        with ExitStack() as stack:
            running: dict[str, RunningServer[Embedded]] = {}
            for name, server in servers.items():
                running[name] = stack.enter_context(started(server, self.folder / f"{name}.log"))
            yield running


def encrypt(vault: EmbeddedVault) -> str:
    """Encrypt `PLAINTEXT` with the service's key and token; return the ciphertext."""
    transit = hvac.Client(vault.address, token=vault.token, verify=str(vault.ca_file)).secrets.transit
    return str(transit.encrypt_data(KEY, plaintext=PLAINTEXT, context=PLAINTEXT)["data"]["ciphertext"])


def decrypt(vault: EmbeddedVault, ciphertext: str) -> str:
    """Decrypt a ciphertext in the same way."""
    transit = hvac.Client(vault.address, token=vault.token, verify=str(vault.ca_file)).secrets.transit
    return str(transit.decrypt_data(KEY, ciphertext=ciphertext, context=PLAINTEXT)["data"]["plaintext"])
