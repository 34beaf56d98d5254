"""Write a wallet's payload from a request in JSON, for clients that have no TON library.

::

    {
      "seqno": 7,                     the wallet's own counter; 0 deploys it
      "valid_until": 1800000000,      seconds since 1970
      "messages": [                   1 to 4; v5r1: to 255
        {
          "to": "UQ...",              in any form
          "amount": "1500000000",     nanotons, as decimal text or an integer
          "comment": "order 7",       or "payload": a bag of cells in hex or base64; or neither
          "bounce": false,            unless given, what the form of "to" says; true for a raw one
          "mode": 3,                  the send mode: 3 unless given (fees apart, errors ignored)
          "state_init": "b5ee9c72..." a bag of cells, for the deployment of "to"
        }
      ]
    }

The payload is laid out as @ton/ton does, cell by cell, so that both make the same of the same request. What was written is then read,
checked and shown as any other payload: this module decides nothing about it.
"""

from collections.abc import Mapping
from typing import NoReturn

from wallets.chains.ton.address import NON_BOUNCEABLE, TEST_ONLY, Address
from wallets.chains.ton.boc import Builder, Cell, Slice, decode
from wallets.chains.ton.message import COMMENT, IGNORE_ERRORS, PAY_FEES_SEPARATELY
from wallets.chains.ton.wallet import MAINNET, Draft, WalletContract
from wallets.encoding import unbase64, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.strict_json import parse_object

MAX_REQUEST_BYTES = 128 * 1024
"""More than a payload of the largest size needs, with its cells in hex: each byte is work."""
MAX_COINS = (1 << 120) - 1

_FIELDS = frozenset({"seqno", "valid_until", "messages"})
_MESSAGE_FIELDS = frozenset({"to", "amount", "comment", "payload", "bounce", "mode", "state_init"})
_USUAL_MODE = PAY_FEES_SEPARATELY | IGNORE_ERRORS
_MAX_AMOUNT_DIGITS = 37
_FIRST_COMMENT_BYTES = 123
_COMMENT_BYTES = 127


def write_payload(request: bytes, contract: WalletContract) -> Cell:
    """Write the payload of a request.

    Raises:
        MalformedTransactionError: The request is not as the module's description has it; the message names the field.
    """
    fields = _object(_parse(request), "request", _FIELDS)
    messages = fields.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= contract.max_messages:
        _refuse("request.messages", f"a {contract.name} wallet sends 1 to {contract.max_messages} messages")
    seqno, valid_until = (_number(fields, "request", name, (1 << 32) - 1) for name in ("seqno", "valid_until"))
    written = [_message(message, f"request.messages[{position}]", contract) for position, message in enumerate(messages)]
    return contract.write(Draft(valid_until, seqno, written))


def _message(value: object, what: str, contract: WalletContract) -> tuple[int, Cell]:
    fields = _object(value, what, _MESSAGE_FIELDS)
    address, bounce = _recipient(fields, what, contract)
    amount = _amount(fields.get("amount"), f"{what}.amount")
    mode = _number(fields, what, "mode", 255) if "mode" in fields else _USUAL_MODE
    state = _cell(fields, what, "state_init")
    return mode, _internal(address, bounce, amount, state, _body(fields, what))


def _recipient(fields: Mapping[str, object], what: str, contract: WalletContract) -> tuple[Address, bool]:
    text, bounce = fields.get("to"), fields.get("bounce")
    try:
        address, tag = Address.parse_form(text if isinstance(text, str) else "")
    except InvalidRequestError as error:
        _refuse(f"{what}.to", str(error), error)
    if tag is not None and tag & TEST_ONLY and MAINNET in contract.networks:
        _refuse(f"{what}.to", "the address is written for the test network")
    if bounce is None:
        return address, tag is None or tag & ~TEST_ONLY != NON_BOUNCEABLE
    if not isinstance(bounce, bool):
        _refuse(f"{what}.bounce", "it is true or false")
    return address, bounce


def _amount(value: object, what: str) -> int:
    """Read an amount: an integer, or its digits without leading zeros."""
    number = value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_AMOUNT_DIGITS and str(int(value)) == value:
        number = int(value)
    if type(number) is not int or not 0 <= number <= MAX_COINS:
        _refuse(what, "nanotons are expected, as an integer or as decimal text")
    return number


def _body(fields: Mapping[str, object], what: str) -> Cell:
    comment = fields.get("comment")
    payload = _cell(fields, what, "payload")
    if comment is None:
        return payload or Builder().cell()
    if payload is not None:
        _refuse(what, "a message has a comment or a payload, and not both")
    try:
        data = comment.encode() if isinstance(comment, str) else b""
    except UnicodeEncodeError:
        data = b""
    if not data:
        _refuse(f"{what}.comment", "a text is expected, which is not empty")
    return _comment(data)


def _comment(text: bytes) -> Cell:
    """Write a comment in snake format: as much as fits, and the rest in a reference, and so on."""
    first, rest = text[:_FIRST_COMMENT_BYTES], text[_FIRST_COMMENT_BYTES:]
    chunks = [rest[start : start + _COMMENT_BYTES] for start in range(0, len(rest), _COMMENT_BYTES)]
    cell: Cell | None = None
    for chunk in reversed(chunks):
        builder = Builder().octets(chunk)
        cell = (builder if cell is None else builder.ref(cell)).cell()
    builder = Builder().uint(COMMENT, 32).octets(first)
    return (builder if cell is None else builder.ref(cell)).cell()


def _cell(fields: Mapping[str, object], what: str, name: str) -> Cell | None:
    """Read a bag of cells in hex or base64; None where there is none."""
    text = fields.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        _refuse(f"{what}.{name}", "a bag of cells is expected, in hex or base64")
    try:
        return decode(unbase64(text) if text.startswith("te6cc") else unhex(text)).root
    except MalformedTransactionError as error:
        _refuse(f"{what}.{name}", f"a bag of cells is expected, in hex or base64 ({error})", error)


def _internal(address: Address, bounce: bool, amount: int, state: Cell | None, body: Cell) -> Cell:
    """Write an internal message, with a body that may be empty."""
    builder = Builder().uint(0b01, 2).uint(bounce, 1).uint(0b0, 1).uint(0b00, 2)
    builder.uint(0b100, 3).uint(address.workchain & 0xFF, 8).octets(address.account).coins(amount).uint(0, 1 + 4 + 4 + 64 + 32)
    builder.uint(state is not None, 1)
    if state is not None:
        # Behind it there must be room for the body's own bit, and for the body as a reference.
        _store_either(builder, state, "state init", spare_bits=1, spare_refs=1)
    _store_either(builder, body, "body")
    return builder.cell()


def _store_either(builder: Builder, cell: Cell, what: str, *, spare_bits: int = 0, spare_refs: int = 0) -> None:
    """Store `Either X ^X`: what a cell holds where there is room for it and what follows, as @ton/core does, and else a reference to it."""
    if builder.fits(cell, spare_bits=1 + spare_bits, spare_refs=spare_refs) and not cell.exotic:
        builder.uint(0b0, 1).rest(Slice(cell, what))
    else:
        builder.uint(0b1, 1).ref(cell)


def _parse(request: bytes) -> dict[str, object]:
    if len(request) > MAX_REQUEST_BYTES:
        _refuse("request", f"it has more than {MAX_REQUEST_BYTES} bytes")
    return parse_object(request, "request", _refuse)


def _object(value: object, what: str, known: frozenset[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        _refuse(what, "an object is expected")
    if not value.keys() <= known:
        _refuse(what, f"unknown fields; known are {', '.join(sorted(known))}")
    return value


def _number(fields: Mapping[str, object], what: str, name: str, maximum: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value <= maximum:
        _refuse(f"{what}.{name}", f"an integer from 0 to {maximum} is expected")
    return value


def _refuse(what: str, reason: str, cause: Exception | None = None) -> NoReturn:
    msg = f"{what}: {reason}"
    raise MalformedTransactionError(msg) from cause
