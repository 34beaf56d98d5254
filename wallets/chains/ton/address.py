"""Write and read TON addresses: raw, and the four user-friendly forms (TEP-2)."""

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Self

from wallets.errors import InvalidRequestError

BOUNCEABLE = 0x11
NON_BOUNCEABLE = 0x51
TEST_ONLY = 0x80
WORKCHAINS = (0, -1)
"""The base workchain and the masterchain: there are no others."""

_RAW = re.compile(r"(0|-1):([0-9a-fA-F]{64})")
_FRIENDLY = re.compile(r"[A-Za-z0-9_-]{48}|[A-Za-z0-9+/]{48}")


@dataclass(frozen=True, slots=True)
class Address:
    """A contract's address: `workchain` is 0 or -1, `account` the 32-byte hash of its initial state."""

    workchain: int
    account: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read any form: raw, or base64 in either alphabet, bounceable or not, for the test network or not.

        Raises:
            InvalidRequestError: It is none of them, or the checksum does not fit.
        """
        return cls.parse_form(text)[0]

    @classmethod
    def parse_form(cls, text: str) -> tuple[Self, int | None]:
        """Read any form, and say which it is: the tag of a user-friendly one (`BOUNCEABLE`, `TEST_ONLY`...), None of a raw one.

        Raises:
            InvalidRequestError: See `parse`.
        """
        raw = _RAW.fullmatch(text)
        if raw:
            return cls(int(raw[1]), bytes.fromhex(raw[2])), None
        if _FRIENDLY.fullmatch(text):
            data = b64decode(text.replace("-", "+").replace("_", "/"))
            workchain = int.from_bytes(data[1:2], signed=True)
            is_known = data[0] & ~TEST_ONLY in {BOUNCEABLE, NON_BOUNCEABLE} and workchain in WORKCHAINS
            if is_known and _crc16(data[:34]) == data[34:]:
                return cls(workchain, data[2:34]), data[0]
        msg = "the text is no TON address"
        raise InvalidRequestError(msg)

    @property
    def raw(self) -> str:
        """The form of explorers and indexes: `0:` and 64 hexadecimal digits."""
        return f"{self.workchain}:{self.account.hex()}"

    @property
    def bounceable(self) -> str:
        """`EQ...`: value sent here comes back when no contract takes it."""
        return self._friendly(BOUNCEABLE)

    @property
    def non_bounceable(self) -> str:
        """`UQ...`: value sent here stays, also before the wallet's contract exists. What wallets show for a deposit."""
        return self._friendly(NON_BOUNCEABLE)

    @property
    def testnet_bounceable(self) -> str:
        """`kQ...`, for the test network."""
        return self._friendly(BOUNCEABLE | TEST_ONLY)

    @property
    def testnet_non_bounceable(self) -> str:
        """`0Q...`, for the test network."""
        return self._friendly(NON_BOUNCEABLE | TEST_ONLY)

    def _friendly(self, tag: int) -> str:
        data = bytes([tag]) + self.workchain.to_bytes(1, signed=True) + self.account
        return urlsafe_b64encode(data + _crc16(data)).decode()


def _crc16(data: bytes) -> bytes:
    """CRC-16/XMODEM, big-endian (TEP-2)."""
    return binascii.crc_hqx(data, 0).to_bytes(2)
