"""Tell who asks: by API key, and by the client's address behind proxies that are believed."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from adapters.limits import Client
from api.errors import AuthenticationError

UNAUTHENTICATED_ID = "unauthenticated"
UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  # the unspecified address, not one to listen on
LOOPBACK = ("127.0.0.0/8", "::1/128")
MAX_HOPS = 32
"""Entries of `X-Forwarded-For` that are looked at: each costs a parse, and the client chooses how many there are."""

_IPV6_CLIENT_PREFIX = 64
_MAX_ADDRESS_LENGTH = 64
_REMEMBERED = 4096
"""Addresses whose parse is remembered: the same few clients ask again and again, and each parse takes several microseconds."""

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


class Authenticator(Protocol):
    """Tell which API key a request shows."""

    def authenticate(self, presented: Sequence[str], /) -> str:
        """Return the id of the key in the request's `X-Api-Key` fields.

        Raises:
            AuthenticationError: None, several, or one that is not ours.
        """
        ...


class ApiKeys:
    """Recognise API keys. Several may be valid at once, so that they can be exchanged without a gap."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[str]) -> None:
        """Accept any of `keys`.

        Raises:
            ValueError: There is none, or one is empty: the door would be shut for everybody, or open.
        """
        if not keys or not all(keys):
            msg = "at least one API key is needed, and none may be empty"
            raise ValueError(msg)
        self._keys = tuple((_digest(key.encode()), api_key_id(key)) for key in keys)

    def authenticate(self, presented: Sequence[str]) -> str:
        """See `Authenticator.authenticate`."""
        if len(presented) != 1:
            msg = "send your API key in one X-Api-Key header"
            raise AuthenticationError(msg)
        # A server hands header values on as ISO 8859-1; a client sends its key as the bytes of its UTF-8.
        digest = _digest(presented[0].encode("latin-1", "replace"))
        # Every key is compared, and digests are of equal length: the time taken tells nothing of the keys.
        matching = [key_id for known, key_id in self._keys if hmac.compare_digest(known, digest)]
        if not matching:
            msg = "the API key is not valid"
            raise AuthenticationError(msg)
        return matching[0]


class Everybody:
    """Let every request in, whatever key it shows: for a service that is asked to run without keys."""

    __slots__ = ()

    def authenticate(self, _presented: Sequence[str], /) -> str:
        """See `Authenticator.authenticate`."""
        return UNAUTHENTICATED_ID


def api_key_id(key: str) -> str:
    """Return 16 hex digits that name a key in the log and the audit without giving it away."""
    return hashlib.sha256(b"crypto-wallets/api-key-id\0" + key.encode()).hexdigest()[:16]


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class ClientAddresses:
    """Find the client's address behind proxies.

    `ingress` are the networks from which the proxy of our own node connects: what it writes last into `X-Forwarded-For` is the address that
    connected to it. From there on, an entry is believed only when the address that reported it is in `trusted`. Nothing is believed of
    anybody else, so that a client cannot choose its address.
    """

    __slots__ = ("_ingress", "_remembered", "_trusted")

    def __init__(self, trusted: Iterable[str] = (), ingress: Iterable[str] = ()) -> None:
        """Take networks as CIDR texts.

        Raises:
            ValueError: One is no network.
        """
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted)
        self._ingress = tuple(ipaddress.ip_network(network) for network in ingress)
        self._remembered = lru_cache(_REMEMBERED)(self._walk)

    def resolve(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Return the address of the client, of which `peer` is the address that connected to us.

        `forwarded_for` are the `X-Forwarded-For` fields in order of arrival. What is no address ends the walk at the proxy that said it.
        """
        entries = ",".join(forwarded_for)
        # Nothing longer than one honest proxy writes is remembered.
        return (self._remembered if len(entries) <= _MAX_ADDRESS_LENGTH else self._walk)(peer or "", entries)

    def _walk(self, peer: str, forwarded_for: str) -> str:
        address = _address(peer)
        if address is None:
            return UNKNOWN_ADDRESS
        entries = _right_to_left(forwarded_for)
        if _within(address, self._ingress):
            address = next(entries, None) or address
        while _within(address, self._trusted):
            reported = next(entries, None)
            if reported is None:
                break
            address = reported
        return str(address)


@lru_cache(_REMEMBERED)
def limited_client(api_key_id: str, address: str) -> Client:
    """Return whom a rate limit counts as one client: key and address; of IPv6 the network of 64 bits that one client usually holds."""
    client = ipaddress.ip_address(address)
    if isinstance(client, IPv6Address):
        address = str(ipaddress.ip_network((int(client), _IPV6_CLIENT_PREFIX), strict=False))
    return Client(api_key_id, address)


def _right_to_left(fields: str) -> Iterator[IpAddress | None]:
    entries = fields.rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return map(_address, reversed(entries))


def _address(text: str) -> IpAddress | None:
    text = text.strip()
    # Nothing longer is looked at, or it would be remembered.
    return _parse(text) if len(text) <= _MAX_ADDRESS_LENGTH else None


@lru_cache(_REMEMBERED)
def _parse(text: str) -> IpAddress | None:
    """Read an address, with or without brackets and port; None if it is none. IPv4 in IPv6 becomes IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _within(address: IpAddress, networks: Iterable[IpNetwork]) -> bool:
    return any(address in network for network in networks)
