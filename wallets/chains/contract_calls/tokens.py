"""Read calls of tokens: ERC-20 (which TRC-20 shares), ERC-721, ERC-1155, ERC-2612, ERC-3009, WETH and Permit2.

ERC-721 uses two of ERC-20's selectors, with a token's number where ERC-20 has the amount: the call data alone cannot tell them apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from wallets.chains.contract_calls.abi import AbiError
from wallets.chains.contract_calls.meaning import Call, CallMeaning, allowance_warnings, recipient_warnings
from wallets.model import Transfer

Details = dict[str, str | int]


def token(contract: str, number: int) -> str:
    """Name one token of a contract that numbers its tokens."""
    return f"{contract}/{number}"


def _transfer(call: Call, recipient: bytes, amount: int) -> CallMeaning:
    return _moved(call, recipient, (Transfer(call.text(recipient), amount, call.contract),), {})


def _transfer_from(call: Call, sender: bytes, recipient: bytes, amount: int) -> CallMeaning:
    return _moved(call, recipient, (Transfer(call.text(recipient), amount, call.contract),), {"from": call.text(sender)})


def _transfer_with_authorization(
    call: Call, sender: bytes, recipient: bytes, amount: int, _after: int, before: int, *_: object
) -> CallMeaning:
    details: Details = {"from": call.text(sender), "valid_before": str(before)}
    return _moved(call, recipient, (Transfer(call.text(recipient), amount, call.contract),), details)


def _transfer_nft(call: Call, sender: bytes, recipient: bytes, number: int, *_: bytes) -> CallMeaning:
    transfers = (Transfer(call.text(recipient), 1, token(call.contract, number)),)
    return _moved(call, recipient, transfers, {"from": call.text(sender)})


def _transfer_numbered(call: Call, sender: bytes, recipient: bytes, number: int, amount: int, _data: bytes) -> CallMeaning:
    transfers = (Transfer(call.text(recipient), amount, token(call.contract, number)),)
    return _moved(call, recipient, transfers, {"from": call.text(sender)})


def _transfer_many_numbered(
    call: Call, sender: bytes, recipient: bytes, numbers: list[int], amounts: list[int], _data: bytes
) -> CallMeaning:
    if len(numbers) != len(amounts):
        raise AbiError
    pairs = zip(numbers, amounts, strict=True)
    transfers = tuple(Transfer(call.text(recipient), amount, token(call.contract, number)) for number, amount in pairs)
    return _moved(call, recipient, transfers, {"from": call.text(sender)})


def _moved(call: Call, recipient: bytes, transfers: tuple[Transfer, ...], details: Details) -> CallMeaning:
    warnings = recipient_warnings(recipient)
    if call.text(recipient) == call.contract:
        warnings = ("the recipient is the token's own contract: what is sent there is usually lost",)
    return CallMeaning("token_transfer", call.method, transfers, details, warnings)


def _approve(call: Call, spender: bytes, amount: int) -> CallMeaning:
    return _approval(call, {"spender": call.text(spender), "amount": str(amount)}, allowance_warnings(amount))


def _decrease_allowance(call: Call, spender: bytes, amount: int) -> CallMeaning:
    return _approval(call, {"spender": call.text(spender), "amount": str(amount)}, ())


def _set_operator(call: Call, operator: bytes, approved: bool) -> CallMeaning:
    warnings = ("lets the operator move every token of this contract",) if approved else ()
    return _approval(call, {"operator": call.text(operator), "approved": "true" if approved else "false"}, warnings)


def _permit(call: Call, owner: bytes, spender: bytes, amount: int, deadline: int, *_: object) -> CallMeaning:
    details: Details = {"owner": call.text(owner), "spender": call.text(spender), "amount": str(amount), "deadline": str(deadline)}
    return _approval(call, details, allowance_warnings(amount))


def _permit_all(call: Call, owner: bytes, spender: bytes, _nonce: int, expiry: int, allowed: bool, *_: object) -> CallMeaning:
    details: Details = {
        "owner": call.text(owner),
        "spender": call.text(spender),
        "allowed": "true" if allowed else "false",
        "expiry": str(expiry),
    }
    return _approval(call, details, allowance_warnings(2**256 - 1) if allowed else ())


def _approve_through_permit2(call: Call, asset: bytes, spender: bytes, amount: int, expiration: int) -> CallMeaning:
    details: Details = {"token": call.text(asset), "spender": call.text(spender), "amount": str(amount), "expiration": expiration}
    return _approval(call, details, allowance_warnings(amount))


Allowance = tuple[bytes, int, int, int]
"""Permit2's PermitDetails: token, amount, expiration, nonce."""


def _permit2_single(call: Call, owner: bytes, permit: tuple[Allowance, bytes, int], _signature: bytes) -> CallMeaning:
    return _permit2_many(call, owner, ([permit[0]], permit[1], permit[2]), _signature)


def _permit2_many(call: Call, owner: bytes, permit: tuple[list[Allowance], bytes, int], _signature: bytes) -> CallMeaning:
    allowances, spender, deadline = permit
    details: Details = {"owner": call.text(owner), "spender": call.text(spender), "deadline": str(deadline)}
    for position, (asset, amount, expiration, _) in enumerate(allowances[:10], start=1):
        details |= {f"token_{position}": call.text(asset), f"amount_{position}": str(amount), f"expiration_{position}": expiration}
    return _approval(call, details, allowance_warnings(max((amount for _, amount, _, _ in allowances), default=0)))


def _approval(call: Call, details: Details, warnings: tuple[str, ...]) -> CallMeaning:
    return CallMeaning("token_approval", call.method, details=details, warnings=warnings)


def _permit2_transfer(call: Call, sender: bytes, recipient: bytes, amount: int, asset: bytes) -> CallMeaning:
    return _permit2_transfers(call, [(sender, recipient, amount, asset)])


def _permit2_transfers(call: Call, moves: list[tuple[bytes, bytes, int, bytes]]) -> CallMeaning:
    transfers = tuple(Transfer(call.text(recipient), amount, call.text(asset)) for _, recipient, amount, asset in moves)
    warnings = tuple(dict.fromkeys(warning for _, recipient, _, _ in moves for warning in recipient_warnings(recipient)))
    return CallMeaning("token_transfer", call.method, transfers, warnings=warnings)


Permitted = tuple[bytes, int]
"""Permit2's TokenPermissions: token, and the most that may be taken of it."""
Taken = tuple[bytes, int]
"""Permit2's SignatureTransferDetails: recipient, and how much is taken."""


def _permit2_take(call: Call, permit: tuple[Permitted, int, int], taken: Taken, owner: bytes, *_: object) -> CallMeaning:
    return _permit2_takes(call, ([permit[0]], permit[1], permit[2]), [taken], owner)


def _permit2_takes(call: Call, permit: tuple[list[Permitted], int, int], taken: list[Taken], owner: bytes, *_: object) -> CallMeaning:
    permitted, _nonce, deadline = permit
    if len(permitted) != len(taken):
        raise AbiError
    # Taking more than is permitted fails, and takes nothing.
    moves = [(owner, recipient, amount, asset) for (asset, _), (recipient, amount) in zip(permitted, taken, strict=True)]
    return replace(_permit2_transfers(call, moves), details={"from": call.text(owner), "deadline": str(deadline)})


def _deposit(call: Call) -> CallMeaning:
    return CallMeaning("contract_call", call.method)


def _withdraw(call: Call, amount: int) -> CallMeaning:
    return CallMeaning("contract_call", call.method, details={"amount": str(amount)})


TOKEN_METHODS: Mapping[str, Callable[..., CallMeaning]] = {
    "transfer(address,uint256)": _transfer,
    "transferFrom(address,address,uint256)": _transfer_from,
    "approve(address,uint256)": _approve,
    "increaseAllowance(address,uint256)": _approve,
    "decreaseAllowance(address,uint256)": _decrease_allowance,
    "setApprovalForAll(address,bool)": _set_operator,
    "safeTransferFrom(address,address,uint256)": _transfer_nft,
    "safeTransferFrom(address,address,uint256,bytes)": _transfer_nft,
    "safeTransferFrom(address,address,uint256,uint256,bytes)": _transfer_numbered,
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)": _transfer_many_numbered,
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": _permit,
    "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)": _permit_all,
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)": _transfer_with_authorization,
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)": _transfer_with_authorization,
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)": _transfer_with_authorization,
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)": _transfer_with_authorization,
    "deposit()": _deposit,
    "withdraw(uint256)": _withdraw,
    "approve(address,address,uint160,uint48)": _approve_through_permit2,
    "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)": _permit2_single,
    "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)": _permit2_many,
    "transferFrom(address,address,uint160,address)": _permit2_transfer,
    "transferFrom((address,address,uint160,address)[])": _permit2_transfers,
    "permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)": _permit2_take,
    "permitTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes)": _permit2_takes,
    "permitWitnessTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes32,string,bytes)": _permit2_take,
    "permitWitnessTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes32,string,bytes)": _permit2_takes,
}
"""What each method does, by its signature; the functions take its arguments."""
