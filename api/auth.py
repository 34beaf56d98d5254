"""Find out who asks."""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence

from api.errors import AuthenticationError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Authenticator:
    """Take the API keys it was made with, or, made with none, everybody."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def key_id(self, key: str | None) -> str:
        """Return a short id of the key (never the key), `anonymous` where none is asked for.

        Raises:
            AuthenticationError: The key is missing or wrong.
        """
        if not self._digests:
            return "anonymous"
        digest = hashlib.sha256((key or "").encode()).digest()
        # Every key is compared, in constant time, so that time tells neither which key is near nor where it differs.
        if not any([hmac.compare_digest(digest, known) for known in self._digests]):  # noqa: C419  # a generator would stop at the first
            raise AuthenticationError("send the API key in the header X-Api-Key")
        return hashlib.sha256(b"key-id:" + digest).hexdigest()[:12]


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[_Network]) -> str:
    """Return the client's address: `X-Forwarded-For` read right to left, for as long as the one who wrote it is trusted."""
    address = peer
    for hop in reversed((forwarded_for or "").split(",")):
        if not _is_trusted(address, trusted):
            break
        try:
            address = str(ipaddress.ip_address(hop.strip()))
        except ValueError:
            break
    return address


def _is_trusted(address: str, trusted: Sequence[_Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
