"""Say what typed data does that people sign without seeing a transaction: permits, orders, transfers by others, and calls of Safes.

A type is known by all of its members (EIP-712, encodeType): the name alone could be anybody's. Tron's typed data (TIP-712) is the same but
for how addresses are written.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wallets.chains.contract_calls import read_call
from wallets.chains.contract_calls.meaning import (
    ZERO_ADDRESS,
    AddressForm,
    CallMeaning,
    allowance_warnings,
    recipient_warnings,
    with_value,
)
from wallets.chains.contract_calls.safe import DELEGATE_CALL, DELEGATION, Refund
from wallets.chains.contract_calls.tokens import token
from wallets.chains.evm.typed_data import TypedData, encode_type
from wallets.model import Transfer

Details = dict[str, str | int]
Message = dict[str, Any]

_NEVER = 2**40
"""Seconds since 1970 from which on something practically never expires: the year 36,812."""
_SHOWN_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Effect:
    """What known typed data does. `owner` is whose signature it wants, where it names one."""

    kind: str
    details: Mapping[str, str | int]
    warnings: tuple[str, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    owner: str | None = None
    expires_at: int | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the functions below read. `contract` is the verifying contract, or nothing."""

    message: Message
    contract: str
    form: AddressForm


_UNKNOWN = Effect("typed_data", {}, ("typed data of no kind that is read here: it does what its contract makes of it",))


def effect_of(data: TypedData, form: AddressForm) -> Effect:
    """Return what typed data does, whose addresses are texts of this form."""
    read = _KNOWN.get(encode_type(data.structs, data.primary_type))
    if read is None and _is_permit_with_witness(data):
        read = _permit_transfer
    contract = data.domain.get("verifyingContract", "")
    return _UNKNOWN if read is None else read(Parts(data.message, str(contract), form))


def call_effect(kind: str, contract: str, value: int, data: bytes, details: Details, form: AddressForm) -> Effect:
    """Return what a call does that is signed for somebody else to send, with `value` out of the account that makes it."""
    call = with_value(_read(contract, data, form), contract, value)
    return Effect(kind, {**details, **call.details}, call.warnings, call.transfers, method=call.method)


def own_call_effect(kind: str, contract: str, data: bytes, details: Details, form: AddressForm) -> Effect:
    """Return what a call does that runs as the account it is signed for, which pays out of its own balance."""
    call = _read(contract, data, form)
    if not call.spends_own:
        call = with_value(call, contract, 0)
    return Effect(kind, {**details, **call.details}, call.warnings, call.transfers, method=call.method)


def _read(contract: str, data: bytes, form: AddressForm) -> CallMeaning:
    return read_call(data, contract, form) if data else CallMeaning("transfer")


def expiry(seconds: int) -> tuple[int | None, tuple[str, ...]]:
    """Return when something expires, and what is odd about that."""
    return (None, ("practically never expires",)) if seconds >= _NEVER else (seconds, ())


def _approval(details: Details, amounts: Iterable[int], *, owner: str | None = None, until: int, warnings: tuple[str, ...] = ()) -> Effect:
    expires_at, odd = expiry(until)
    warnings = allowance_warnings(max(amounts, default=0)) + warnings + odd
    return Effect("token_approval", details, warnings, owner=owner, expires_at=expires_at)


def _permit(parts: Parts) -> Effect:
    message = parts.message
    details: Details = {"token": parts.contract, "spender": message["spender"], "amount": str(message["value"])}
    return _approval(details, [message["value"]], owner=message["owner"], until=message["deadline"])


def _dai_permit(parts: Parts) -> Effect:
    message = parts.message
    allowed = message["allowed"]
    details: Details = {"token": parts.contract, "spender": message["spender"], "allowed": "true" if allowed else "false"}
    # Dai takes no expiry as one that never comes.
    until = message["expiry"] or (_NEVER if allowed else 0)
    return _approval(details, [2**256 - 1 if allowed else 0], owner=message["holder"], until=until)


def _nft_permit(parts: Parts) -> Effect:
    message = parts.message
    details: Details = {"token": token(parts.contract, message["tokenId"]), "spender": message["spender"]}
    return _approval(details, [], until=message["deadline"], warnings=("lets the spender move this token",))


def _permit2(parts: Parts) -> Effect:
    message = parts.message
    items = message["details"] if isinstance(message["details"], list) else [message["details"]]
    details: Details = {"spender": message["spender"]}
    for position, item in enumerate(items[:_SHOWN_ITEMS], start=1):
        details |= {
            f"token_{position}": item["token"],
            f"amount_{position}": str(item["amount"]),
            f"expiration_{position}": item["expiration"],
        }
    return _approval(details, [item["amount"] for item in items], until=message["sigDeadline"])


def _permit_transfer(parts: Parts) -> Effect:
    """Permit2's signature transfers, with a witness (an order of whatever kind) or without."""
    message = parts.message
    items = message["permitted"] if isinstance(message["permitted"], list) else [message["permitted"]]
    details: Details = {"spender": message["spender"]}
    for position, item in enumerate(items[:_SHOWN_ITEMS], start=1):
        details |= {f"token_{position}": item["token"], f"amount_{position}": str(item["amount"])}
    warnings = ("lets the spender take the tokens once, and send them where it wants",)
    return _approval(details, [item["amount"] for item in items], until=message["deadline"], warnings=warnings)


def _transfer_by_others(parts: Parts) -> Effect:
    message = parts.message
    expires_at, odd = expiry(message["validBefore"])
    details: Details = {"from": message["from"], "valid_after": str(message["validAfter"])}
    lost = recipient_warnings(ZERO_ADDRESS) if message["to"] == parts.form.text(ZERO_ADDRESS) else ()
    transfers = (Transfer(message["to"], message["value"], parts.contract),)
    return Effect("token_transfer", details, lost + odd, transfers, message["from"], expires_at)


def _order(gives: list[str], wants: list[str], *, owner: str | None, until: int, details: Details) -> Effect:
    expires_at, odd = expiry(until)
    shown: Details = {f"gives_{number}": text for number, text in enumerate(gives[:_SHOWN_ITEMS], start=1)}
    shown |= {f"wants_{number}": text for number, text in enumerate(wants[:_SHOWN_ITEMS], start=1)}
    gift = () if wants else ("it gives and wants nothing in return",)
    warnings = ("an order: whoever fills it takes what it gives from this account", *gift, *odd)
    return Effect("order", {**shown, **details}, warnings, owner=owner, expires_at=expires_at)


def _seaport(parts: Parts) -> Effect:
    message = parts.message
    gives = [_seaport_item(item) for item in message["offer"]]
    ours = [item for item in message["consideration"] if item["recipient"] == message["offerer"] and item["endAmount"]]
    wants = [_seaport_item(item) for item in ours]
    details: Details = {"starts_at": str(message["startTime"]), "fees": len(message["consideration"]) - len(ours)}
    return _order(gives, wants, owner=message["offerer"], until=message["endTime"], details=details)


def _seaport_item(item: Message) -> str:
    # Types 0 and 1 are the native asset and ERC-20; the others have numbers, or stand for any number that fits.
    asset = ("native", item["token"])[item["itemType"]] if item["itemType"] < 2 else token(item["token"], item["identifierOrCriteria"])
    least, most = sorted((item["startAmount"], item["endAmount"]))
    return f"{least} of {asset}" if least == most else f"{least} to {most} of {asset}"


def _cow(parts: Parts) -> Effect:
    message = parts.message
    gives = [f"{message['sellAmount'] + message['feeAmount']} of {message['sellToken']}"]
    wants = [f"{message['buyAmount']} of {message['buyToken']}"] if message["buyAmount"] else []
    return _order(gives, wants, owner=None, until=message["validTo"], details={"receiver": message["receiver"]})


def _one_inch(parts: Parts) -> Effect:
    message = parts.message
    gives = [f"{message['makingAmount']} of {message['makerAsset']}"]
    wants = [f"{message['takingAmount']} of {message['takerAsset']}"] if message["takingAmount"] else []
    # The expiry is in bits 80 to 119 of the traits, zero for none (limit-order-protocol, MakerTraitsLib).
    until = (message["makerTraits"] >> 80) % 2**40 or _NEVER
    return _order(gives, wants, owner=message["maker"], until=until, details={"receiver": message["receiver"]})


def _safe(parts: Parts) -> Effect:
    message = parts.message
    nobody = parts.form.text(ZERO_ADDRESS)
    token, receiver = ("" if message[name] == nobody else message[name] for name in ("gasToken", "refundReceiver"))
    refund = Refund(message["safeTxGas"], message["baseGas"], message["gasPrice"], token, receiver)
    details: Details = {"safe": parts.contract, "safe_nonce": str(message["nonce"]), "to": message["to"], **refund.details()}
    if message["operation"] != DELEGATE_CALL:
        effect = call_effect("safe_transaction", message["to"], message["value"], message["data"], details, parts.form)
        return replace(effect, warnings=refund.warnings() + effect.warnings)
    effect = own_call_effect("safe_transaction", message["to"], message["data"], details, parts.form)
    return replace(effect, warnings=(DELEGATION, *refund.warnings(), *effect.warnings))


def _user_operation(parts: Parts) -> Effect:
    """ERC-4337 from version 0.8 on, which is typed data by itself."""
    message = parts.message
    details: Details = {"account": message["sender"], "entry_point": parts.contract, "account_nonce": str(message["nonce"])}
    return own_call_effect("user_operation", message["sender"], message["callData"], details, parts.form)


def _is_permit_with_witness(data: TypedData) -> bool:
    """Tell whether it is Permit2's transfer with one more member, whose type is anybody's."""
    members = data.structs[data.primary_type]
    known = [("permitted", "TokenPermissions"), ("spender", "address"), ("nonce", "uint256"), ("deadline", "uint256")]
    found = [(member.name, member.type.base) for member in members[:4]]
    return (
        data.primary_type in {"PermitWitnessTransferFrom", "PermitBatchWitnessTransferFrom"}
        and found == known
        and len(members) == 5
        and encode_type(data.structs, "TokenPermissions") == _PERMITTED
        and all(len(member.type.lengths) <= (member.name == "permitted") for member in members[:4])
    )


_PERMITTED = "TokenPermissions(address token,uint256 amount)"
_PERMIT_DETAILS = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)"
_AUTHORIZED = "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
_ITEM = "uint8 itemType,address token,uint256 identifierOrCriteria,uint256 startAmount,uint256 endAmount"

_KNOWN: Mapping[str, Callable[[Parts], Effect]] = {
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)": _permit,  # ERC-2612
    "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)": _dai_permit,
    "Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)": _nft_permit,  # ERC-4494, Uniswap
    f"PermitSingle(PermitDetails details,address spender,uint256 sigDeadline){_PERMIT_DETAILS}": _permit2,
    f"PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline){_PERMIT_DETAILS}": _permit2,
    f"PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline){_PERMITTED}": _permit_transfer,
    f"PermitBatchTransferFrom(TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline){_PERMITTED}": _permit_transfer,
    f"TransferWithAuthorization{_AUTHORIZED}": _transfer_by_others,  # ERC-3009
    f"ReceiveWithAuthorization{_AUTHORIZED}": _transfer_by_others,
    "OrderComponents(address offerer,address zone,OfferItem[] offer,ConsiderationItem[] consideration,uint8 orderType,uint256 startTime,"
    "uint256 endTime,bytes32 zoneHash,uint256 salt,bytes32 conduitKey,uint256 counter)"
    f"ConsiderationItem({_ITEM},address recipient)OfferItem({_ITEM})": _seaport,
    "Order(address sellToken,address buyToken,address receiver,uint256 sellAmount,uint256 buyAmount,uint32 validTo,bytes32 appData,"
    "uint256 feeAmount,string kind,bool partiallyFillable,string sellTokenBalance,string buyTokenBalance)": _cow,
    "Order(uint256 salt,address maker,address receiver,address makerAsset,address takerAsset,uint256 makingAmount,uint256 takingAmount,"
    "uint256 makerTraits)": _one_inch,
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,"
    "address refundReceiver,uint256 nonce)": _safe,
    "PackedUserOperation(address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,uint256 preVerificationGas,"
    "bytes32 gasFees,bytes paymasterAndData)": _user_operation,
}
