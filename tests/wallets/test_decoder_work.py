"""Decoders: whatever is sent, the work is bounded. It is counted, so that no clock decides."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from eth_abi.abi import encode as abi_encode

from tests.wallets.psbts import STRANGER, US, Party, Spent, claim, psbt, spent
from tests.wallets.solana_messages import compact, lookup, message, our_key
from tests.wallets.ton_messages import message_with, payload
from tests.wallets.work import MIB, MOST_SHOWN_BYTES, MOST_SHOWN_BYTES_OF_V5R1, work_of
from wallets.chains import CHAINS
from wallets.chains.base import UnsignedTransaction
from wallets.chains.bitcoin.reader import write_size
from wallets.chains.bitcoin.script import Kind, witness
from wallets.chains.bitcoin.transaction import Input, Output, Transaction
from wallets.chains.protobuf import MAX_FIELDS, encode_bytes, encode_uint
from wallets.chains.rlp import encode_bytes as rlp_bytes
from wallets.chains.rlp import encode_list
from wallets.chains.rlp import encode_uint as rlp_uint
from wallets.chains.ton import boc
from wallets.chains.ton.boc import MAX_CELLS, Builder, Cell
from wallets.chains.ton.wallet import V5_MAX_MESSAGES, WALLETS, Draft
from wallets.derivation import DerivationPath
from wallets.hashes import keccak256, sha256

TRON_BYTES = 511_000
EVM_BYTES = 130_000
TON_BYTES = 59_000
"""As much as can be sent before the size alone refuses it."""


def decoded(family: str, raw: bytes) -> UnsignedTransaction:
    """Decode for a network, or for a variant of its accounts."""
    network, _, variant = family.partition(" ")
    return CHAINS[network].decode(raw, variant)


def filled(unit: bytes, size: int) -> bytes:
    """Repeat a unit up to `size` bytes."""
    return unit * (size // len(unit))


# Tron

ADDRESS = b"\x41" + bytes(20)
OWNER = encode_bytes(1, ADDRESS)
HEAD = encode_bytes(1, b"12") + encode_bytes(4, b"12345678") + encode_uint(8, 10**12)


def tron(number: int, name: bytes, fields: bytes) -> bytes:
    """Write a raw_data with this contract."""
    parameter = encode_bytes(1, b"type.googleapis.com/protocol." + name) + encode_bytes(2, fields)
    return HEAD + encode_bytes(11, encode_uint(1, number) + encode_bytes(2, parameter))


def new_contract(entries: bytes) -> bytes:
    """Write a raw_data that creates a contract with this ABI."""
    contract = OWNER + encode_bytes(3, entries) + encode_bytes(4, b"\1")
    return tron(30, b"CreateSmartContract", OWNER + encode_bytes(2, contract))


def votes(size: int) -> bytes:
    """Write a raw_data with as many votes as fit."""
    vote = encode_bytes(2, encode_bytes(1, ADDRESS) + encode_uint(2, 1))
    return tron(4, b"VoteWitnessContract", OWNER + filled(vote, size))


def two_permissions(keys: int) -> bytes:
    """Write a raw_data with permissions of so many keys each."""
    permission = encode_uint(4, 1) + encode_bytes(7, encode_bytes(1, ADDRESS) + encode_uint(2, 1)) * keys
    active = encode_uint(1, 2) + permission
    return tron(46, b"AccountPermissionUpdateContract", OWNER + encode_bytes(2, permission) + encode_bytes(4, active))


def permission(size: int) -> bytes:
    """Write a raw_data with a permission of as many keys as fit."""
    keys = filled(encode_bytes(7, encode_bytes(1, ADDRESS) + encode_uint(2, 1)), size)
    return tron(46, b"AccountPermissionUpdateContract", OWNER + encode_bytes(2, encode_uint(4, 1) + keys))


TRANSFER = tron(1, b"TransferContract", OWNER + encode_bytes(2, ADDRESS) + encode_uint(3, 1))


def token_payout(count: int) -> bytes:
    """Write a raw_data that pays a token to many."""
    recipients = [number.to_bytes(20) for number in range(1, count + 1)]
    arguments = bytes(abi_encode(["address", "address[]", "uint256[]"], [ADDRESS[1:], recipients, [1] * count]))
    data = keccak256(b"disperseToken(address,address[],uint256[])")[:4] + arguments
    return tron(31, b"TriggerSmartContract", OWNER + encode_bytes(2, ADDRESS) + encode_bytes(4, data))


PARAMETER = encode_bytes(4, encode_uint(1, 1) + encode_bytes(2, b"a") + encode_bytes(3, b"b"))
TRON = {
    "votes": (votes(TRON_BYTES), f"more than {MAX_FIELDS} fields"),
    "keys of a permission": (permission(TRON_BYTES), f"more than {MAX_FIELDS} fields"),
    "as many keys as are taken": (two_permissions(830), "accepted"),
    "empty ABI entries": (new_contract(filled(encode_bytes(1, b""), TRON_BYTES)), f"more than {MAX_FIELDS} fields"),
    "empty parameters": (new_contract(encode_bytes(1, filled(encode_bytes(4, b""), TRON_BYTES))), f"more than {MAX_FIELDS} fields"),
    "whole parameters": (new_contract(encode_bytes(1, filled(PARAMETER, TRON_BYTES))), f"more than {MAX_FIELDS} fields"),
    "contracts": (HEAD + filled(encode_bytes(11, encode_bytes(2, OWNER + encode_bytes(2, b"\1"))), TRON_BYTES), "each once"),
    "signatures": (encode_bytes(1, TRANSFER) + filled(encode_bytes(2, b"\1"), TRON_BYTES), "signed already"),
    "results": (encode_bytes(1, TRANSFER) + filled(encode_bytes(5, b"\1"), TRON_BYTES), "has been executed"),
    "a long name": (tron(10, b"AccountUpdateContract", encode_bytes(1, b"n" * (TRON_BYTES - 50)) + encode_bytes(2, ADDRESS)), "accepted"),
    "a long memo": (HEAD + encode_bytes(10, b"m" * TRON_BYTES) + TRANSFER[len(HEAD) :], "accepted"),
    "the first field again and again": (filled(b"\x0a", TRON_BYTES), "each once"),
    "many recipients": (token_payout(7_000), "accepted"),
    "too many bytes": (votes(MIB), "nodes take at most"),
}

# EVM

CALL = b"".join(map(rlp_uint, (1, 7, 2, 30, 21_000))) + rlp_bytes(b"\x35" * 20) + rlp_uint(5) + rlp_bytes(b"")
ACCESS = encode_list(rlp_bytes(b"\x35" * 20) + encode_list(b""))
AUTHORIZATION = encode_list(rlp_uint(1) + rlp_bytes(b"\x35" * 20) + b"".join(map(rlp_uint, (0, 0, 1, 1))))


def nested(size: int) -> bytes:
    """Write lists that each hold the next, up to `size` bytes."""
    heads: list[bytes] = []
    total = 0
    while total < size:
        heads.append(encode_list(bytes(total))[: -total or None])
        total += len(heads[-1])
    return b"".join(reversed(heads))


def multicall(calls: list[bytes]) -> bytes:
    """Write a call of `multicall(bytes[])`."""
    return keccak256(b"multicall(bytes[])")[:4] + bytes(abi_encode(["bytes[]"], [calls]))


def nested_calls(size: int) -> bytes:
    """Write calls that each hold the next, up to `size` bytes."""
    data = b"\1\2\3\4"
    while len(data) + 200 < size:
        data = multicall([data])
    return data


def disperse(count: int) -> bytes:
    """Write a call that pays many."""
    recipients = [number.to_bytes(20) for number in range(1, count + 1)]
    return keccak256(b"disperseEther(address[],uint256[])")[:4] + bytes(abi_encode(["address[]", "uint256[]"], [recipients, [1] * count]))


COMMITMENT = b"\xc0" + bytes(47)
BLOBS = CALL + b"\xc0\1" + encode_list(rlp_bytes(b"\1" + sha256(COMMITMENT)[1:]))


def blob_lists(proofs: int) -> bytes:
    """Write a blob and its commitment, and more proofs than belong to it."""
    return b"".join(encode_list(rlp_bytes(item) * count) for item, count in ((bytes(2**17), 1), (COMMITMENT, 1), (bytes(48), proofs)))


EVM = {
    "empty strings": (encode_list(b"\x80" * EVM_BYTES), "more than 14 items"),
    "empty strings, typed": (b"\2" + encode_list(b"\x80" * EVM_BYTES), "more than 14 items"),
    "empty lists": (b"\2" + encode_list(b"\xc0" * EVM_BYTES), "more than 14 items"),
    "lists in lists": (b"\2" + encode_list(CALL + nested(1_000)), "access_list address at byte"),
    "access list entries": (b"\2" + encode_list(CALL + encode_list(filled(ACCESS, EVM_BYTES))), "accepted"),
    "authorizations": (b"\4" + encode_list(CALL + b"\xc0" + encode_list(filled(AUTHORIZATION, EVM_BYTES))), "accepted"),
    "blobs": (b"\3" + encode_list(CALL + b"\xc0\1" + encode_list(filled(rlp_bytes(b"\1" * 32), EVM_BYTES))), "accepted"),
    "calls inside of calls": (b"\2" + encode_list(CALL[:-1] + rlp_bytes(nested_calls(EVM_BYTES)) + b"\xc0"), "accepted"),
    "many calls": (b"\2" + encode_list(CALL[:-1] + rlp_bytes(multicall([b"\1\2\3\4"] * 1_300)) + b"\xc0"), "accepted"),
    "many recipients": (b"\2" + encode_list(CALL[:-1] + rlp_bytes(disperse(2_000)) + b"\xc0"), "accepted"),
    "many wrong blobs": (b"\3" + encode_list(encode_list(BLOBS) + encode_list(b"\x80" * EVM_BYTES)), "blob at byte"),
    "many proofs": (b"\3" + encode_list(encode_list(BLOBS) + b"\1" + blob_lists(EVM_BYTES // 49)), "there must be 128 of them"),
    "too many bytes": (encode_list(b"\x80" * MIB), "nodes take at most"),
}

# Solana

TOKEN_CALL = bytes([1, 3, 10, 60, 126, 1, 9])
"""Close a token account: accounts from a lookup table, and a warning with two of them."""
TOKEN_KEY = bytes.fromhex("06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9")


def batch(unit: bytes, count: int, accounts: int) -> bytes:
    """Write a message with one batch of the Token program: so many of these instructions, each with so many accounts."""
    data = b"\xff" + bytes([accounts, len(unit)]).join([b"", *[unit] * count])
    indexes = bytes(count * accounts)
    call = b"\1" + compact(len(indexes)) + indexes + compact(len(data)) + data
    return message(keys=[our_key().public_key, TOKEN_KEY], instructions=[call])


SOLANA = {
    "a length of 65,535 signatures": (compact(65_535) + bytes(1_200), "65535 signatures do not fit"),
    "a length of 65,535 instructions": (message(instructions=[])[:-1] + compact(65_535) + bytes(1_000), "list of 65535 does not fit"),
    "a length of 65,535 accounts": (message(instructions=[])[:-1] + b"\1\1" + compact(65_535) + bytes(1_000), "list of 65535 does not fit"),
    "instructions": (message(instructions=[bytes([1, 0, 0])] * 340), "340 instructions are more than 64"),
    "accounts of lookup tables": (
        message(
            prefix=b"\x80",
            keys=[our_key().public_key, TOKEN_KEY],
            instructions=[TOKEN_CALL] * 64,
            lookups=b"\1" + lookup(50, bytes(range(125)), b""),
        ),
        "accepted",
    ),
    "a batch of nothing": (batch(b"", 500, 0), "an instruction of a batch is empty"),
    "a batch of what is not known": (batch(b"\x99", 350, 0), "accepted"),
    "a batch of multisigs": (batch(b"\x13\1", 66, 12), "accepted"),
    "a batch of accounts that are frozen": (batch(b"\x0a", 175, 3), "accepted"),
    "many signers of a multisig": (
        message(keys=[our_key().public_key, TOKEN_KEY], instructions=[b"\1" + compact(1_000) + bytes(1_000) + b"\2\x13\1"]),
        "1 of 999 keys are required",
    ),
    "too many bytes": (bytes([1, 0, 1, 2]) + b"\1" * MIB, "a node takes 1232"),
}

# TON


def bag(parts: list[bytes]) -> bytes:
    """Write a bag of cells with two-byte references."""
    cells = b"".join(parts)
    head = bytes.fromhex("b5ee9c72 02 02") + len(parts).to_bytes(2) + bytes.fromhex("0001 0000")
    return head + len(cells).to_bytes(2) + bytes(2) + cells


def wide_bag(count: int) -> bytes:
    """Write a bag of different cells, as many of them in each cell as it can refer to."""
    refs = [range(4 * index + 1, min(4 * index + 5, count)) for index in range(count)]
    parts = [bytes([len(row), 4]) + index.to_bytes(2) + b"".join(ref.to_bytes(2) for ref in row) for index, row in enumerate(refs)]
    return bag(parts)


def chain_bag(count: int, *, width: int = 1) -> bytes:
    """Write a bag of cells that refer `width` times each to the next: `width`^`count` paths."""
    return bag([bytes([width, 0]) + index.to_bytes(2) * width for index in range(1, count)] + [bytes(2)])


def comment_payload() -> Cell:
    """Make a payload with as long a comment as fits."""
    text = Builder().octets(b"t" * 127).cell()
    for _ in range(465):
        text = Builder().octets(b"t" * 123).ref(text).cell()
    return payload(message_with(Builder().uint(0, 32).ref(text).cell()))


def full_payload() -> Cell:
    """Make a payload whose body has as many cells as are taken, in almost as many bytes."""
    row = [Builder().uint(number, 110).cell() for number in range(3_060)]
    while len(row) > 1:
        parents = [Builder() for _ in range(-(-len(row) // 4))]
        for index, cell in enumerate(row):
            parents[index // 4].ref(cell)
        row = [parent.cell() for parent in parents]
    return payload(message_with(row[0]))


TON = {
    "as many cells as are taken": (boc.encode(full_payload()), "accepted"),
    "cells, and no payload": (wide_bag(MAX_CELLS), "payload, bit 0: 32 more bits expected"),
    "more cells": (wide_bag(MAX_CELLS + 1), "it has 4097 cells"),
    "equal cells": (bag([bytes(2)] * MAX_CELLS), "a cell is there twice"),
    "a deep chain": (chain_bag(MAX_CELLS), "deeper than 512"),
    "4^500 paths": (chain_bag(500, width=4), "payload, bit 0"),
    "a long comment": (boc.encode(comment_payload()), "accepted"),
    "too many bytes": (bytes(MIB), "more than a node takes"),
}


def order_of(message: Cell, *, spread: int = 1) -> bytes:
    """Write a v5r1 payload with as many messages as it may have, of which `spread` are different."""
    messages = [message, *(Builder().rest(boc.Slice(message, "message")).uint(number, 9).cell() for number in range(1, spread))]
    draft = Draft(2**31, 1, [(3, messages[number % spread]) for number in range(V5_MAX_MESSAGES)])
    return boc.encode(WALLETS["v5r1"].write(draft))


def jetton(forwarded: Cell) -> Cell:
    """Write a message that transfers a jetton and has a payload for its recipient."""
    body = Builder().uint(0x0F8A7EA5, 32).uint(7, 64).coins(2**100).uint(0b100, 3).uint(0, 8 + 256).uint(0b100, 3).uint(0, 8 + 256)
    return message_with(body.uint(1, 1).ref(forwarded).coins(1).uint(1, 1).ref(forwarded).cell())


def asked_for(count: int, **fields: object) -> bytes:
    """Write a request of so many messages."""
    message = {"to": "0:" + "11" * 32, "amount": "1", **fields}
    return json.dumps({"seqno": 1, "valid_until": 2**31, "messages": [message] * count}).encode()


UNKNOWN = Builder().uint(0x12345678, 32).cell()
TON_V5R1 = {
    "jettons with unknown payloads": (order_of(jetton(UNKNOWN)), "accepted"),
    "as many different messages": (order_of(message_with(None), spread=V5_MAX_MESSAGES), "accepted"),
    "more messages than may be": (boc.encode(WALLETS["v5r1"].write(Draft(1, 1, [(3, message_with(None))] * 300))), "at most 255"),
    "a request of comments": (asked_for(V5_MAX_MESSAGES, comment="c" * 120), "accepted"),
    "a request of one comment in as many messages": (asked_for(V5_MAX_MESSAGES, comment="c" * 360), "accepted"),
    "a request of too long a comment": (asked_for(1, comment="c" * 125_000), "more than a node takes"),
    "a request of many bags": (asked_for(V5_MAX_MESSAGES, payload=boc.encode(UNKNOWN).hex()), "accepted"),
    "a request with too many messages": (asked_for(500), "1 to 255 messages"),
    "a request of nothing but lists": (b'{"a":' + b"[" * 130_000, "more than 600 objects and lists"),
    "a request of numbers": (b'{"messages":[' + b"1," * 60_000 + b"1]}", "1 to 255 messages"),
    "a request that is too large": (b"{" + b" " * MIB, "more than 131072 bytes"),
}

# Bitcoin

PAID = [Output(1_000, STRANGER)]
HEAD_FIELD = b"\x77"


def many_signed(count: int, kind: Kind, outputs: Sequence[Output] = PAID) -> bytes:
    """Write a PSBT with so many inputs of another, all signed, and one of ours."""
    other, ours = Party(kind, 1), Party(kind)
    salts = [divmod(salt, 256) for salt in range(count - 1)]
    coins = [replace(spent(other), salt=low, number=1 + high) for high, low in salts]
    raw = psbt([*coins, spent(ours, number=4)], outputs)
    return bytes.fromhex(str(other.decode(raw).sign(other.key).extra["psbt"]))


def many_legacy(count: int, script: bytes) -> bytes:
    """Write a PSBT with so many legacy inputs that nobody has signed, and as many outputs to this script."""
    coins = [replace(spent(Party(Kind.LEGACY)), salt=salt % 256, number=1 + salt // 256) for salt in range(count)]
    return psbt(coins, [Output(0, script)] * count)


def claimed_outputs(count: int) -> bytes:
    """Write a PSBT with so many outputs that say that they are ours, each to another taproot address."""
    outputs = [Output(1_000, witness(1, number.to_bytes(32))) for number in range(count)]
    return psbt([spent(US, 10**9)], outputs, output_fields={number: (claim(US),) for number in range(count)})


def previous(inputs: int, outputs: int) -> bytes:
    """Write a PSBT whose previous transaction has so many inputs, and empty outputs before the one that is spent."""
    ins, outs = [Input(number.to_bytes(36)) for number in range(inputs)], [Output(0, b"")] * outputs
    large = Transaction(2, tuple(ins), (*outs, Output(100_000, US.script), *outs), 0).raw()
    return psbt([Spent(US.script, number=outputs, whole=large)], PAID)


def unknown_fields(count: int) -> bytes:
    """Write a PSBT with so many fields that nobody knows."""
    return psbt([spent(US)], PAID, head=[(HEAD_FIELD + number.to_bytes(3), b"") for number in range(count)])


def final_witness(items: int) -> bytes:
    """Write a PSBT with a final witness of so many empty items, which is for a script of others."""
    stack = write_size(items) + bytes(items)
    return psbt([spent(US), Spent(witness(0, bytes(32)), salt=2, fields=((b"\x08", stack),))], PAID)


BITCOIN = {
    "as many fields as are taken": (unknown_fields(11_990), "accepted"),
    "more fields": (unknown_fields(170_000), "more than 12000 fields"),
    "a previous transaction with many inputs": (previous(25_000, 0), "accepted"),
    "a previous transaction with many outputs": (previous(1, 55_000), "accepted"),
    "signed inputs, legacy": (many_signed(400, Kind.LEGACY), "accepted"),
    "signed inputs and outputs, legacy": (many_signed(400, Kind.LEGACY, [Output(9_000, witness(1, bytes(32)))] * 400), "accepted"),
    "legacy inputs that hash much": (many_legacy(400, b"\x6a" * 190), "legacy inputs hash"),
    "signed inputs, nested": (many_signed(400, Kind.NESTED), "accepted"),
    "signed inputs, taproot": (many_signed(400, Kind.TAPROOT), "accepted"),
    "outputs": (claimed_outputs(400), "accepted"),
    "more outputs": (claimed_outputs(401), "there are 401 outputs"),
    "as many items of a witness as are taken": (final_witness(10_000), "accepted"),
    "more items of a witness": (final_witness(900_000), "may have 10000"),
    "a long script": (psbt([spent(US)], [Output(1, b"\x51" * 90_000)]), "accepted"),
    "much data": (psbt([spent(US)], [Output(0, b"\x6a" * 200)] * 400), "accepted"),
    "a long path": (psbt([spent(US)], PAID, output_fields={0: (claim(US, path=DerivationPath((1,) * 250_000)),)}), "accepted"),
    "too many bytes": (b"psbt\xff" + bytes(MIB), "1048576 are taken"),
}

CASES = [
    pytest.param(network, raw, reason, id=f"{network}: {name}")
    for network, cases in (("tron", TRON), ("eth", EVM), ("sol", SOLANA), ("ton", TON), ("ton v5r1", TON_V5R1), ("btc", BITCOIN))
    for name, (raw, reason) in cases.items()
]


@pytest.mark.parametrize(("network", "raw", "reason"), CASES)
def test_the_work_of_a_decoder_is_bounded(network: str, raw: bytes, reason: str) -> None:
    """Many tiny parts, deep nesting, lengths that promise more and shared parts cost bounded work."""
    work = work_of(lambda: decoded(network, raw))

    assert reason in work.outcome
    assert work.excess == ""


@pytest.mark.parametrize(("network", "raw", "reason"), [case for case in CASES if case.values[2] == "accepted"])
def test_an_intent_is_small_enough_to_be_audited(network: str, raw: bytes, reason: str) -> None:
    """However much a transaction holds, what is shown and kept of it is bounded."""
    intent = decoded(network, raw).intent

    assert len(json.dumps(intent.as_details())) <= (MOST_SHOWN_BYTES_OF_V5R1 if network == "ton v5r1" else MOST_SHOWN_BYTES)
