"""Typed data (EIP-712): hashed as the standard and eth-account do, and refused where it is not exactly what its types say."""

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.samples import typed_mail
from tests.typed_strategies import typed_data
from wallets.chains import CHAINS
from wallets.chains.evm.typed_data import MAX_VALUES, encode_type, read_typed_data
from wallets.chains.evm.typed_types import ATOMIC, MAX_MEMBERS, MAX_TYPES
from wallets.curves import Curve, private_key
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256

EIP_712: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "eip712.json").read_text())
ETH = CHAINS["eth"]
DOMAIN = [{"name": "name", "type": "string"}]


def _of(kind: str, value: Any, **types: list[dict[str, str]]) -> dict[str, Any]:
    """Return typed data of one member of this type."""
    members = [{"name": "a", "type": kind}]
    return {
        "types": {"EIP712Domain": DOMAIN, "T": members, **types},
        "primaryType": "T",
        "domain": {"name": "x"},
        "message": {"a": value},
    }


def _expected_digest(value: dict[str, Any]) -> bytes:
    found = encode_typed_data(full_message=value)
    return keccak256(b"\x19" + found.version + found.header + found.body)


@pytest.mark.parametrize("example", EIP_712["examples"], ids=lambda each: each["name"])
def test_the_examples_of_the_standard(example: dict[str, Any]) -> None:
    """The published type, digest and signature of each example."""
    data = read_typed_data(example["typed_data"])

    assert encode_type(data.structs, data.primary_type) == example["encoded_type"]
    assert data.digest.hex() == example["digest"]
    signed = ETH.read_typed_data(example["typed_data"]).sign(private_key(Curve.SECP256K1, bytes.fromhex(example["private_key"])))
    assert signed.signature.hex() == example["signature"]


@given(typed_data())
@settings(max_examples=100)
def test_any_typed_data_is_hashed_as_eth_account_does(value: dict[str, Any]) -> None:
    """Nested structs, arrays of any depth and every atomic type have the digest that eth-account gives them."""
    assert read_typed_data(value).digest == _expected_digest(value)


@pytest.mark.parametrize("kind", ATOMIC)
def test_every_atomic_type_at_its_bounds(kind: str) -> None:
    """Least and greatest values are hashed as eth-account does, and one beyond is refused."""
    bits = int("".join(filter(str.isdigit, kind)) or 0)
    within: list[Any]
    beyond: list[Any]
    if kind.startswith("uint"):
        within, beyond = [0, 2**bits - 1], [-1, 2**bits, True, 1.0, None, "", "0x", "1e3", "01", " 1", "0xg"]
    elif kind.startswith("int"):
        within, beyond = [-(2 ** (bits - 1)), -1, 0, 2 ** (bits - 1) - 1], [-(2 ** (bits - 1)) - 1, 2 ** (bits - 1), "-0", "-0x1"]
    elif bits:
        within, beyond = (
            ["0x" + "ab" * bits],
            ["0x" + "ab" * (bits - 1), "0x" + "ab" * (bits + 1), "ab" * bits, 1, "0x" + "a" * (2 * bits + 1)],
        )
    else:
        others: dict[str, tuple[list[Any], list[Any]]] = {
            "bool": ([True, False], [0, 1, "true", None]),
            "string": (["", "\u20ac"], [1, None, "\ud800", ["a"]]),
            "bytes": (["0x", "0xab"], ["", "ab", "0xa", "0xzz", 1, None]),
            "address": (
                ["0x" + "ab" * 20, "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"],
                ["0x" + "ab" * 19, "ab" * 20, "0xCd2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", 1, None, "vitalik.eth"],
            ),
        }
        within, beyond = others[kind]

    for value in within:
        assert read_typed_data(_of(kind, value)).digest == _expected_digest(_of(kind, value))
    for value in beyond:
        with pytest.raises(MalformedMessageError, match=r"^message\.a: "):
            read_typed_data(_of(kind, value))


@pytest.mark.parametrize("number", [255, "255", "0xff", "0xFF"])
def test_a_number_may_be_written_as_text(number: int | str) -> None:
    """Decimal and hex texts stand for the same number, since JavaScript's numbers do not reach far."""
    assert read_typed_data(_of("uint8", number)).digest == read_typed_data(_of("uint8", 255)).digest


def test_a_type_that_holds_itself_ends_with_an_empty_list() -> None:
    """A recursive type is hashed where the value ends, as eth-account does."""
    node = [{"name": "children", "type": "Node[]"}]
    value = _of("Node", {"children": [{"children": []}, {"children": []}]}, Node=node)

    assert read_typed_data(value).digest == _expected_digest(value)


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def _with(new: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = new

    return change


_MEMBER = {"name": "a", "type": "string"}
_REFUSALS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no types": (_without("types"), "typed_data: types is missing"),
    "no primary type": (_without("primaryType"), "typed_data: primaryType is missing"),
    "no domain": (_without("domain"), "typed_data: domain is missing"),
    "no message": (_without("message"), "typed_data: message is missing"),
    "more": (_with(1, "more"), "typed_data: more is not among its members"),
    "more, with a name that is not shown": (_with(1, "<b>"), "typed_data: a member is not among its members"),
    "types as a list": (_with([], "types"), "types: an object is expected"),
    "no domain type": (_without("types", "EIP712Domain"), "types: EIP712Domain is missing"),
    "an empty domain type": (_with([], "types", "EIP712Domain"), "types.EIP712Domain: it has no members"),
    "a foreign domain member": (_with([_MEMBER], "types", "EIP712Domain"), "types.EIP712Domain.a: a domain has no such member"),
    "a domain member of another type": (
        _with([{"name": "chainId", "type": "string"}], "types", "EIP712Domain"),
        "types.EIP712Domain.chainId: a domain has no such member",
    ),
    "an undeclared type": (_without("types", "Person"), "types.Mail.from: there is no type Person"),
    "an unneeded type": (_with([_MEMBER], "types", "Other"), "types: Other is declared, but Mail does not need it"),
    "an atomic type's name": (_with([_MEMBER], "types", "uint256"), "types: the name of a type is an identifier"),
    "an alias' name": (_with([_MEMBER], "types", "uint"), "types: the name of a type is an identifier"),
    "a name that is none": (_with([_MEMBER], "types", "a b"), "types: the name of a type is an identifier"),
    "members that are no list": (_with({}, "types", "Mail"), "types.Mail: a list of members is expected"),
    "a member that is no object": (_with(["a"], "types", "Mail"), r"types.Mail\[0\]: an object is expected"),
    "a member without type": (_with([{"name": "a"}], "types", "Mail"), r"types.Mail\[0\]: type is missing"),
    "a member with more": (_with([{**_MEMBER, "x": 1}], "types", "Mail"), r"types.Mail\[0\]: x is not among"),
    "a member's name": (_with([{"name": "a b", "type": "string"}], "types", "Mail"), r"types.Mail\[0\].name: an identifier"),
    "a member's name, of no text": (_with([{"name": 1, "type": "string"}], "types", "Mail"), r"types.Mail\[0\].name: an identifier"),
    "a member's type": (_with([{"name": "a", "type": "string["}], "types", "Mail"), r"types.Mail\[0\].type: a type is expected"),
    "a member's type, of no text": (_with([{"name": "a", "type": 1}], "types", "Mail"), r"types.Mail\[0\].type: a type is expected"),
    "an array of none": (_with([{"name": "a", "type": "string[0]"}], "types", "Mail"), r"types.Mail\[0\].type: a type is expected"),
    "an alias": (_with([{"name": "a", "type": "uint"}], "types", "Mail"), r"types.Mail\[0\].type: uint is no type of EIP-712"),
    "a member twice": (_with([_MEMBER, _MEMBER], "types", "Mail"), "types.Mail: two members have the same name"),
    "a foreign primary type": (_with("Letter", "primaryType"), "primaryType: it must be one of the declared types"),
    "the domain as primary type": (_with("EIP712Domain", "primaryType"), "primaryType: it must be one of"),
    "a primary type of no text": (_with(7, "primaryType"), "primaryType: it must be one of"),
    "a missing domain member": (_without("domain", "version"), "domain: version is missing"),
    "a superfluous domain member": (_with("0x" + "00" * 32, "domain", "salt"), "domain: salt is not among its members"),
    "a missing member": (_without("message", "to", "wallet"), "message.to: wallet is missing"),
    "a superfluous member": (_with(1, "message", "to", "age"), "message.to: age is not among its members, which are name, wallet"),
    "nothing for a struct": (_with(None, "message", "to"), "message.to: an object is expected"),
    "a list for a struct": (_with([], "message", "to"), "message.to: an object is expected"),
}


@pytest.mark.parametrize(("change", "reason"), _REFUSALS.values(), ids=_REFUSALS)
def test_what_is_not_what_its_types_say_is_refused(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    """Missing and superfluous types and members, and values of other types, are refused; the message says where."""
    value = deepcopy(typed_mail())
    change(value)

    with pytest.raises(MalformedMessageError, match=f"^{reason}"):
        ETH.read_typed_data(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (_of("string[]", "a"), "message.a: a list is expected"),
        (_of("string[2]", ["a"]), "message.a: 2 items are expected, not 1"),
        (_of("uint8[][2]", [[1], [256]]), r"message.a\[1\]\[0\]: it does not fit in uint8"),
        (_of("uint8[]", [1] * (MAX_VALUES + 1)), f"there are more than {MAX_VALUES} values"),
        (_of("T", {}, T2=[]), "types: T2 is declared"),
        (_of("string", "a", **{f"A{number}": [] for number in range(MAX_TYPES)}), f"types: there are more than {MAX_TYPES}"),
        (
            _of("A", {}, A=[{"name": f"m{number}", "type": "string"} for number in range(MAX_MEMBERS)]),
            f"all types together have more than {MAX_MEMBERS} members",
        ),
    ],
    ids=["no list", "fixed length", "arrays of arrays", "values", "unneeded", "types", "members"],
)
def test_arrays_and_bounds(value: dict[str, Any], reason: str) -> None:
    """Arrays have the length that their type says, and whatever is sent, the work is bounded."""
    with pytest.raises(MalformedMessageError, match=reason):
        read_typed_data(value)


def test_values_are_nested_no_deeper_than_is_bounded() -> None:
    """A value of a recursive type is refused before the interpreter's stack is at its end."""
    inner: dict[str, Any] = {"children": []}
    for _ in range(500):
        inner = {"children": [inner]}

    with pytest.raises(MalformedMessageError, match="nested more than 32 deep"):
        read_typed_data(_of("Node", inner, Node=[{"name": "children", "type": "Node[]"}]))


def test_a_long_chain_of_types_is_read() -> None:
    """As many types as are taken, each holding the next, are read without a recursion over types."""
    types = {f"A{number}": [{"name": "next", "type": f"A{number + 1}[]"}] for number in range(MAX_TYPES - 3)}
    last = {f"A{MAX_TYPES - 3}": [_MEMBER]}

    assert read_typed_data(_of("A0", {"next": []}, **types, **last)).primary_type == "T"


def test_typed_data_of_another_chain_is_refused() -> None:
    """The domain's chain id is the network's, or the signature could not be what it is asked for."""
    with pytest.raises(MalformedMessageError, match=r"domain\.chainId: the typed data is for chain id 1, but bsc has 56"):
        CHAINS["bsc"].read_typed_data(typed_mail())


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ),
    st.data(),
)
@settings(max_examples=100)
def test_any_json_in_any_place_raises_our_error_and_no_other(junk: Any, data: st.DataObject) -> None:
    """Whatever stands in the place of a part of the example, it is read or refused by our own error."""
    value: Any = deepcopy(typed_mail())
    place = value
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = junk

    with suppress(MalformedMessageError):
        ETH.read_typed_data(value)
