"""Show messages and other texts to people: as text where they are text, and cut where they are long."""

import binascii
import contextlib
from collections.abc import Mapping

from wallets.encoding import legible
from wallets.model import Intent

SHOWN_CHARACTERS = 1_000
SHOWN_BYTES = 64


def message_intent(network: str, standard: str, message: bytes, shown: Mapping[str, str]) -> Intent:
    """Return what signing a message does; `shown` is what people see of it."""
    details: dict[str, str | int] = {"standard": standard, "bytes": len(message), **shown}
    warnings = ("the message has 32 bytes and may be the hash of something that is not shown",) if len(message) == 32 else ()
    return Intent(network, "message", details=details, warnings=warnings)


def written_bytes(text: bytes) -> list[bytes]:
    """Return the bytes that a text is hex or base64 of: ways in which transactions are handed on."""
    found = []
    stripped = text.strip()
    for decode in (binascii.unhexlify, binascii.a2b_base64):
        with contextlib.suppress(ValueError):
            found.append(decode(stripped.removeprefix(b"0x")))
    return found


def shown_message(message: bytes) -> dict[str, str]:
    """Return a message as its text if it is one, else as hex."""
    try:
        return {"message": shown_text(message.decode())}
    except UnicodeDecodeError:
        return {"message_hex": shown_bytes(message)}


def shown_bytes(data: bytes) -> str:
    """Return bytes as hex, and their number where they are cut."""
    return data.hex() if len(data) <= SHOWN_BYTES else f"{data[:SHOWN_BYTES].hex()}... ({len(data)} bytes)"


def shown_text(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Return a text without what terminals and databases stumble over, and its length where it is cut."""
    return legible(text) if len(text) <= most else f"{legible(text[:most])}... ({len(text)} characters)"
