"""Read the contract calls that every wallet must show in words: ERC-20 transfers and approvals, which TRC-20 shares.

ERC-721 uses two of the same selectors, with a token's number where ERC-20 has the amount: the call data alone cannot tell them apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wallets.hashes import keccak256
from wallets.model import Transfer

ZERO_ADDRESS = bytes(20)

_WORD = 32
_PRACTICALLY_UNLIMITED = 2**96 - 1
"""Tokens that keep amounts in 96 bits take this for unlimited, and no token has a supply near it."""

_TRANSFERS = ("transfer(address,uint256)", "transferFrom(address,address,uint256)")
_APPROVALS = ("approve(address,uint256)", "increaseAllowance(address,uint256)")
_OPERATOR = "setApprovalForAll(address,bool)"
_METHODS = {keccak256(method.encode())[:4]: method for method in (*_TRANSFERS, *_APPROVALS, _OPERATOR)}


@dataclass(frozen=True, slots=True)
class CallMeaning:
    """What a contract call does, in the terms of `wallets.model.Intent`."""

    kind: str
    method: str | None = None
    transfers: tuple[Transfer, ...] = ()
    details: Mapping[str, str | int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_call(data: bytes, contract: str, address_text: Callable[[bytes], str], *, address_heads: tuple[bytes, ...]) -> CallMeaning:
    """Say what the call data does when sent to `contract`.

    Args:
        data: The call data, not empty.
        contract: The contract's address, as text.
        address_text: Writes 20 bytes as an address.
        address_heads: The 12 bytes that may stand before an address in its word.
    """
    selector = data[:4]
    method = _METHODS.get(selector)
    details: dict[str, str | int] = {"selector": "0x" + selector.hex(), "data_bytes": len(data)}
    if method is None:
        return CallMeaning("contract_call", details=details, warnings=("the call data is of no kind that is read here",))
    arguments = _arguments(method, data[4:], address_heads)
    if arguments is None:
        warning = f"the call data starts like {method} but does not have its shape"
        return CallMeaning("contract_call", details=details, warnings=(warning,))
    addresses, number = arguments
    if method in _TRANSFERS:
        return _transfer(method, contract, addresses, number, address_text)
    return _approval(method, addresses[0], number, address_text)


def recipient_warnings(recipient: bytes) -> tuple[str, ...]:
    """Return what is odd about sending value to these 20 bytes."""
    return ("the recipient is the zero address: what is sent there is lost",) if recipient == ZERO_ADDRESS else ()


def _arguments(method: str, words: bytes, address_heads: tuple[bytes, ...]) -> tuple[list[bytes], int] | None:
    """Read the addresses and the number behind them; None unless they are exactly the method's words (Solidity ABI, strict)."""
    count = method.count("address")
    if len(words) != _WORD * (count + 1):
        return None
    heads = [words[start : start + 12] for start in range(0, _WORD * count, _WORD)]
    addresses = [words[start + 12 : start + _WORD] for start in range(0, _WORD * count, _WORD)]
    number = int.from_bytes(words[-_WORD:])
    if any(head not in address_heads for head in heads) or (method == _OPERATOR and number > 1):
        return None
    return addresses, number


def _transfer(method: str, contract: str, addresses: list[bytes], amount: int, address_text: Callable[[bytes], str]) -> CallMeaning:
    recipient = address_text(addresses[-1])
    warnings = recipient_warnings(addresses[-1])
    if recipient == contract:
        warnings = ("the recipient is the token's own contract: what is sent there is usually lost",)
    details = {"from": address_text(addresses[0])} if len(addresses) > 1 else {}
    return CallMeaning("token_transfer", method, (Transfer(recipient, amount, contract),), details, warnings)


def _approval(method: str, spender: bytes, amount: int, address_text: Callable[[bytes], str]) -> CallMeaning:
    details = {"spender": address_text(spender), "amount": str(amount)}
    if method == _OPERATOR:
        details = {"operator": address_text(spender), "approved": "true" if amount else "false"}
        warnings = ("lets the operator move every token of this contract",) if amount else ()
    else:
        warnings = ("lets the spender take a practically unlimited amount",) if amount >= _PRACTICALLY_UNLIMITED else ()
    return CallMeaning("token_approval", method, details=details, warnings=warnings)
