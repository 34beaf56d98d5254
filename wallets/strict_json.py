"""Read JSON whose every value is exact: no field twice, no fraction, no exponent, no depth without end."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

Refuse = Callable[[str, str, Exception | None], NoReturn]
"""Raises the caller's own error, of a field's name, a reason and a cause."""

MAX_CONTAINERS = 600
"""The objects and lists of one text. The parser recurses into each: how deep it may, the interpreter's limit alone would not say safely."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


class RepeatedFieldError(ValueError):
    """An object names a field twice."""


def parse_object(data: bytes, what: str, refuse: Refuse) -> dict[str, object]:
    """Read one object, with which `data` begins. `what` names it to `refuse`, which is called with anything else."""
    structure = _STRING.sub(b"", data)
    if structure.count(b"{") + structure.count(b"[") > MAX_CONTAINERS:
        refuse(what, f"it has more than {MAX_CONTAINERS} objects and lists", None)
    try:
        value = json.loads(data, object_pairs_hook=unique_fields, parse_float=_no_float, parse_constant=_no_float)
    except ValueError as error:
        refuse(what, f"it is no JSON as expected here ({error})", error)
    assert isinstance(value, dict)
    return value


def unique_fields(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its fields: an `object_pairs_hook`.

    Raises:
        RepeatedFieldError: A field is there twice, of which parsers take now the first, now the last.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        msg = "a field is there twice"
        raise RepeatedFieldError(msg)
    return fields


def _no_float(_: str) -> NoReturn:
    msg = "a number has a fraction or an exponent"
    raise ValueError(msg)
