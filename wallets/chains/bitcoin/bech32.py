"""Write and read segwit addresses: bech32 for version 0 (BIP-173), bech32m for the later ones (BIP-350)."""

from wallets.errors import InvalidRequestError

MAX_LENGTH = 90

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
BECH32 = 1
BECH32M = 0x2BC830A3


def _overflow(top: int) -> int:
    total = 0
    for bit, generator in enumerate(_GENERATORS):
        total ^= generator if top >> bit & 1 else 0
    return total


_OVERFLOWS = tuple(_overflow(top) for top in range(32))
"""What the five bits that leave the checksum's state bring into it: looked up, since thousands of addresses may be in one transaction."""


def encode_address(hrp: str, version: int, program: bytes) -> str:
    """Write a witness program: `version` 0 to 16, `program` 2 to 40 bytes, `hrp` in lower case."""
    return encode(hrp, [version, *_regrouped_up(program)], BECH32 if version == 0 else BECH32M)


def decode_address(hrp: str, text: str) -> tuple[int, bytes]:
    """Read the version and the program of a segwit address.

    Raises:
        InvalidRequestError: It is none, or not of this network.
    """
    found, values, constant = decode(text)
    version, program = (values[0], _regrouped_down(values[1:])) if values else (-1, None)
    is_right = (
        found == hrp
        and program is not None
        and 0 <= version <= 16
        and 2 <= len(program) <= 40
        and (version > 0 or len(program) in {20, 32})
        and constant == (BECH32 if version == 0 else BECH32M)
    )
    if not is_right:
        msg = "the text is no segwit address of this network"
        raise InvalidRequestError(msg)
    assert program is not None
    return version, program


def encode(hrp: str, values: list[int], constant: int) -> str:
    """Write five-bit values with their checksum."""
    state = _polymod([*_expanded(hrp), *values, *bytes(_CHECKSUM_LENGTH)]) ^ constant
    checksum = [state >> 5 * place & 31 for place in reversed(range(_CHECKSUM_LENGTH))]
    return f"{hrp}1{''.join([_ALPHABET[value] for value in [*values, *checksum]])}"


def decode(text: str) -> tuple[str, list[int], int]:
    """Read the human-readable part, the five-bit values without the checksum, and which of the two checksums it is.

    Raises:
        InvalidRequestError: It is neither bech32 nor bech32m.
    """
    hrp, separator, data = text.lower().rpartition("1")
    is_text = (
        len(text) <= MAX_LENGTH
        and text in {text.lower(), text.upper()}
        and separator
        and hrp
        and all(33 <= ord(character) <= 126 for character in hrp)
        and len(data) >= _CHECKSUM_LENGTH
        and _VALUES.keys() >= set(data)
    )
    values = [_VALUES[character] for character in data] if is_text else []
    constant = _polymod([*_expanded(hrp), *values]) if is_text else 0
    if constant not in {BECH32, BECH32M}:
        msg = "the text is not bech32"
        raise InvalidRequestError(msg)
    return hrp, values[:-_CHECKSUM_LENGTH], constant


def _expanded(hrp: str) -> list[int]:
    return [ord(character) >> 5 for character in hrp] + [0] + [ord(character) & 31 for character in hrp]


def _polymod(values: list[int]) -> int:
    state = 1
    for value in values:
        state = (state & 0x1FFFFFF) << 5 ^ value ^ _OVERFLOWS[state >> 25]
    return state


def _regrouped_up(program: bytes) -> list[int]:
    """Regroup eight bits as five, zeros at the end."""
    padding = -len(program) * 8 % 5
    number, count = int.from_bytes(program) << padding, (len(program) * 8 + padding) // 5
    return [number >> 5 * place & 31 for place in reversed(range(count))]


def _regrouped_down(values: list[int]) -> bytes | None:
    """Regroup five bits as eight; None where what is left at the end is not less than five zeros."""
    number = 0
    for value in values:
        number = number << 5 | value
    count, padding = divmod(len(values) * 5, 8)
    if padding >= 5 or number & (1 << padding) - 1:
        return None
    return (number >> padding).to_bytes(count)
