"""Who asks is told by key and address, and neither can be chosen by a client."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth import LOOPBACK, UNAUTHENTICATED_ID, UNKNOWN_ADDRESS, ApiKeys, ClientAddresses, Everybody, api_key_id, limited_client
from api.errors import AuthenticationError

KEY = "the-key-of-one-client"
OTHER = "the-key-of-another-one"


def test_a_key_is_recognised_by_its_id() -> None:
    """Each of several keys is let in, and named by an id that is not the key."""
    keys = ApiKeys([KEY, OTHER])

    assert keys.authenticate([KEY]) == api_key_id(KEY)
    assert keys.authenticate([OTHER]) == api_key_id(OTHER)
    assert api_key_id(KEY) != api_key_id(OTHER)
    assert KEY not in api_key_id(KEY)


def test_the_id_of_a_key_never_changes() -> None:
    r"""The audit of years ago names the same key: computed with `printf 'crypto-wallets/api-key-id\0KEY' | sha256sum`."""
    assert api_key_id(KEY) == "a2e92f25e2199e08"


@pytest.mark.parametrize("presented", [[], [""], [KEY + "x"], [KEY[:-1]], [KEY.upper()], [KEY, KEY], [KEY, "x"], ["\xff\xfe"], ["€"]])
def test_anything_else_is_refused(presented: list[str]) -> None:
    """No key, another, or several at once: none of them comes in, and none is repeated in the message."""
    with pytest.raises(AuthenticationError) as caught:
        ApiKeys([KEY]).authenticate(presented)

    assert KEY not in str(caught.value)


def test_a_key_beyond_ascii_is_recognised() -> None:
    """A server hands the bytes of a key on as ISO 8859-1; they are read as the UTF-8 that the client sent."""
    key = "schlüssel-für-die-prüfung"

    assert ApiKeys([key]).authenticate([key.encode().decode("latin-1")]) == api_key_id(key)


@pytest.mark.parametrize("keys", [[], [""], [KEY, ""]])
def test_no_key_at_all_is_a_mistake(keys: list[str]) -> None:
    """An empty list or key would shut everybody out, or let everybody in."""
    with pytest.raises(ValueError, match="at least one API key"):
        ApiKeys(keys)


def test_without_keys_everybody_is_the_same() -> None:
    """A service that runs without keys names nobody."""
    assert Everybody().authenticate(["whatever"]) == UNAUTHENTICATED_ID


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # a client cannot choose its address
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # right to left: the left part is the client's own text
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),  # several fields are one list
        ("10.0.0.1", ["1.1.1.1, nonsense, 10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["2001:DB8:0::7"], "2001:db8::7"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["fe80::1%eth0"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::1", ["2001:db8:2::2"], "2001:db8:2::2"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),  # our own proxy
        ("127.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1, 10.0.0.1"], "1.1.1.1"),
        ("127.0.0.1", ["198.51.100.1, 127.0.0.1"], "127.0.0.1"),  # a client on this machine cannot choose either
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("not an address", ["198.51.100.1"], UNKNOWN_ADDRESS),
        (None, ["198.51.100.1"], UNKNOWN_ADDRESS),
    ],
)
def test_the_clients_address(peer: str | None, forwarded: list[str], expected: str) -> None:
    """The address is the last one that somebody we trust saw with its own eyes."""
    addresses = ClientAddresses(["10.0.0.0/8", "2001:db8:1::/48"], LOOPBACK)

    assert addresses.resolve(peer, forwarded) == expected


def test_without_trusted_networks_nothing_is_believed() -> None:
    """By default the address is the peer's, whoever it is."""
    assert ClientAddresses().resolve("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


def test_a_long_list_is_not_walked_to_its_end() -> None:
    """A client that sends thousands of hops is charged for a few of them."""
    hops = ",".join(["198.51.100.1"] + ["10.0.0.1"] * 10_000)

    assert ClientAddresses(["10.0.0.0/8"]).resolve("10.0.0.1", [hops]) == "10.0.0.1"


def test_a_network_that_is_none_is_refused() -> None:
    """A typing error in the trusted networks does not pass."""
    with pytest.raises(ValueError, match="does not appear to be"):
        ClientAddresses(["10.0.0.0/99"])


@given(st.one_of(st.none(), st.text(), st.ip_addresses().map(str)), st.lists(st.text(alphabet=st.characters(codec="latin-1"))))
def test_any_header_gives_an_address(peer: str | None, forwarded: list[str]) -> None:
    """Whatever is sent, the answer is an address, and never an exception."""
    answer = ClientAddresses(["0.0.0.0/0", "::/0"], LOOPBACK).resolve(peer, forwarded)

    ipaddress.ip_address(answer)


def test_limits_count_keys_and_addresses_apart() -> None:
    """Two keys, or two addresses, are two clients; an IPv6 client has the 64 bits that it can choose from."""
    assert limited_client("a", "198.51.100.1") != limited_client("b", "198.51.100.1")
    assert limited_client("a", "198.51.100.1") != limited_client("a", "198.51.100.2")
    assert limited_client("a", "2001:db8::1") == limited_client("a", "2001:db8::2:1")
    assert limited_client("a", "2001:db8::1") != limited_client("a", "2001:db8:0:1::1")
