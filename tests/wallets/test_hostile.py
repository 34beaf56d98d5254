"""Hostile transactions of every network: each is refused with what is wrong and where, leaves its audit row, and touches no key.

EVM's are written here; those of the others are the cases of their decoders' tests, which say what is wrong with each.
"""

from datetime import UTC, datetime

import pytest
import rlp

from tests.wallets import test_bitcoin_refusals, test_solana_refusals, test_tron, ton_messages
from tests.wallets.custody_house import CALLER, House, outcome
from tests.wallets.second_opinions import ORIGINALS
from wallets.chains import CHAINS
from wallets.chains.bitcoin import Bitcoin
from wallets.errors import InvalidRequestError, MalformedTransactionError, WrongSignerError
from wallets.model import Account, AuditAction, AuditStatus, SigningRequest

TO = bytes.fromhex("35" * 20)
EIP_1559 = [1, 7, 2, 30, 21000, TO, 5, b"", []]


def _typed(kind: int, items: list[object]) -> bytes:
    return bytes([kind]) + bytes(rlp.encode(items))


GOOD = _typed(2, EIP_1559)
BODY = [*EIP_1559, 3, [b"\1" * 32]]
EVM = {
    "nothing": (b"", "transaction at byte 0: the transaction is empty"),
    "truncated": (GOOD[:-1], "byte 1"),
    "trailing": (GOOD + b"\0", "byte"),
    "a long length of a short list": (b"\2\xf8" + bytes([len(GOOD) - 2]) + GOOD[2:], "byte 1"),
    "a leading zero": (_typed(2, [1, b"\0\7", *EIP_1559[2:]]), "nonce at byte 3"),
    "a list for a number": (_typed(2, [1, [], *EIP_1559[2:]]), "nonce at byte 3"),
    "oversized": (_typed(2, [*EIP_1559[:7], bytes(2**17), []]), "bytes; nodes take at most"),
    "nested": (_typed(2, [*EIP_1559[:8], [[[[[[]]]]]]]), "byte"),
    "another chain": (_typed(2, [56, *EIP_1559[1:]]), "chain_id at byte 2: the transaction is for chain id 56, but eth has 1"),
    "another chain, legacy": (bytes(rlp.encode([7, 1, 21000, TO, 5, b"", 56, 0, 0])), "chain_id at byte 29: .* chain id 56, but eth has 1"),
    "signed already": (_typed(2, [*EIP_1559, 1, 2, 3]), "y_parity at byte 33: the transaction is signed already"),
    "signed already, legacy": (bytes(rlp.encode([7, 1, 21000, TO, 5, b"", 37, 0, 1])), "s at byte 31: the transaction is signed already"),
    "items missing": (_typed(2, EIP_1559[:8]), "transaction at byte 2: .* has 9 items, not 8"),
    "another type": (_typed(5, EIP_1559), "0x05"),
    "another network": (bytes([1, 0, 1, 2]) + bytes(200), "byte 1"),
    "blobs of another transaction": (_typed(3, [BODY, [bytes(2**17)], [bytes(48)], [bytes(48)]]), "commitments at byte"),
    "a nonce beyond any account": (_typed(2, [1, 2**64 - 1, *EIP_1559[2:]]), "nonce at byte 3"),
}


HOSTILE: dict[str, list[bytes]] = {
    "eth": [raw for raw, _ in EVM.values()],
    "tron": [raw for raw, _ in test_tron.MALFORMED],
    "sol": [raw for raw, _ in test_solana_refusals.MALFORMED],
    "ton": [bytes.fromhex(each["unsigned_tx"]) for each in ton_messages.VECTORS["refused"]],
    "btc": [raw for raw, _ in test_bitcoin_refusals.MALFORMED.values()],
}

_WHEN_TRON_TAKES_IT = datetime.fromtimestamp(1_900_000_000, UTC)

FOREIGN = [
    (family, network)
    for family in ORIGINALS
    for network, chain in CHAINS.items()
    # A PSBT does not name its network: there the inputs do, by being the account's or not.
    if network != family.partition(" ")[0] and not (family == "btc" and isinstance(chain, Bitcoin))
]


@pytest.mark.parametrize(("raw", "reason"), EVM.values(), ids=EVM)
def test_the_reason_names_field_and_byte(raw: bytes, reason: str) -> None:
    """What is wrong with an EVM transaction, and where."""
    with pytest.raises(MalformedTransactionError, match=reason):
        CHAINS["eth"].decode(raw)


@pytest.mark.parametrize(("network", "number"), [(network, number) for network, raws in HOSTILE.items() for number in range(len(raws))])
async def test_a_hostile_transaction_is_refused(network: str, number: int) -> None:
    """The row has the reason that the caller is told, and neither the database nor the key backend is asked."""
    house = House()
    wallet = await house.known_wallet()
    house.store.away = True

    with pytest.raises(MalformedTransactionError) as caught:
        await house.sign(wallet, network, HOSTILE[network][number].hex())

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert event.details["reason"] == str(caught.value)
    assert house.encryption.decryptions == 0


@pytest.mark.parametrize(("family", "network"), FOREIGN)
async def test_a_transaction_of_another_network_is_refused(family: str, network: str) -> None:
    """Whatever one network's tools wrote is no transaction for a network of another format, nor for another EVM chain."""
    house = House()
    wallet = await house.known_wallet()

    for raw in ORIGINALS[family]:
        with pytest.raises(MalformedTransactionError):
            await house.sign(wallet, network, raw.hex())

    assert [event.status for event in house.audit.events] == [AuditStatus.REFUSED] * len(ORIGINALS[family])
    assert house.encryption.decryptions == 0


@pytest.mark.parametrize("network", ["tron", "sol", "btc"])
async def test_a_transaction_of_another_account_is_refused(network: str) -> None:
    """Where a transaction names its signers, an account that is none of them makes no signature."""
    house = House(now=_WHEN_TRON_TAKES_IT)
    wallet = await house.known_wallet()

    with pytest.raises(WrongSignerError, match="is not among the transaction's signers"):
        await house.sign(wallet, network, ORIGINALS[network][0].hex(), index=7)

    event = house.only_event()
    assert outcome(event) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert "tx_id" not in event.details


@pytest.mark.parametrize("network", ["evm:1", "evm:0", "evm:" + "9" * 27])
async def test_a_network_that_is_none_is_refused(network: str) -> None:
    """A second name of a network, or a chain id that cannot be, is refused and audited."""
    house = House()
    wallet = await house.known_wallet()

    with pytest.raises(InvalidRequestError, match="unknown network"):
        await house.custody.sign(SigningRequest(Account(wallet.id, network, 0), GOOD.hex(), CALLER))

    assert outcome(house.only_event()) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
