"""Decoders: a byte changed in what is accepted is refused, or shows in what is shown.

The suite changes a few bytes of each transaction; `BYTES=all` changes every byte to every other value.
"""

import os
from collections.abc import Iterator

import pytest

from tests.wallets.second_opinions import ORIGINALS
from wallets.chains import CHAINS
from wallets.chains.base import UnsignedTransaction
from wallets.errors import MalformedTransactionError

IS_LONG = os.environ.get("BYTES") == "all"
MOST_BYTES = 2_000
"""Of one transaction, in the short form."""


def decoded(family: str, raw: bytes) -> UnsignedTransaction | None:
    """Decode for a network, or a variant of its accounts; None where it is refused."""
    network, _, variant = family.partition(" ")
    try:
        return CHAINS[network].decode(raw, variant)
    except MalformedTransactionError:
        return None


def changes(raw: bytes) -> Iterator[bytes]:
    """Yield the input with a byte changed: of the short form, one bit of every byte or every few bytes."""
    step = 1 if IS_LONG else 1 + len(raw) // 60
    for at in range(0, len(raw) if IS_LONG else min(len(raw), MOST_BYTES), step):
        for change in range(1, 256) if IS_LONG else (1 << at % 8,):
            yield raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :]


@pytest.mark.parametrize("family", ORIGINALS)
def test_a_changed_byte_is_refused_or_shows(family: str) -> None:
    """Two inputs that differ in a byte never look the same, whatever the byte is for."""
    count = 0

    for raw in ORIGINALS[family]:
        original = decoded(family, raw)
        assert original is not None
        for changed in changes(raw):
            other = decoded(family, changed)
            assert other is None or other.intent != original.intent, changed.hex()
            count += 1

    assert count >= 60 * len(ORIGINALS[family]) // 2
