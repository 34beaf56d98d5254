"""Calls that use what an owner of tokens has signed (Permit2, ERC-3009): what eth-abi writes is read for what it moves."""

from typing import Any

import pytest

from tests.wallets.test_call_value import call
from wallets.chains.contract_calls import read_call
from wallets.chains.contract_calls.meaning import AddressForm, CallMeaning
from wallets.model import Transfer

A, B, TOKEN = (bytes([each]) * 20 for each in (0x11, 0x22, 0x33))
CONTRACT = "44" * 20
SPLIT = (27, bytes(32), bytes(32))
WITNESS = (bytes(32), "Order witness)Order(uint256 id)TokenPermissions(address token,uint256 amount)")
ONE = "((address,uint256),uint256,uint256),(address,uint256),address"
MANY = "((address,uint256)[],uint256,uint256),(address,uint256)[],address"
AUTHORIZED = "(address,address,uint256,uint256,uint256,bytes32,"

PERMIT2 = {
    "30f28b7a": (f"permitTransferFrom({ONE},bytes)", False, ()),
    "edd9444b": (f"permitTransferFrom({MANY},bytes)", True, ()),
    "137c29fe": (f"permitWitnessTransferFrom({ONE},bytes32,string,bytes)", False, WITNESS),
    "fe8ec1a7": (f"permitWitnessTransferFrom({MANY},bytes32,string,bytes)", True, WITNESS),
}
"""By the selectors of the contract that is in use: the method, whether it moves several tokens, and its witness."""
ERC_3009: dict[str, tuple[str, tuple[Any, ...]]] = {
    "e3ee160e": (f"transferWithAuthorization{AUTHORIZED}uint8,bytes32,bytes32)", SPLIT),
    "cf092995": (f"transferWithAuthorization{AUTHORIZED}bytes)", (bytes(65),)),
    "ef55bec6": (f"receiveWithAuthorization{AUTHORIZED}uint8,bytes32,bytes32)", SPLIT),
    "88b7ab63": (f"receiveWithAuthorization{AUTHORIZED}bytes)", (bytes(65),)),
}
"""By the selectors of USDC: the method, and its signature."""


def _read(data: bytes) -> CallMeaning:
    return read_call(data, CONTRACT, AddressForm(bytes.hex, (bytes(12),)))


@pytest.mark.parametrize("selector", PERMIT2)
def test_permit2_takes_what_was_permitted(selector: str) -> None:
    """It moves what is asked for, which is no more than is permitted, to whom the spender says, with a witness or without."""
    method, is_many, witness = PERMIT2[selector]
    permitted, taken = (TOKEN, 100), (B, 7)
    values = (([permitted], 1, 9), [taken], A) if is_many else ((permitted, 1, 9), taken, A)

    data = call(method, *values, *witness, bytes(65))

    assert data[:4].hex() == selector
    assert _read(data) == CallMeaning("token_transfer", method, (Transfer(B.hex(), 7, TOKEN.hex()),), {"from": A.hex(), "deadline": "9"})


def test_each_token_that_permit2_takes_is_told() -> None:
    """Each with its own recipient; the zero address among them is warned of."""
    method = PERMIT2["edd9444b"][0]

    meaning = _read(call(method, ([(TOKEN, 100), (B, 5)], 1, 9), [(B, 7), (bytes(20), 5)], A, bytes(65)))

    assert meaning.transfers == (Transfer(B.hex(), 7, TOKEN.hex()), Transfer(bytes(20).hex(), 5, B.hex()))
    assert "zero address" in meaning.warnings[0]


def test_more_or_less_taken_than_permitted_is_not_read() -> None:
    """Permit2 refuses lists of different lengths."""
    meaning = _read(call(PERMIT2["edd9444b"][0], ([(TOKEN, 100)], 1, 9), [], A, bytes(65)))

    assert meaning.warnings[0].startswith("blind call: the call data starts like")


@pytest.mark.parametrize("selector", ERC_3009)
def test_transfers_by_authorization(selector: str) -> None:
    """Whoever sends it, to move or to receive, and whichever way the signature is written."""
    method, signature = ERC_3009[selector]

    data = call(method, A, B, 5, 0, 9, bytes(32), *signature)

    assert data[:4].hex() == selector
    assert _read(data) == CallMeaning("token_transfer", method, (Transfer(B.hex(), 5, CONTRACT),), {"from": A.hex(), "valid_before": "9"})
