"""TON: TON Connect's signData gives the signatures that wallets give, and signs nothing that reads as a transaction."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.wallets.ton_messages import FIRST, SECOND, TON, VECTORS, our_key, variant_of, vector
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, encode
from wallets.chains.ton.sign_data import digest_of, dns_name
from wallets.curves import verify_ed25519
from wallets.errors import MalformedMessageError

OF_WALLETS = VECTORS["sign_data_of_wallets"]


@pytest.mark.parametrize("message", VECTORS["sign_data"], ids=lambda each: each["name"])
def test_data_is_signed_as_with_ton_core(message: dict[str, Any]) -> None:
    """Text, bytes and cells, for a wallet of each version, give the digests of @ton/core's cells and the signatures of @ton/crypto."""
    variant = message["version"].replace("v4r2", "")

    read = TON.read_message(json.dumps(message["request"]).encode(), variant)
    signed = read.sign(our_key())

    assert signed.digest is not None
    assert message["digest"] == signed.digest.hex()
    assert message["signature"] == signed.signature.hex()
    assert read.signers == frozenset()
    assert read.intent_for(FIRST["bounceable"]).sender == FIRST["bounceable"]


@pytest.mark.parametrize("message", OF_WALLETS["messages"], ids=lambda each: each["request"]["type"])
def test_what_a_wallet_in_use_has_signed_is_the_same_digest(message: dict[str, Any]) -> None:
    """A real wallet's signature is that of the digest we compute for its address."""
    content = TON.read_message(json.dumps(message["request"]).encode()).content

    digest = digest_of(content, Address.parse(OF_WALLETS["address"]), message["request"]["domain"], message["request"]["timestamp"])

    assert verify_ed25519(bytes.fromhex(OF_WALLETS["public_key"]), bytes.fromhex(message["signature"]), digest)


def test_a_domain_is_written_as_contracts_know_it() -> None:
    """From its last label to its first (TEP-81)."""
    assert dns_name("ton-connect.github.io") == b"io\0github\0ton-connect\0"


def request(**changes: Any) -> bytes:
    """Write a request to sign a text; None takes a field away."""
    fields = {"type": "text", "text": "hello", "domain": "example.org", "timestamp": 1_800_000_000} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def cell(raw: bytes, *, schema: str | None = "a#1 = A;") -> bytes:
    """Write a request to sign a cell."""
    return request(type="cell", text=None, schema=schema, cell=b64encode(raw).decode())


def binary(raw: bytes) -> bytes:
    """Write a request to sign bytes."""
    return request(type="binary", text=None, bytes=b64encode(raw).decode())


CELL = Builder().uint(7, 32).cell()


@pytest.mark.parametrize(
    ("message", "shown", "warning"),
    [
        (request(), {"message": "hello", "bytes": 5}, None),
        (request(text="x" * 1_001), {"message": "x" * 1_000 + "... (1001 characters)", "bytes": 1_001}, None),
        (binary(b"\0\1"), {"message_hex": "0001", "bytes": 2}, "bytes that no person reads"),
        (binary(b"\0" * 65), {"message_hex": "00" * 64 + "... (65 bytes)", "bytes": 65}, "bytes that no person reads"),
        (
            cell(encode(CELL)),
            {"schema": "a#1 = A;", "cell_hash": CELL.hash.hex(), "cell_bits": 32},
            "contracts may act on the signed cell",
        ),
    ],
    ids=["text", "long text", "bytes", "long bytes", "cell"],
)
def test_what_is_signed_is_shown(message: bytes, shown: dict[str, Any], warning: str | None) -> None:
    """With the app that asks, and when; what people cannot read is warned of."""
    intent = TON.read_message(message).intent

    assert {"standard": "ton-connect", "domain": "example.org", "timestamp": 1_800_000_000, **shown} == intent.details
    assert bool(intent.warnings) == (warning is not None)
    assert (warning or "") in "".join(intent.warnings)


@pytest.mark.parametrize("form", ["raw", "bounceable", "non_bounceable"])
def test_the_account_that_the_app_names_is_checked(form: str) -> None:
    """Its own address may stand in the request; another's is refused when it is signed."""
    assert TON.read_message(request(**{"from": FIRST[form]})).sign(our_key()).signature
    with pytest.raises(MalformedMessageError, match="from: it is another account"):
        TON.read_message(request(**{"from": SECOND[form]})).sign(our_key())


@pytest.mark.parametrize(
    ("variant", "network", "is_right"),
    [("", "-239", True), ("", "-3", True), ("v5r1", "-239", True), ("v5r1", "-3", False), ("v5r1_testnet", "-3", True), ("", "1", False)],
)
def test_the_network_is_one_of_the_account(variant: str, network: str, is_right: bool) -> None:
    """v5r1's address is of one network; the others' of both."""
    if is_right:
        assert TON.read_message(request(network=network), variant).sign(our_key()).signature
        return
    with pytest.raises(MalformedMessageError, match="network: it is one of"):
        TON.read_message(request(network=network), variant)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"hello", "TON Connect's signData is signed: JSON"),
        (b"{", "message: it is no JSON"),
        (b"{" + b"[" * 601, "more than 600 objects"),
        (request(type="other"), "type: it is one of text, binary, cell"),
        (request(type=1), "type: it is one of text"),
        (request(more=1), "message: unknown fields"),
        (request(schema="a"), "message: unknown fields; known are domain, from, network, text, timestamp, type"),
        (request(text=""), "text: a text is expected"),
        (request(text="\ud800"), "text: a text is expected"),
        (request(text=5), "text: a text is expected"),
        (request(domain=None), "domain: a text is expected"),
        (request(domain="a..b"), "domain: it has labels"),
        (request(domain="a b"), "domain: it has labels"),
        (request(domain="a" * 126), "domain: it has labels"),
        (request(timestamp=None), "timestamp: seconds"),
        (request(timestamp="1"), "timestamp: seconds"),
        (request(timestamp=-1), "timestamp: seconds"),
        (request(timestamp=1.5), "a number has a fraction"),
        (request(**{"from": "me"}), "from: the text is no TON address"),
        (request(**{"from": 5}), "from: the text is no TON address"),
        (request(network=[]), "network: it is one of"),
        (request(type="binary", text=None), "bytes: base64 is expected"),
        (request(type="binary", text=None, bytes="a"), "bytes: base64 is expected"),
        (request(type="binary", text=None, bytes="_-__"), "bytes: base64 is expected"),
        (cell(b"no bag"), "cell: bag of cells, byte 4"),
        (cell(encode(CELL), schema=None), "unknown|schema: a text is expected"),
    ],
    ids=range(26),
)
def test_what_is_no_sign_data_is_refused(message: bytes, reason: str) -> None:
    """The refusal names the field."""
    with pytest.raises(MalformedMessageError, match=reason):
        TON.read_message(message)


@pytest.mark.parametrize("name", ["transfer", "v3r2_comment", "v5r1_many", "v5r1_testnet_comment"])
@pytest.mark.parametrize("variant", ["", "v5r1"])
def test_a_payload_of_a_wallet_is_no_message(name: str, variant: str) -> None:
    """Neither as a cell nor as bytes, nor written in a text, whichever version it is for."""
    version = variant_of(name) or "v4r2"
    payload = vector(name)

    for message in (cell(payload), binary(payload), request(text=payload.hex()), request(text=b64encode(payload).decode())):
        with pytest.raises(MalformedMessageError, match=f"it is a payload of a {version} wallet; transactions are signed by /sign alone"):
            TON.read_message(message, variant)


def test_any_text_is_read_as_it_was() -> None:
    """A text that is a bag of cells in base64 is a text, as long as that is no payload of a wallet."""
    text = b64encode(encode(CELL)).decode()

    assert TON.read_message(request(text=text)).intent.details["message"] == text
