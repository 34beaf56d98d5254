"""Show messages and other texts to people: as text where they are text, and cut where they are long."""

from wallets.encoding import legible

SHOWN_CHARACTERS = 1_000
SHOWN_BYTES = 64


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
