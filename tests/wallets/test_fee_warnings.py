"""Fees that are odd: more than a tenth of the value that moves, or absurd whatever a transaction does."""

import pytest
import rlp
from tronpy.proto import tron_pb2

from tests.wallets.second_opinions import TRON as VECTORS
from tests.wallets.solana_messages import SOL, message, our_key
from wallets.chains import CHAINS, chain_for
from wallets.chains.evm import Evm
from wallets.chains.solana.token_programs import TOKEN
from wallets.encoding import unbase58
from wallets.hashes import keccak256
from wallets.model import Intent

TENTH = "the fee may be more than a tenth of the amount"
COIN = 10**18
TO = b"\x33" * 20
DEPOSIT = keccak256(b"deposit()")[:4]
DISPERSE = keccak256(b"disperseEther(address[],uint256[])")[:4] + b"".join(each.to_bytes(32) for each in (64, 128, 1, 7, 1, COIN))
TRANSFER = keccak256(b"transfer(address,uint256)")[:4] + b"\x44".rjust(32, b"\0") + (5).to_bytes(32)
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"
RAW_DATA = {each["name"]: bytes.fromhex(each["raw_data"]) for each in VECTORS["transactions"]}


def _evm(fee: int, value: int, data: bytes = b"", *, to: bytes = TO, network: str = "eth") -> Intent:
    chain = chain_for(network)
    assert isinstance(chain, Evm)
    return chain.decode(bytes(rlp.encode([9, fee // 1_000, 1_000, to, value, data, chain.chain_id, b"", b""]))).intent


@pytest.mark.parametrize(
    ("data", "to"),
    [(b"", TO), (DEPOSIT, TO), (DISPERSE, TO), (b"\1\2\3\4", TO), (b"\x60", b"")],
    ids=["plain", "deposit", "disperse", "blind", "creation"],
)
def test_a_fee_of_more_than_a_tenth_is_warned_of_wherever_value_moves(data: bytes, to: bytes) -> None:
    """With call data, without, and into a new contract."""
    assert TENTH in _evm(50 * COIN, COIN, data, to=to).warnings
    assert TENTH in _evm(COIN // 10 + 1_000, COIN, data, to=to).warnings
    assert TENTH not in _evm(COIN // 10, COIN, data, to=to).warnings


@pytest.mark.parametrize(
    ("data", "to"), [(TRANSFER, TO), (DEPOSIT, TO), (b"", TO), (b"\x60", b"")], ids=["token", "call", "nothing", "creation"]
)
def test_an_absurd_fee_is_warned_of_where_no_value_moves(data: bytes, to: bytes) -> None:
    """What go-ethereum passes on without being told to is not absurd, anything above is."""
    assert f"the fee may be {50 * COIN}, far more than is usual" in _evm(50 * COIN, 0, data, to=to).warnings
    assert _evm(COIN, 0, data, to=to).warnings == ()


def test_an_absurd_fee_is_absurd_for_much_value_too() -> None:
    """Less than a tenth of it may be too much as well."""
    assert _evm(50 * COIN, 1_000 * COIN).warnings == (f"the fee may be {50 * COIN}, far more than is usual",)


@pytest.mark.parametrize(
    ("network", "coins"),
    [("eth", 1), ("bsc", 1), ("base", 1), ("polygon", 100), ("avalanche", 100), ("gnosis", 100), ("evm:5", 10**6)],
)
def test_what_is_absurd_is_so_for_what_the_coin_is_worth(network: str, coins: int) -> None:
    """Contracts are made for several coins where these are cheap, and nothing is known of what others are worth."""
    assert _evm(coins * COIN, 0, TRANSFER, network=network).warnings == ()
    assert len(_evm(coins * COIN + 1_000, 0, TRANSFER, network=network).warnings) == 1


@pytest.mark.parametrize(("price", "is_odd"), [(10**12, True), (714_282_142, False), (714_282_143, True), (12_345, False)])
def test_an_absurd_priority_fee_is_warned_of_for_tokens(price: int, is_odd: bool) -> None:
    """Tokens for a fee of up to one SOL go by without a word: 1,400,000 units at this price, in millionths, and 5,000 for the signature."""
    keys = [our_key().public_key, b"\x29" * 32, b"\x2a" * 32, b"\x2b" * 32, unbase58(TOKEN), unbase58(COMPUTE_BUDGET)]
    checked = bytes([12]) + (1_000).to_bytes(8, "little") + b"\6"
    limit, priority = b"\2" + (1_400_000).to_bytes(4, "little"), b"\3" + price.to_bytes(8, "little")
    calls = [bytes([5, 0, len(limit)]) + limit, bytes([5, 0, len(priority)]) + priority, bytes([4, 4, 1, 3, 2, 0, len(checked)]) + checked]

    intent = SOL.decode(message(header=(1, 0, 2), keys=keys, instructions=calls)).intent

    assert intent.kind == "token_transfer"
    assert intent.warnings == (f"the fee may be {intent.max_fee}, far more than is usual",) * is_odd


@pytest.mark.parametrize(
    ("name", "limit", "is_odd"),
    [
        ("trc20_transfer", 5_000_000_000, False),
        ("trc20_transfer", 5_000_000_001, True),
        ("create_contract", 1_500_000_000, False),
        ("create_contract", 15_000_000_000, True),
        ("contract_call_with_value", 150_000_000, False),
        ("transfer", 15_000_000_000, False),
    ],
)
def test_a_limit_of_energy_is_odd_where_it_is_absurd(name: str, limit: int, is_odd: bool) -> None:
    """It is no fee: of what wallets usually allow, a call burns a part. A plain transfer burns none, whatever it says."""
    raw = tron_pb2.Transaction.raw.FromString(RAW_DATA[name])
    raw.fee_limit = limit

    warnings = CHAINS["tron"].decode(raw.SerializeToString()).intent.warnings

    assert warnings == (f"the fee may be {limit}, far more than is usual",) * is_odd
