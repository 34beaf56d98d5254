"""Read what a TON account signs that is no transaction: TON Connect's `signData`, as text, bytes or a cell.

::

    {
      "type": "text",                 "binary" has "bytes" (base64), "cell" has "cell" (base64 of a bag) and "schema" (TL-B)
      "text": "I agree",
      "domain": "example.org",        the app that asks
      "timestamp": 1800000000,        seconds since 1970, when it was asked
      "from": "0:...", "network": "-239"    both optional, and checked
    }

Text and bytes are signed by the SHA-256 of a message that begins with 0xffff, which begins no cell; a cell by the hash of a cell around it,
which begins with 0x75569022 and no payload of a wallet does. So a signature of a message can never be one of a transaction; what reads as
a wallet's payload is refused all the same. Source: TON Connect's `requests-responses.md`, "Sign Data".
"""

import binascii
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NoReturn

from wallets.chains.base import NamesNoSigner, reads_as_transaction
from wallets.chains.message_text import shown_bytes, shown_message, shown_text, written_bytes
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, Cell, decode
from wallets.chains.ton.wallet import WALLETS, WalletContract
from wallets.curves import sign_ed25519
from wallets.encoding import legible, unbase64_exactly
from wallets.errors import InvalidRequestError, MalformedMessageError, MalformedTransactionError
from wallets.hashes import sha256
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey
from wallets.strict_json import parse_object

_TAG = b"\xff\xffton-connect/sign-data/"
_CELL_TAG = 0x75569022
_COMMON = frozenset({"type", "domain", "timestamp", "from", "network"})
_FIELDS = {"text": {"text"}, "binary": {"bytes"}, "cell": {"cell", "schema"}}
_MAX_DOMAIN_BYTES = 126
_MAX_TIMESTAMP = (1 << 63) - 1
_GUIDE = 'TON Connect\'s signData is signed: JSON with "type" (text, binary or cell), its content, "domain" and "timestamp"'


@dataclass(frozen=True, slots=True)
class Content:
    """What shall be signed: `kind` and bytes, or the checksum of a schema and a cell."""

    kind: str
    data: bytes = b""
    schema_crc: int = 0
    cell: Cell | None = None


@dataclass(frozen=True, slots=True)
class TonMessage(NamesNoSigner):
    """A message to sign for the app `domain`. Which wallet it names is known when it is signed: the message does not choose the key."""

    contract: WalletContract
    workchain: int
    content: Content
    domain: str
    timestamp: int
    sender: Address | None
    intent: Intent

    def sign(self, key: PrivateKey) -> SignedMessage:
        """See `Signable.sign`.

        Raises:
            MalformedMessageError: The message names another wallet than this key's.
        """
        wallet = Address(self.workchain, self.contract.state_init(key.public_key).hash)
        if self.sender not in {None, wallet}:
            refuse("from", f"it is another account than the one that shall sign, {wallet.non_bounceable}")
        digest = digest_of(self.content, wallet, self.domain, self.timestamp)
        return SignedMessage(sign_ed25519(key, digest), digest)


def read_sign_data(message: bytes, variant: str, *, network: str, workchain: int) -> TonMessage:
    """Read a request of `signData`.

    Raises:
        MalformedMessageError: It is none, or what it wants signed reads as a transaction.
    """
    if not message.startswith(b"{"):
        refuse("message", _GUIDE)
    fields = parse_object(message, "message", refuse)
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        refuse("type", f"it is one of {', '.join(_FIELDS)}")
    if not fields.keys() <= _COMMON | _FIELDS[kind]:
        refuse("message", f"unknown fields; known are {', '.join(sorted(_COMMON | _FIELDS[kind]))}")
    content = _content(kind, fields)
    _refuse_transaction(content)
    domain, timestamp = _domain(fields), fields.get("timestamp")
    if type(timestamp) is not int or not 0 <= timestamp <= _MAX_TIMESTAMP:
        refuse("timestamp", "seconds since 1970 are expected")
    sender = _sender(fields)
    contract = WALLETS[variant]
    _check_network(fields, contract)
    details = {"standard": "ton-connect", "domain": legible(domain), "timestamp": timestamp, **_shown(content, fields)}
    intent = Intent(network, "message", method=f"signData.{kind}", details=details, warnings=_warnings(content))
    return TonMessage(contract, workchain, content, domain, timestamp, sender, intent)


def digest_of(content: Content, wallet: Address, domain: str, timestamp: int) -> bytes:
    """Return the 32 bytes that are signed."""
    if content.cell is not None:
        head = Builder().uint(_CELL_TAG, 32).uint(content.schema_crc, 32).uint(timestamp, 64)
        name = Builder().octets(dns_name(domain)).cell()
        return head.uint(0b100, 3).uint(wallet.workchain & 0xFF, 8).octets(wallet.account).ref(name).ref(content.cell).cell().hash
    name_bytes = domain.encode()
    prefix = b"txt" if content.kind == "text" else b"bin"
    parts = (
        _TAG,
        wallet.workchain.to_bytes(4, signed=True),
        wallet.account,
        len(name_bytes).to_bytes(4),
        name_bytes,
        timestamp.to_bytes(8),
        prefix,
        len(content.data).to_bytes(4),
        content.data,
    )
    return sha256(b"".join(parts))


def dns_name(domain: str) -> bytes:
    """Write a domain as contracts know it (TEP-81): its labels from the last to the first, each with a zero byte behind it."""
    return b"".join(label.encode() + b"\0" for label in reversed(domain.split(".")))


def refuse(what: str, reason: str, cause: Exception | None = None) -> NoReturn:
    """Raise `MalformedMessageError` for the field `what`."""
    msg = f"{what}: {reason}"
    raise MalformedMessageError(msg) from cause


def _content(kind: str, fields: Mapping[str, object]) -> Content:
    if kind == "text":
        return Content(kind, _encoded(fields.get("text"), "text"))
    if kind == "binary":
        return Content(kind, _unbase64(fields.get("bytes"), "bytes"))
    schema = binascii.crc32(_encoded(fields.get("schema"), "schema"))
    try:
        return Content(kind, schema_crc=schema, cell=decode(_unbase64(fields.get("cell"), "cell")).root)
    except MalformedTransactionError as error:
        refuse("cell", str(error), error)


def _encoded(value: object, what: str) -> bytes:
    try:
        data = value.encode() if isinstance(value, str) else b""
    except UnicodeEncodeError:
        data = b""
    if not data:
        refuse(what, "a text is expected, which is not empty")
    return data


def _unbase64(value: object, what: str) -> bytes:
    data = unbase64_exactly(value) if isinstance(value, str) else None
    if not data:
        refuse(what, "base64 is expected, which is not empty")
    return data


def _domain(fields: Mapping[str, object]) -> str:
    """Read a domain: UTF-8 without control characters and spaces, in labels that are not empty (TEP-81)."""
    domain = fields.get("domain")
    data = _encoded(domain, "domain")
    assert isinstance(domain, str)
    if len(data) + 1 > _MAX_DOMAIN_BYTES or min(data) <= 0x20 or not all(domain.split(".")):
        refuse("domain", f"it has labels between points, at most {_MAX_DOMAIN_BYTES - 1} bytes and no spaces")
    return domain


def _sender(fields: Mapping[str, object]) -> Address | None:
    text = fields.get("from")
    if text is None:
        return None
    try:
        return Address.parse(text if isinstance(text, str) else "")
    except InvalidRequestError as error:
        refuse("from", str(error), error)


def _check_network(fields: Mapping[str, object], contract: WalletContract) -> None:
    network, known = fields.get("network"), [str(each) for each in sorted(contract.networks)]
    if network is not None and network not in known:
        refuse("network", f"it is one of {', '.join(known)} for this account")


def _refuse_transaction(content: Content) -> None:
    """Refuse a wallet's payload, also as the hex or base64 of one in a text."""
    cells = [content.cell] if content.cell is not None else []
    for data in () if cells else (content.data, *written_bytes(content.data)):
        with contextlib.suppress(MalformedTransactionError):
            cells.append(decode(data).root)
    for cell, contract in product(cells, WALLETS.values()):
        if reads_as_transaction(cell, contract.read):
            refuse("message", f"it is a payload of a {contract.name} wallet; transactions are signed by /sign alone")


def _shown(content: Content, fields: Mapping[str, object]) -> dict[str, str | int]:
    if content.cell is not None:
        return {"schema": shown_text(str(fields["schema"])), "cell_hash": content.cell.hash.hex(), "cell_bits": content.cell.bit_length}
    shown = {"message_hex": shown_bytes(content.data)} if content.kind == "binary" else shown_message(content.data)
    return {"bytes": len(content.data), **shown}


def _warnings(content: Content) -> tuple[str, ...]:
    if content.kind == "text":
        return ()
    return (
        ("contracts may act on the signed cell; its content is not shown",)
        if content.cell
        else ("the content is bytes that no person reads",)
    )
