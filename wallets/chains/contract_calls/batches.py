"""Read calls that hold other calls or pay many: Multicall, Safe, Disperse, and accounts that are contracts (ERC-4337)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wallets.chains.contract_calls.abi import AbiError
from wallets.chains.contract_calls.meaning import MAX_TRANSFERS, Call, CallMeaning, recipient_warnings, with_value
from wallets.chains.contract_calls.safe import DELEGATE_CALL, DELEGATION, Refund
from wallets.model import Transfer

_SHOWN_CALLS = 20
_SHOWN_WARNINGS = 20

Inner = tuple[bytes | None, int, bytes]
"""Contract, native value and data of a call inside of another; None for the outer contract itself."""


def _of_itself(call: Call, calls: list[bytes]) -> CallMeaning:
    meaning = batch(call, [(None, 0, data) for data in calls])
    return meaning if meaning.passed_on else replace(meaning, passed_on=None)


def _of_itself_until(call: Call, _: object, calls: list[bytes]) -> CallMeaning:
    return _of_itself(call, calls)


def _aggregate(call: Call, calls: list[tuple[bytes, bytes]]) -> CallMeaning:
    return batch(call, [(contract, 0, data) for contract, data in calls])


def _try_aggregate(call: Call, _: bool, calls: list[tuple[bytes, bytes]]) -> CallMeaning:
    return _aggregate(call, calls)


def _aggregate3(call: Call, calls: list[tuple[bytes, bool, bytes]]) -> CallMeaning:
    return batch(call, [(contract, 0, data) for contract, _, data in calls])


def _aggregate3_value(call: Call, calls: list[tuple[bytes, bool, int, bytes]]) -> CallMeaning:
    return batch(call, [(contract, value, data) for contract, _, value, data in calls])


def _execute(call: Call, contract: bytes, value: int, data: bytes) -> CallMeaning:
    return _of_account(call, [(contract, value, data)])


def _execute_lists(call: Call, contracts: list[bytes], values: list[int], calls: list[bytes]) -> CallMeaning:
    # An empty list of values stands for none at all (account-abstraction, BaseAccount).
    values = values or [0] * len(contracts)
    if not len(contracts) == len(values) == len(calls):
        raise AbiError
    return _of_account(call, list(zip(contracts, values, calls, strict=True)))


def _execute_without_values(call: Call, contracts: list[bytes], calls: list[bytes]) -> CallMeaning:
    return _execute_lists(call, contracts, [], calls)


def _execute_tuples(call: Call, calls: list[Inner]) -> CallMeaning:
    return _of_account(call, calls)


def _safe(call: Call, contract: bytes, value: int, data: bytes, operation: int, *rest: Any) -> CallMeaning:
    meaning = _of_account(call, [(contract, value, data)], delegated=[1] if operation == DELEGATE_CALL else [])
    safe_gas, base_gas, price, token, receiver, _ = rest
    refund = Refund(safe_gas, base_gas, price, *(call.text(each) if any(each) else "" for each in (token, receiver)))
    return replace(meaning, details={**meaning.details, **refund.details()}, warnings=refund.warnings() + meaning.warnings)


def _multi_send(call: Call, packed: bytes) -> CallMeaning:
    """Read Safe's packed calls: operation (1 byte), contract (20), value (32), length (32), data."""
    calls: list[Inner] = []
    delegated = []
    at = 0
    while at < len(packed):
        length = int.from_bytes(packed[at + 53 : at + 85])
        end = at + 85 + length
        if end > len(packed):
            raise AbiError
        calls.append((packed[at + 1 : at + 21], int.from_bytes(packed[at + 21 : at + 53]), packed[at + 85 : end]))
        if packed[at] == DELEGATE_CALL:
            delegated.append(len(calls))
        at = end
    return _of_account(call, calls, delegated=delegated)


def _of_account(call: Call, calls: list[Inner], *, delegated: Sequence[int] = ()) -> CallMeaning:
    return replace(batch(call, calls, delegated=delegated), spends_own=True)


def _disperse_native(call: Call, recipients: list[bytes], amounts: list[int]) -> CallMeaning:
    return _dispersed(call, "native", recipients, amounts)


def _disperse_token(call: Call, asset: bytes, recipients: list[bytes], amounts: list[int]) -> CallMeaning:
    return _dispersed(call, call.text(asset), recipients, amounts)


def _dispersed(call: Call, asset: str, recipients: list[bytes], amounts: list[int]) -> CallMeaning:
    if len(recipients) != len(amounts):
        raise AbiError
    shown = zip(recipients[:MAX_TRANSFERS], amounts, strict=False)
    transfers = tuple(Transfer(call.text(recipient), amount, asset) for recipient, amount in shown)
    is_native = asset == "native"
    warnings = tuple(dict.fromkeys(warning for recipient in recipients for warning in recipient_warnings(recipient)))
    passed_on, more = sum(amounts) if is_native else None, len(recipients) - len(transfers)
    return CallMeaning("multicall", call.method, transfers, {}, warnings, passed_on, more_transfers=more)


def batch(call: Call, calls: Iterable[Inner], *, delegated: Sequence[int] = ()) -> CallMeaning:
    """Say what calls inside of a call do together. `delegated` are the numbers, from 1, of those that run foreign code as the contract.

    Such a call, and one of the contract itself, has no value of its own: what it passes on is what the contract passes on.
    """
    parts: list[CallMeaning] = []
    details: dict[str, str | int] = {}
    warnings = [f"call {number}: {DELEGATION}" for number in delegated]
    unread = 0
    for count, (contract, value, data) in enumerate(calls, start=1):
        target = call.contract if contract is None else call.text(contract)
        if value:
            warnings += [f"call {count}: {text}" for text in recipient_warnings(contract or b"")]
        inner = call.reader.inner(target, data, call.depth + 1) if data else CallMeaning("transfer")
        unread += inner is None
        meaning = inner or CallMeaning("contract_call")
        if contract is not None and count not in delegated:
            meaning = _elsewhere(meaning, target, value)
        parts.append(meaning)
        warnings += [f"call {count}: {text}" for text in meaning.warnings]
        if count <= _SHOWN_CALLS and inner:
            details |= _shown(f"call_{count}", target, value, meaning)
    if unread:
        warnings.insert(0, f"{unread} of the calls inside are too many or too deep to be read")
    if len(warnings) > _SHOWN_WARNINGS:
        warnings[_SHOWN_WARNINGS:] = [f"{len(warnings) - _SHOWN_WARNINGS} more warnings"]
    return CallMeaning(
        "multicall",
        call.method,
        tuple(transfer for part in parts for transfer in part.transfers),
        {"calls": len(parts), **details},
        tuple(warnings),
        sum(part.passed_on or 0 for part in parts),
        any(part.spends_own for part in parts),
        sum(part.more_transfers for part in parts),
    )


def _elsewhere(call: CallMeaning, contract: str, value: int) -> CallMeaning:
    """Return a call to another contract as the one around it sees it: what that passes on is the value alone."""
    return replace(with_value(call, contract, value), passed_on=value, spends_own=False)


def _shown(name: str, contract: str, value: int, call: CallMeaning) -> dict[str, str | int]:
    own = {f"{name}.value": str(value)} if value else {}
    details = {f"{name}.{each}": item for each, item in call.details.items()}
    return {name: f"{contract} {call.method or call.kind}", **own, **details}


BATCH_METHODS: Mapping[str, Callable[..., CallMeaning]] = {
    "multicall(bytes[])": _of_itself,
    "multicall(uint256,bytes[])": _of_itself_until,
    "multicall(bytes32,bytes[])": _of_itself_until,
    "aggregate((address,bytes)[])": _aggregate,
    "blockAndAggregate((address,bytes)[])": _aggregate,
    "tryAggregate(bool,(address,bytes)[])": _try_aggregate,
    "tryBlockAndAggregate(bool,(address,bytes)[])": _try_aggregate,
    "aggregate3((address,bool,bytes)[])": _aggregate3,
    "aggregate3Value((address,bool,uint256,bytes)[])": _aggregate3_value,
    "multiSend(bytes)": _multi_send,
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)": _safe,
    "execute(address,uint256,bytes)": _execute,
    "executeBatch(address[],bytes[])": _execute_without_values,
    "executeBatch(address[],uint256[],bytes[])": _execute_lists,
    "executeBatch((address,uint256,bytes)[])": _execute_tuples,
    "disperseEther(address[],uint256[])": _disperse_native,
    "disperseToken(address,address[],uint256[])": _disperse_token,
    "disperseTokenSimple(address,address[],uint256[])": _disperse_token,
}
"""What each method does, by its signature; the functions take its arguments."""
