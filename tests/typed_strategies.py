"""Typed data (EIP-712) for property tests, made by hypothesis."""

from typing import Any

from hypothesis import strategies as st

_ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
_NAMES = [f"m{number}" for number in range(8)]

_ATOMS: dict[str, st.SearchStrategy[Any]] = {
    "address": _ADDRESS,
    "bool": st.booleans(),
    "string": st.text(max_size=40),
    "bytes": st.binary(max_size=70).map(lambda raw: "0x" + raw.hex()),
    "bytes4": st.binary(min_size=4, max_size=4).map(lambda raw: "0x" + raw.hex()),
    "bytes32": st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
    "uint8": st.integers(0, 255),
    "uint48": st.integers(0, 2**48 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "int8": st.integers(-128, 127),
    "int256": st.integers(-(2**255), 2**255 - 1),
}
_DOMAIN = {"name": ("string", st.text(max_size=20)), "version": ("string", st.just("1")), "verifyingContract": ("address", _ADDRESS)}


@st.composite
def typed_data(draw: st.DrawFn) -> dict[str, Any]:
    """Make typed data of up to four structs, each of which may hold those after it, with arrays around whatever they hold."""
    count = draw(st.integers(1, 4))
    names = [f"S{number}" for number in draw(st.permutations(range(count)))]
    types: dict[str, list[dict[str, str]]] = {}
    values: dict[str, st.SearchStrategy[Any]] = {}
    for position in reversed(range(count)):
        later = {name: values[name] for name in names[position + 1 :]}
        members = _members(draw, later, must_hold=names[position + 1 : position + 2])
        types[names[position]] = [{"name": name, "type": kind} for name, (kind, _) in members.items()]
        values[names[position]] = st.fixed_dictionaries({name: strategy for name, (_, strategy) in members.items()})
    domain = draw(st.lists(st.sampled_from(sorted(_DOMAIN)), min_size=1, unique=True))
    return {
        "types": {"EIP712Domain": [{"name": name, "type": _DOMAIN[name][0]} for name in sorted(domain, key=list(_DOMAIN).index)], **types},
        "primaryType": names[0],
        "domain": {name: draw(_DOMAIN[name][1]) for name in domain},
        "message": draw(values[names[0]]),
    }


def _members(
    draw: st.DrawFn, later: dict[str, st.SearchStrategy[Any]], *, must_hold: list[str]
) -> dict[str, tuple[str, st.SearchStrategy[Any]]]:
    """Draw the members of a struct: of atomic types and of structs, the next of which it must hold so that none is superfluous."""
    kinds = [*draw(st.lists(st.sampled_from([*_ATOMS, *later]), min_size=1, max_size=4)), *must_hold]
    return {name: _in_arrays(draw, kind, {**_ATOMS, **later}[kind]) for name, kind in zip(_NAMES, kinds, strict=False)}


def _in_arrays(draw: st.DrawFn, kind: str, values: st.SearchStrategy[Any]) -> tuple[str, st.SearchStrategy[Any]]:
    for length in draw(st.lists(st.sampled_from([None, 1, 2]), max_size=2)):
        kind += "[]" if length is None else f"[{length}]"
        values = st.lists(values, min_size=length or 0, max_size=length or 2)
    return kind, values
