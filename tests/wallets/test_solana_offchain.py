"""Solana: off-chain messages are signed as @solana/offchain-messages signs them, and nothing that could be a transaction is."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.signature import Signature

from tests.wallets.solana_messages import OTHER, SOL, US, VECTORS, key_of, our_key, vector
from wallets.chains.solana.offchain import DOMAIN, MAX_BYTES
from wallets.encoding import base58
from wallets.errors import MalformedMessageError, MalformedTransactionError

MESSAGES = {each["name"]: each for each in VECTORS["messages"]}
WE, THEY = bytes(Pubkey.from_string(US["address"])), bytes(Pubkey.from_string(OTHER["address"]))
APP = bytes([7]) * 32


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_signed_as_kit_does(name: str) -> None:
    """Both versions, every format, and with other signers, give Kit's signature."""
    read = SOL.read_message(bytes.fromhex(MESSAGES[name]["message"]))

    signed = read.sign(our_key())

    assert MESSAGES[name]["signature"] == signed.signature.hex()
    assert signed.digest is None
    assert US["address"] in read.signers
    assert len(read.signers) == (2 if "two_signers" in name else 1)
    assert read.intent.details["standard"] == f"solana-offchain-v{MESSAGES[name]['version']}"
    assert ("application_domain" in read.intent.details) == (MESSAGES[name]["version"] == 0)
    assert str(read.intent.details["message"])[:20] == MESSAGES[name]["text"][:20].replace("\n", "\n")


def test_a_text_is_signed_as_version_1() -> None:
    """A text alone gets the beginning that Kit gives it for this one signer, which the intent tells to verifiers."""
    text = MESSAGES["v1"]["text"].encode()

    read = SOL.read_message(text)
    intent = read.intent_for(US["address"])

    assert MESSAGES["v1"]["signature"] == read.sign(our_key()).signature.hex()
    assert MESSAGES["v1"]["message"] == str(intent.details["preamble"]) + text.hex()
    assert intent.sender == US["address"]
    assert read.signers == frozenset()


def test_a_framed_message_keeps_its_beginning() -> None:
    """The intent shows the beginning of the message as it came."""
    framed = bytes.fromhex(MESSAGES["v0_ascii"]["message"])

    preamble = str(SOL.read_message(framed).intent_for(US["address"]).details["preamble"])

    assert framed.hex() == preamble + MESSAGES["v0_ascii"]["text"].encode().hex()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_text_is_signed_so_that_solders_verifies_it(text: str) -> None:
    """Whatever the text, the signature is that of version 1's bytes, and these decode as no transaction."""
    framed = DOMAIN + b"\x01\x01" + WE + text.encode()

    read = SOL.read_message(text.encode())

    assert Signature.from_bytes(read.sign(our_key()).signature).verify(Pubkey.from_bytes(WE), framed)
    assert read.sign(our_key()) == SOL.read_message(framed).sign(our_key())
    json.dumps(read.intent.as_details(), ensure_ascii=False).encode()
    with pytest.raises(MalformedTransactionError):
        SOL.decode(framed)


def v0(text: bytes, *, number: int = 0, signers: bytes = b"\x01" + WE, length: int | None = None) -> bytes:
    """Write a message of version 0."""
    return DOMAIN + b"\0" + APP + bytes([number]) + signers + (len(text) if length is None else length).to_bytes(2, "little") + text


def v1(text: bytes, signers: bytes = b"\x01" + WE) -> bytes:
    """Write a message of version 1."""
    return DOMAIN + b"\1" + signers + text


TRANSACTION = vector("transfer")
BARE = vector("transfer", "message")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (DOMAIN, "byte 16: 1 more bytes expected, 0 are there"),
        (DOMAIN + b"\2", "byte 17: version 2 of off-chain messages is not known"),
        (DOMAIN + b"\0" + APP[1:], "byte 17: 32 more bytes expected, 31 are there"),
        (v0(b"a", number=3), "byte 50: there is no format 3"),
        (v0(b"a", signers=b"\0"), "byte 51: there is no signer"),
        (v0(b"a", signers=b"\2" + WE + WE), "a signer is there twice"),
        (v0(b"a", signers=b"\2" + WE), "more bytes expected"),
        (v0(b"a", length=2), "byte 85: the text has 1 bytes, and not 2"),
        (v0(b"ab", length=1), "byte 85: the text has 2 bytes, and not 1"),
        (v0(b""), "byte 85: the text is empty"),
        (v0(b"a\n"), "format 0 holds printable ASCII only"),
        (v0("ж".encode()), "format 0 holds printable ASCII only"),
        (v0(b"a" * 1_233), "format 0 holds at most 1232 bytes"),
        (v0(b"a" * 1_233, number=1), "format 1 holds at most 1232 bytes"),
        (v0(b"\xff", number=2), "byte 85: the text is not UTF-8"),
        (v1(b""), "byte 50: the text is empty"),
        (v1(b"a", b"\2" + b"".join(sorted([WE, THEY], reverse=True))), "not in order"),
        (v1(b"a\xff"), "byte 51: the text is not UTF-8"),
        (v1(b"a" * (MAX_BYTES + 1)), "the text has 65536 bytes; at most 65535"),
        (b"a\xffb", "byte 1: the text is not UTF-8"),
        (b"a" * (MAX_BYTES + 1), "at most 65535"),
        (b"\xffsolana", "byte 0: the text is not UTF-8"),
        (TRANSACTION, "a transaction of Solana"),
        (BARE, "a transaction of Solana"),
        (TRANSACTION.hex().encode(), "a transaction of Solana"),
        (b"0x" + BARE.hex().encode(), "a transaction of Solana"),
        (b64encode(TRANSACTION), "a transaction of Solana"),
        (b" " + base58(BARE).encode() + b"\n", "a transaction of Solana"),
        (v0(b64encode(TRANSACTION)), "a transaction of Solana"),
        (v1(BARE), "a transaction of Solana"),
    ],
    ids=range(30),
)
def test_what_is_no_off_chain_message_is_refused(message: bytes, reason: str) -> None:
    """Other versions, lengths and formats, and what reads as a transaction, are refused with the byte."""
    with pytest.raises(MalformedMessageError, match=reason):
        SOL.read_message(message)


def test_others_do_not_sign_what_names_them_not() -> None:
    """The signers that a message names are for the policy to compare with the account."""
    read = SOL.read_message(v1(b"a", b"\1" + THEY))

    assert read.signers == {OTHER["address"]}
    assert read.sign(key_of(bytes.fromhex(OTHER["private_key"]))).signature
