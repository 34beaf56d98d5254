"""Name what is fuzzed: each decoder with what must hold of any input, and inputs to begin with.

A target returns, or raises something that is a finding: any error that is not ours, a second library that reads otherwise, bytes that are
not written again as they were, or a changed byte that nobody would see.
"""

import json
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import rlp
from pydantic import ValidationError

from api import schemas
from api.errors import MalformedBodyError
from api.json_body import parse
from tests.wallets import solana_messages
from tests.wallets.psbts import MESSAGES
from tests.wallets.psbts import VECTORS as BITCOIN
from tests.wallets.second_opinions import EVM, ORIGINALS, TRON, is_taken
from tests.wallets.test_protobuf import GOOGLE, SAMPLE
from wallets.chains import CHAINS, chain_for, usual_variant
from wallets.chains.contract_calls import read_call
from wallets.chains.evm.address import EVM_ADDRESSES
from wallets.chains.evm.payload import decode_payload
from wallets.chains.protobuf import decode
from wallets.chains.rlp import RlpReader, encode_bytes, encode_list
from wallets.chains.ton.boc import decode as decode_bag
from wallets.chains.ton.boc import encode_bag
from wallets.errors import InvalidRequestError, MalformedMessageError, MalformedTransactionError
from wallets.model import Intent, TextMessage
from wallets.signing import inspect, read_message

FINDINGS = Path(__file__).parent / "findings"

_VECTORS = Path(__file__).parents[1] / "vectors"
_CONTRACT = "0x" + "35" * 20


@dataclass(frozen=True)
class Target:
    """What is fuzzed: `decode` is our part of it, without second libraries, which alone may not take long."""

    run: Callable[[bytes], object]
    seeds: list[bytes]
    decoder: Callable[[bytes], object] | None = None

    @property
    def decode(self) -> Callable[[bytes], object]:
        """The decoder; what is run where nobody else has a part in it."""
        return self.decoder or self.run


def _vectors(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_VECTORS / f"{name}.json").read_text())
    return found


def _intent(family: str, raw: bytes) -> Intent | None:
    network, _, variant = family.partition(" ")
    try:
        return CHAINS[network].decode(raw, variant).intent
    except MalformedTransactionError:
        return None


def _transaction(family: str, raw: bytes) -> None:
    """It is refused, or is what a second library reads, writes and verifies; another byte anywhere would show, or be refused."""
    if is_taken(family, raw):
        _changed_byte_shows(family, raw)


def _changed_byte_shows(family: str, raw: bytes) -> None:
    choice = zlib.crc32(raw)  # as good as random, and the same again for the same input
    at, change = choice % len(raw), 1 + (choice >> 16) % 255
    other = _intent(family, raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :])
    assert other is None or other != _intent(family, raw), f"byte {at} changed by {change} does not show"


def _psbt(network: str, variant: str, raw: bytes) -> None:
    """It is refused, or written again as it was, for accounts and networks that have no second opinion."""
    with suppress(MalformedTransactionError):
        CHAINS[network].decode(raw, variant)
        _changed_byte_shows(f"{network} {variant}".rstrip(), raw)


def _bag(raw: bytes) -> None:
    """It is refused, or written again as it was."""
    with suppress(MalformedTransactionError):
        assert encode_bag(decode_bag(raw)) == raw


def _rlp_item(reader: RlpReader, depth: int) -> Any:
    if not reader.next_is_list():
        return reader.string("item")
    items, found = reader.list("item"), []
    while items.more():
        if depth > 100:
            raise MalformedTransactionError("too deep for this test, which recurses; no transaction does")
        found.append(_rlp_item(items, depth + 1))
    return found


def _rlp(raw: bytes) -> None:
    """It is refused, or is written again as it was, by us and by the rlp package."""
    with suppress(MalformedTransactionError):
        reader = RlpReader(raw)
        item = _rlp_item(reader, 0)
        reader.finish("input")
        assert _rlp_written(item) == raw
        assert rlp.encode(item) == raw


def _rlp_written(item: Any) -> bytes:
    return encode_bytes(item) if isinstance(item, bytes) else encode_list(b"".join([_rlp_written(each) for each in item]))


def _protobuf(raw: bytes) -> None:
    """It is refused, or is what Google's library writes for the same values."""
    with suppress(MalformedTransactionError):
        decode(SAMPLE, raw)
        assert GOOGLE.FromString(raw).SerializeToString(deterministic=True) == raw


def _message(network: str, variant: str, raw: bytes) -> None:
    """It is refused, or has an intent that can be kept as JSON."""
    with suppress(MalformedMessageError):
        found = CHAINS[network].read_message(raw or b"\0", variant)
        assert "\\u0000" not in json.dumps(found.intent.as_details())


def _typed_data(network: str, raw: bytes) -> None:
    """What a body may hold is refused, or has an intent that can be kept as JSON."""
    with suppress(MalformedBodyError, MalformedMessageError):
        value = parse(raw)
        if isinstance(value, Mapping):
            found = CHAINS[network].read_typed_data(value)
            assert "\\u0000" not in json.dumps(found.intent.as_details())


def _ton_request(variant: str, raw: bytes) -> None:
    """It is refused, or becomes a payload for wallets of this version."""
    with suppress(MalformedTransactionError):
        CHAINS["ton"].decode(b"{" + raw, variant)


def _call(raw: bytes) -> None:
    """Any call data is told for what it does, or as unknown, and shown within bounds."""
    if raw:
        meaning = read_call(raw, _CONTRACT, EVM_ADDRESSES)
        assert len(meaning.transfers) <= 256
        assert len(json.dumps(dict(meaning.details))) <= 64 * 1024


_BODIES = (
    schemas.CreateWallet,
    schemas.ImportWallet,
    schemas.InspectTransaction,
    schemas.SignTransaction,
    schemas.SignMessage,
    schemas.SignTypedData,
    schemas.SignBatch,
    schemas.SignWalletsBatch,
)


def _body(raw: bytes) -> None:
    """A body is refused, or fits a schema; what it wants inspected or signed is then refused or read."""
    with suppress(MalformedBodyError):
        value = parse(raw)
        for kind in _BODIES:
            with suppress(ValidationError, InvalidRequestError):
                found = kind.model_validate(value)
                if isinstance(found, schemas.InspectTransaction | schemas.SignTransaction):
                    inspect(found.network, found.text, found.type or found.version or "")
                if isinstance(found, schemas.SignMessage):
                    chain, message = chain_for(found.network), TextMessage(found.message or "", found.format or "")
                    read_message(chain, message, usual_variant(chain, found.type or ""))


def _address(raw: bytes) -> None:
    """A text is no address, or one of which every form that is written is read again as the same."""
    text = raw.decode("utf-8", "replace")[:256]
    for chain in CHAINS.values():
        for written in chain.normalize(text):
            assert written in chain.normalize(written)


def _texts(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


_TON = _vectors("ton")
_EVM_MESSAGES = _vectors("evm_messages")
_TYPED = [
    *(each["typed_data"] for each in _vectors("eip712")["examples"]),
    *(each["typed_data"] for name in ("typed_data", "authorizations", "user_operations") for each in _EVM_MESSAGES[name]),
]
_PSBTS = {
    kind: [bytes.fromhex(each["unsigned_tx"]) for each in BITCOIN["transactions"] if each["type"] == kind]
    for kind in ("taproot", "nested", "legacy")
}
_TON_VERSIONS = {"v4r2": "", "v5r1": "v5r1", "v3r2": "v3r2"}
_REQUESTS = [json.dumps(each["request"])[1:].encode() for each in _TON["transactions"] if "request" in each]
_SIGN_BODIES: list[dict[str, Any]] = [
    {"label": "a", "mnemonic_length": 24},
    {"label": "a", "mnemonic": "zoo", "passphrase": "", "scheme": "v1_0_8"},
    {"network": "ton", "index": 0, "version": "v5r1", "request": _TON["transactions"][-1]["request"]},
    *({"network": each["network"], "index": 0, "type": each["type"], "message": "a", "format": each["format"]} for each in MESSAGES[:3]),
    *({"network": "eth", "index": 0, "unsigned_tx": each.hex()} for each in ORIGINALS["eth"][:3]),
    {"items": [{"network": "sol", "index": 0, "unsigned_tx": ORIGINALS["sol"][0].hex()}]},
]
_ADDRESSES = [each["address"] for each in (*EVM["accounts"], *TRON["accounts"], *BITCOIN["accounts"], *_TON["accounts"])]

TARGETS: dict[str, Target] = {
    **{
        f"transaction {family}": Target(partial(_transaction, family), raws, partial(_intent, family)) for family, raws in ORIGINALS.items()
    },
    **{f"psbt {kind}": Target(partial(_psbt, "btc", kind), raws) for kind, raws in _PSBTS.items()},
    "psbt doge": Target(partial(_psbt, "doge", ""), _PSBTS["legacy"]),
    "psbt ltc": Target(partial(_psbt, "ltc", ""), ORIGINALS["btc"]),
    "bag of cells": Target(_bag, [b64decode(each["boc"]) for each in _vectors("ton_boc")["accepted"]]),
    **{f"ton request {name}": Target(partial(_ton_request, variant), _REQUESTS) for name, variant in _TON_VERSIONS.items()},
    "ton sign data": Target(partial(_message, "ton", ""), _texts(*(each["request"] for each in _TON["sign_data"]))),
    "sol message": Target(partial(_message, "sol", ""), [bytes.fromhex(each["message"]) for each in solana_messages.VECTORS["messages"]]),
    "eth message": Target(partial(_message, "eth", ""), [bytes.fromhex(each["message_hex"][2:]) for each in _EVM_MESSAGES["messages"]]),
    "btc message": Target(partial(_message, "btc", "legacy"), [b"hello", *(raw.hex().encode() for raw in ORIGINALS["btc"][:3])]),
    "eth typed data": Target(partial(_typed_data, "eth"), _texts(*_TYPED)),
    "tron typed data": Target(partial(_typed_data, "tron"), _texts(*(each["typed_data"] for each in TRON["typed_data"]))),
    "call data": Target(_call, [data for raw in ORIGINALS["eth"] if (data := decode_payload(raw).data)]),
    "rlp": Target(_rlp, [raw for raw in ORIGINALS["eth"] if raw[0] >= 0xC0]),
    "protobuf": Target(_protobuf, [GOOGLE(number=7, data=b"a", text="b", inners=[{"number": 1, "text": "c"}]).SerializeToString()]),
    "body": Target(_body, _texts(*_SIGN_BODIES)),
    "address": Target(_address, [each.encode() for each in _ADDRESSES]),
}
"""Every decoder of what clients send."""


def findings() -> list[tuple[str, Path]]:
    """Return what was found before, by target: inputs that failed once, each in a file of its folder."""
    return [(name, path) for name in TARGETS for path in sorted((FINDINGS / name.replace(" ", "-")).glob("*"))]
