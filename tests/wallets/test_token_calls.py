"""Token calls: what eth-abi writes is read, and what only looks like it is not."""

import pytest
from eth_abi import encode  # type: ignore[attr-defined]  # exported without saying so
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import U256, evm_addresses
from wallets.chains.token_calls import CallMeaning, read_call
from wallets.hashes import keccak256
from wallets.model import Transfer

CONTRACT = "cc" * 20
A, B = bytes.fromhex("aa" * 20), bytes.fromhex("bb" * 20)
SELECTORS = {
    "transfer(address,uint256)": "a9059cbb",
    "transferFrom(address,address,uint256)": "23b872dd",
    "approve(address,uint256)": "095ea7b3",
    "increaseAllowance(address,uint256)": "39509351",
    "setApprovalForAll(address,bool)": "a22cb465",
}


def _call(method: str, *values: object) -> bytes:
    types = method[method.index("(") + 1 : -1].split(",")
    return bytes.fromhex(SELECTORS[method]) + bytes(encode(types, values))


def _read(data: bytes) -> CallMeaning:
    return read_call(data, CONTRACT, bytes.hex, address_heads=(bytes(12),))


@pytest.mark.parametrize(("method", "selector"), SELECTORS.items())
def test_selectors_are_the_hashes_of_the_methods(method: str, selector: str) -> None:
    """The published selectors are the first four bytes of the Keccak-256 of the signatures (Solidity ABI)."""
    assert selector == keccak256(method.encode())[:4].hex()


@given(evm_addresses().filter(any), st.integers(0, U256))
def test_transfer(recipient: bytes, amount: int) -> None:
    """A transfer moves the amount of the contract's token to the recipient."""
    meaning = _read(_call("transfer(address,uint256)", recipient, amount))

    assert meaning == CallMeaning("token_transfer", "transfer(address,uint256)", (Transfer(recipient.hex(), amount, CONTRACT),))


def test_transfer_from() -> None:
    """A transfer of another's tokens tells whose."""
    meaning = _read(_call("transferFrom(address,address,uint256)", A, B, 7))

    assert meaning.transfers == (Transfer(B.hex(), 7, CONTRACT),)
    assert meaning.details == {"from": A.hex()}


@pytest.mark.parametrize(("recipient", "warning"), [(bytes(20), "zero address"), (bytes.fromhex(CONTRACT), "own contract"), (A, "")])
def test_a_transfer_that_loses_the_tokens_is_warned_of(recipient: bytes, warning: str) -> None:
    """Tokens sent to the zero address or to their own contract are lost."""
    warnings = _read(_call("transfer(address,uint256)", recipient, 1)).warnings

    assert [warning] * bool(warning) == [warning for text in warnings if warning in text]
    assert bool(warning) == bool(warnings)


@pytest.mark.parametrize("method", ["approve(address,uint256)", "increaseAllowance(address,uint256)"])
@pytest.mark.parametrize(("amount", "unlimited"), [(0, False), (2**96 - 2, False), (2**96 - 1, True), (U256, True)])
def test_approvals(method: str, amount: int, *, unlimited: bool) -> None:
    """An approval moves nothing; it tells spender and amount, and warns where the amount has no practical limit."""
    meaning = _read(_call(method, A, amount))

    assert (meaning.kind, meaning.method, meaning.transfers) == ("token_approval", method, ())
    assert meaning.details == {"spender": A.hex(), "amount": str(amount)}
    assert unlimited == any("unlimited" in text for text in meaning.warnings)


@pytest.mark.parametrize("approved", [True, False])
def test_an_operator(*, approved: bool) -> None:
    """An operator may move everything, which is warned of; taking that back is not."""
    meaning = _read(_call("setApprovalForAll(address,bool)", A, approved))

    assert meaning.details == {"operator": A.hex(), "approved": str(approved).lower()}
    assert approved == bool(meaning.warnings)


TRANSFER = _call("transfer(address,uint256)", A, 1)


@pytest.mark.parametrize(
    "data",
    [
        TRANSFER[:-1],
        TRANSFER + b"\0",
        TRANSFER + bytes(32),
        TRANSFER[:4],
        TRANSFER[:4] + b"\1" + TRANSFER[5:],
        _call("setApprovalForAll(address,bool)", A, True)[:-1] + b"\2",
    ],
)
def test_what_only_starts_like_a_token_call_is_warned_of(data: bytes) -> None:
    """Missing, additional and dirty bytes make it a call that is not read, and the warning says what it looks like."""
    meaning = _read(data)

    assert (meaning.kind, meaning.method, meaning.transfers) == ("contract_call", None, ())
    assert "does not have its shape" in meaning.warnings[0]


@given(st.binary(min_size=1, max_size=120))
def test_any_call_data_has_a_meaning(data: bytes) -> None:
    """No call data raises; what is unknown is told by its selector and length."""
    meaning = _read(data)

    assert meaning.details == {"selector": "0x" + data[:4].hex(), "data_bytes": len(data)}
