"""Read what a Solana account signs that is no transaction: off-chain messages.

They begin with the byte 0xff and `solana offchain`, and no transaction's message begins with 0xff: a signature of one can never be one of
a transaction. Two versions are in use. In 0 an application's 32 bytes, a format and a length stand before the text; in 1 there are only
the signers, each once and in order. A text that comes without such a beginning is signed as version 1, with the account as its only
signer; what reads as a transaction, by itself or in base58, base64 or hex, is refused.

Sources: the Anza documentation, "Off-chain message signing" (version 0, SIMD-0048); sRFC 3 and @solana/offchain-messages (both).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from wallets.chains.base import Own, reads_as_transaction
from wallets.chains.message_text import shown_text, written_bytes
from wallets.chains.solana.message import KEY_BYTES, Reader
from wallets.curves import sign_ed25519
from wallets.encoding import base58, unbase58
from wallets.errors import InvalidRequestError, MalformedMessageError
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

DOMAIN = b"\xffsolana offchain"
MAX_BYTES = 65_535
"""Version 0 writes the text's length in two bytes. Version 1 does not bound it; here it is bounded alike."""
MAX_SHORT_BYTES = 1_232
"""What version 0's first two formats may hold: what small devices can show."""

_MAX_TRANSACTION_CHARACTERS = 1_683
"""Of the largest transaction in base58."""
_PRINTABLE_ASCII = range(0x20, 0x7F)
_ASCII, _SHORT_UTF8, _UTF8 = range(3)


@dataclass(frozen=True, slots=True)
class SolanaMessage:
    """A message to sign. `preamble` is what stands before the text, None where it is that of whoever signs alone."""

    preamble: bytes | None
    text: bytes
    signers: frozenset[str]
    intent: Intent

    def intent_for(self, address: str, _own: Own | None = None, /) -> Intent:
        """See `Signable.intent_for`: with what stands before the text, so that a verifier can put it there."""
        preamble = _preamble(unbase58(address)) if self.preamble is None else self.preamble
        return replace(self.intent, sender=address, details={**self.intent.details, "preamble": preamble.hex()})

    def sign(self, key: PrivateKey) -> SignedMessage:
        """See `Signable.sign`: ed25519 over preamble and text, without a hash."""
        preamble = _preamble(key.public_key) if self.preamble is None else self.preamble
        return SignedMessage(sign_ed25519(key, preamble + self.text), None)


def read_offchain(network: str, message: bytes, decode: Callable[[bytes], object]) -> SolanaMessage:
    """Read an off-chain message of either version, or a text, neither of which `decode` may take for a transaction.

    Raises:
        MalformedMessageError: It is not exactly one of these, or its text reads as a transaction.
    """
    if not message.startswith(DOMAIN):
        _check_text(message, decode, start=0)
        return SolanaMessage(None, message, frozenset(), _intent(network, "1", message, {}))
    reader = Reader(message, "message", MalformedMessageError)
    reader.take(len(DOMAIN))
    version = reader.u8()
    if version > 1:
        reader.fail(f"version {version} of off-chain messages is not known here")
    details = {"application_domain": base58(reader.take(KEY_BYTES)), "format": str(_read_format(reader))} if version == 0 else {}
    signers = _read_signers(reader, in_order=version == 1)
    if version == 0:
        _read_length(reader)
    preamble, text = message[: reader.at], message[reader.at :]
    _check_text(text, decode, start=reader.at)
    if version == 0:
        _check_format(int(details["format"]), text, reader)
    texts = [base58(signer) for signer in signers]
    intent = _intent(network, str(version), text, {**details, "signers": ", ".join(texts)})
    return SolanaMessage(preamble, text, frozenset(texts), intent)


def _read_format(reader: Reader) -> int:
    number = reader.u8()
    if number > _UTF8:
        reader.fail(f"there is no format {number}")
    return number


def _read_signers(reader: Reader, *, in_order: bool) -> list[bytes]:
    count = reader.u8()
    if count == 0:
        reader.fail("there is no signer")
    keys = [reader.take(KEY_BYTES) for _ in range(count)]
    if len(set(keys)) != count or (in_order and keys != sorted(keys)):
        reader.fail("a signer is there twice, or they are not in order")
    return keys


def _read_length(reader: Reader) -> None:
    length = reader.uint(2)
    if length != reader.remaining:
        reader.fail(f"the text has {reader.remaining} bytes, and not {length}")


def _preamble(key: bytes) -> bytes:
    return DOMAIN + b"\x01\x01" + key


def _check_text(text: bytes, decode: Callable[[bytes], object], *, start: int) -> None:
    if not text:
        _refuse(start, "the text is empty")
    if len(text) > MAX_BYTES:
        _refuse(start, f"the text has {len(text)} bytes; at most {MAX_BYTES} are signed")
    if any(reads_as_transaction(reading, decode) for reading in (text, *_decodings(text))):
        _refuse(start, "the message is a transaction of Solana; transactions are signed by /sign alone")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        _refuse(start + error.start, "the text is not UTF-8", error)


def _check_format(number: int, text: bytes, reader: Reader) -> None:
    if number != _UTF8 and len(text) > MAX_SHORT_BYTES:
        reader.fail(f"format {number} holds at most {MAX_SHORT_BYTES} bytes")
    if number == _ASCII and not all(byte in _PRINTABLE_ASCII for byte in text):
        reader.fail("format 0 holds printable ASCII only")


def _decodings(text: bytes) -> list[bytes]:
    """Return what a text is that is hex, base64 or base58."""
    found = written_bytes(text)
    with contextlib.suppress(InvalidRequestError):
        found.append(unbase58(text.strip().decode("ascii", "replace"), max_length=_MAX_TRANSACTION_CHARACTERS))
    return found


def _intent(network: str, version: str, text: bytes, details: dict[str, str]) -> Intent:
    shown: dict[str, str | int] = {"standard": f"solana-offchain-v{version}", "message": shown_text(text.decode()), "bytes": len(text)}
    return Intent(network, "message", details={**shown, **details})


def _refuse(offset: int, reason: str, cause: Exception | None = None) -> NoReturn:
    msg = f"message, byte {offset}: {reason}"
    raise MalformedMessageError(msg) from cause
