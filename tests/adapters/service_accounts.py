"""A Kubernetes as far as Vault knows one: it signs JWTs of service accounts, and says over HTTP (TokenReview) which are still good."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "vault"


class ServiceAccounts:
    """The service account `wallets` in the namespace `production`. `is_good` is what a review says."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65_537, 2048)
        self.is_good = True
        self.reviews = 0
        self.address = ""

    @property
    def public_key(self) -> str:
        """The key that checks the JWTs, as PEM."""
        pem = self._key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()

    def jwt(self, name: str = "wallets") -> str:
        """Return a new JWT (RFC 7519, RS256) of a service account."""
        now = int(time.time())
        claims = {
            "iss": "https://kubernetes.default.svc",
            "sub": f"system:serviceaccount:production:{name}",
            "aud": [AUDIENCE],
            "iat": now,
            "nbf": now - 5,
            "exp": now + 600,
            "kubernetes.io": {"namespace": "production", "serviceaccount": {"name": name, "uid": f"uid-{name}"}},
        }
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def review(self, jwt: str) -> dict[str, object]:
        """Answer a TokenReview."""
        self.reviews += 1
        name = json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))["sub"].rpartition(":")[2]
        user = {"username": f"system:serviceaccount:production:{name}", "uid": f"uid-{name}"}
        status = {"authenticated": self.is_good, "user": user, "audiences": [AUDIENCE]}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


@contextmanager
def reviewing(accounts: ServiceAccounts) -> Iterator[ServiceAccounts]:
    """Have the reviews answered on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps(accounts.review(sent["spec"]["token"])).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        accounts.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield accounts
        finally:
            server.shutdown()
            thread.join()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
