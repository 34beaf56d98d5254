"""A Kubernetes as far as Vault knows one: it signs JWTs of service accounts, and says over HTTP (TokenReview) which are still good."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.local_http import answering

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

    def review(self, jwt: str) -> dict[str, Any]:
        """Answer a TokenReview."""
        self.reviews += 1
        name = json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))["sub"].rpartition(":")[2]
        user = {"username": f"system:serviceaccount:production:{name}", "uid": f"uid-{name}"}
        status = {"authenticated": self.is_good, "user": user, "audiences": [AUDIENCE]}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


@contextmanager
def reviewing(accounts: ServiceAccounts) -> Iterator[ServiceAccounts]:
    """Have the reviews answered on a free port of loopback."""
    with answering(lambda _, body: (201, accounts.review(json.loads(body)["spec"]["token"]))) as accounts.address:
        yield accounts


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
