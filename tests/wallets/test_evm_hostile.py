"""Hostile EVM requests: each is refused with what is wrong and where, leaves its audit row, and touches no key."""

import pytest
import rlp

from tests.wallets.custody_house import CALLER, House, outcome
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.model import Account, AuditAction, AuditStatus, SigningRequest

TO = bytes.fromhex("35" * 20)
EIP_1559 = [1, 7, 2, 30, 21000, TO, 5, b"", []]


def _typed(kind: int, items: list[object]) -> bytes:
    return bytes([kind]) + bytes(rlp.encode(items))


GOOD = _typed(2, EIP_1559)
BODY = [*EIP_1559, 3, [b"\1" * 32]]
HOSTILE = {
    "nothing": (b"", "unsigned_tx is not hex"),
    "truncated": (GOOD[:-1], "byte 1"),
    "trailing": (GOOD + b"\0", "byte"),
    "a long length of a short list": (b"\2\xf8" + bytes([len(GOOD) - 2]) + GOOD[2:], "byte 1"),
    "a leading zero": (_typed(2, [1, b"\0\7", *EIP_1559[2:]]), "nonce at byte 3"),
    "a list for a number": (_typed(2, [1, [], *EIP_1559[2:]]), "nonce at byte 3"),
    "oversized": (_typed(2, [*EIP_1559[:7], bytes(2**17), []]), "bytes; nodes take at most"),
    "nested": (_typed(2, [*EIP_1559[:8], [[[[[[]]]]]]]), "byte"),
    "another chain": (_typed(2, [56, *EIP_1559[1:]]), "chain id 56, but eth has 1"),
    "signed already": (_typed(2, [*EIP_1559, 1, 2, 3]), "signed already"),
    "another type": (_typed(5, EIP_1559), "0x05"),
    "another network": (bytes([1, 0, 1, 2]) + bytes(200), "byte 1"),
    "blobs of another transaction": (_typed(3, [BODY, [bytes(2**17)], [bytes(48)], [bytes(48)]]), "commitments at byte"),
    "a nonce beyond any account": (_typed(2, [1, 2**64 - 1, *EIP_1559[2:]]), "nonce at byte 3"),
}


@pytest.mark.parametrize(("raw", "reason"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_transaction_is_refused(raw: bytes, reason: str) -> None:
    """The reason names field and byte, the row has it, and neither the database nor the key backend is asked."""
    house = House()
    wallet = await house.known_wallet()
    house.store.away = True

    with pytest.raises(MalformedTransactionError, match=reason) as caught:
        await house.sign(wallet, "eth", raw.hex())

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert event.details["reason"] == str(caught.value)
    assert house.encryption.decryptions == 0


@pytest.mark.parametrize("network", ["evm:1", "evm:0", "evm:" + "9" * 27])
async def test_a_network_that_is_none_is_refused(network: str) -> None:
    """A second name of a network, or a chain id that cannot be, is refused and audited."""
    house = House()
    wallet = await house.known_wallet()

    with pytest.raises(InvalidRequestError, match="unknown network"):
        await house.custody.sign(SigningRequest(Account(wallet.id, network, 0), GOOD.hex(), CALLER))

    assert outcome(house.only_event()) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
