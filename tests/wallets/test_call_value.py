"""Native value that goes along with a contract call: what moves is shown, and whom it is trusted to."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_abi.abi import encode
from tronpy.proto import tron_pb2

from tests.wallets.second_opinions import TRON
from tests.wallets.test_abi import name_of
from wallets.chains import CHAINS
from wallets.chains.contract_calls.abi import parse_method
from wallets.hashes import keccak256
from wallets.model import Intent, Transfer

EVM_MESSAGES = {
    each["name"]: each["typed_data"]
    for each in json.loads((Path(__file__).parents[1] / "vectors" / "evm_messages.json").read_text())["typed_data"]
}
TRON_CALL = bytes.fromhex(next(each["raw_data"] for each in TRON["transactions"] if each["name"] == "contract_call_with_value"))
ETH = CHAINS["eth"]
CONTRACT, A, B = (bytes([each]) * 20 for each in (0x33, 0x11, 0x22))
OUTER, TO_A = "0x" + "33" * 20, Transfer("0x" + "11" * 20, 100)
TRUSTED = f"the contract {OUTER} is trusted to pass on 100"

DISPERSE = "disperseEther(address[],uint256[])"
SAFE = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"


def call(method: str, *values: object) -> bytes:
    """Write a call as eth-abi does."""
    types = [name_of(part) for part in parse_method(method).parts]
    encoded = encode(types, [value.encode() if isinstance(value, str) else value for value in values])
    return keccak256(method.encode())[:4] + bytes(encoded)


def packed(operation: int, value: int, data: bytes = b"", to: bytes = A) -> bytes:
    """Write a call of Safe's `multiSend`."""
    return call("multiSend(bytes)", bytes([operation]) + to + value.to_bytes(32) + len(data).to_bytes(32) + data)


NO_REFUND = (0, 0, 0, bytes(20), bytes(20))


def safe(to: bytes, value: int, data: bytes = b"", operation: int = 0, refund: tuple[object, ...] = NO_REFUND) -> bytes:
    """Write a call of Safe's `execTransaction`; the refund is its gas, base gas, gas price, token and receiver."""
    return call(SAFE, to, value, data, operation, *refund, bytes(65))


def intent(value: int, data: bytes) -> Intent:
    """Return what a transaction does that sends value and data to the contract."""
    return ETH.decode(bytes(rlp.encode([9, 0, 1, CONTRACT, value, data, 1, b"", b""]))).intent


THROUGH = {
    "disperse": call(DISPERSE, [A], [100]),
    "execute": call("execute(address,uint256,bytes)", A, 100, b""),
    "executeBatch": call("executeBatch(address[],uint256[],bytes[])", [A], [100], [b""]),
    "aggregate3Value": call("aggregate3Value((address,bool,uint256,bytes)[])", [(A, False, 100, b"")]),
    "multiSend": packed(0, 100),
    "Safe": safe(A, 100),
    "multicall": call("multicall(bytes[])", [call(DISPERSE, [A], [100])]),
}
"""Calls that say that 100 go to A."""
ACCOUNTS = {"execute", "executeBatch", "multiSend", "Safe"}


@pytest.mark.parametrize("data", THROUGH.values(), ids=THROUGH)
def test_a_contract_that_value_goes_through_is_named_and_trusted(data: bytes) -> None:
    """Selector and arguments are anybody's to write: the contract may keep what it is said to pass on."""
    found = intent(100, data)

    assert (found.kind, found.contract, found.transfers) == ("multicall", OUTER, (TO_A,))
    assert found.warnings == (TRUSTED,)


@pytest.mark.parametrize("data", THROUGH.values(), ids=THROUGH)
def test_value_that_stays_with_the_contract_is_warned_of(data: bytes) -> None:
    """What is sent beyond the amounts is shown as the contract's."""
    found = intent(130, data)

    assert found.transfers == (Transfer(OUTER, 30), TO_A)
    assert found.warnings == (TRUSTED, f"of the 130 that is sent, 30 stays with the contract {OUTER}")


@pytest.mark.parametrize("data", THROUGH.values(), ids=THROUGH)
def test_no_more_is_passed_on_than_is_sent(data: bytes) -> None:
    """Amounts that are more than the value are no transfers: what moves is the value, to the contract."""
    found = intent(99, data)

    assert found.transfers == (Transfer(OUTER, 99),)
    assert found.warnings == (f"says that 100 is passed on, but 99 is sent: only what the contract {OUTER} gets is shown",)


@pytest.mark.parametrize(("name", "data"), THROUGH.items(), ids=THROUGH)
def test_without_value_only_accounts_pay(name: str, data: bytes) -> None:
    """An account that is a contract pays from its own balance, which is said; of others nothing is believed."""
    found = intent(0, data)

    assert found.transfers == ((TO_A,) if name in ACCOUNTS else ())
    assert [text.split(" ", maxsplit=1)[0] for text in found.warnings] == ["the" if name in ACCOUNTS else "says"]
    assert any("out of its own balance" in text for text in found.warnings) == (name in ACCOUNTS)


@pytest.mark.parametrize(
    "data",
    [
        call(DISPERSE, [], []),
        call("executeBatch(address[],uint256[],bytes[])", [], [], []),
        call("aggregate3Value((address,bool,uint256,bytes)[])", []),
        call("aggregate((address,bytes)[])", []),
        call("execute(address,uint256,bytes)", A, 0, b""),
    ],
)
def test_value_for_a_call_that_passes_on_nothing_is_warned_of(data: bytes) -> None:
    """Empty lists and amounts of zero leave all of it with the contract."""
    assert intent(5, data).transfers == (Transfer(OUTER, 5),)
    assert intent(5, data).warnings == (f"of the 5 that is sent, 5 stays with the contract {OUTER}",)
    assert intent(0, data).warnings == ()


def test_a_call_that_names_no_amounts_keeps_the_value_without_a_word() -> None:
    """Value for a deposit, or for calls of the contract itself, is the contract's: that is what the transfer says."""
    for data in (call("deposit()"), call("multicall(bytes[])", [call("deposit()")])):
        assert intent(5, data).transfers == (Transfer(OUTER, 5),)
        assert intent(5, data).warnings == ()


def test_value_in_tokens_calls_is_not_mixed_up_with_tokens() -> None:
    """Tokens that a call moves stay among the transfers when what it says of value is not believed."""
    inner = call("transfer(address,uint256)", A, 7)
    found = intent(1, call("aggregate3Value((address,bool,uint256,bytes)[])", [(B, False, 0, inner), (A, False, 2, b"")]))

    assert found.transfers == (Transfer(OUTER, 1), Transfer(TO_A.recipient, 7, "0x" + "22" * 20))
    assert found.details["call_2.value"] == "2"


def test_contracts_inside_are_not_believed_more() -> None:
    """Each contract that value goes through is named, and gets what a call inside says too much."""
    inner = "0x" + "22" * 20
    through = intent(100, call("execute(address,uint256,bytes)", B, 100, call(DISPERSE, [A], [100])))
    too_much = intent(100, call("execute(address,uint256,bytes)", B, 100, call(DISPERSE, [A], [101])))
    account = intent(0, call("aggregate3((address,bool,bytes)[])", [(B, False, safe(A, 100))]))

    assert (through.transfers, through.warnings) == ((TO_A,), (TRUSTED, f"call 1: the contract {inner} is trusted to pass on 100"))
    assert too_much.transfers == (Transfer(inner, 100),)
    assert "call 1: says that 101 is passed on" in too_much.warnings[1]
    assert (account.transfers, account.warnings) == (
        (TO_A,),
        (f"call 1: the contract {inner} is said to pay 100 out of its own balance",),
    )


def test_code_that_an_account_runs_as_its_own_spends_its_value() -> None:
    """A Safe that runs `multiSend` as its own code pays what is in it: the value is the Safe's, and compared as such."""
    data = safe(B, 0, packed(0, 100), operation=1)

    assert intent(100, data).transfers == intent(0, data).transfers == (TO_A,)
    assert TRUSTED in intent(100, data).warnings
    assert f"the contract {OUTER} is said to pay 100 out of its own balance" in intent(0, data).warnings
    assert intent(99, data).transfers == (Transfer(OUTER, 99),)


def test_the_contract_is_shown_of_every_call() -> None:
    """A transfer without data has no contract, and a call of whatever kind has one."""
    assert intent(5, b"").contract is None
    assert intent(5, call("disperseToken(address,address[],uint256[])", B, [A], [1])).contract == OUTER
    assert intent(5, call("disperseToken(address,address[],uint256[])", B, [A], [1])).kind == "multicall"


def test_the_zero_address_is_warned_of_as_a_contract_too() -> None:
    """Value for the zero address is lost, with data or without."""
    found = ETH.decode(bytes(rlp.encode([9, 0, 1, bytes(20), 100, b"\1", 1, b"", b""]))).intent

    assert "zero address" in found.warnings[-1]


def _on_tron(value: int, tokens: int, data: bytes) -> Intent:
    raw = tron_pb2.Transaction.raw.FromString(TRON_CALL)
    trigger = tron_pb2.TriggerSmartContract.FromString(raw.contract[0].parameter.value)
    trigger.contract_address, trigger.call_value, trigger.call_token_value, trigger.data = b"\x41" + CONTRACT, value, tokens, data
    raw.contract[0].parameter.value = trigger.SerializeToString()
    return CHAINS["tron"].decode(raw.SerializeToString()).intent


@pytest.mark.parametrize("data", THROUGH.values(), ids=THROUGH)
def test_value_is_shown_once_on_tron(data: bytes) -> None:
    """TRX that a contract is said to pass on are not the contract's as well; and no more of them is shown than is sent."""
    contract, recipient = (next(iter(CHAINS["tron"].normalize("41" + each.hex()))) for each in (CONTRACT, A))
    tokens = Transfer(contract, 3, "trc10:1002000")

    through, too_much = _on_tron(100, 3, data), _on_tron(99, 3, data)

    assert (through.contract, set(through.transfers)) == (contract, {tokens, Transfer(recipient, 100)})
    assert through.warnings == (f"the contract {contract} is trusted to pass on 100",)
    assert too_much.transfers == (Transfer(contract, 99), tokens)
    assert len(too_much.warnings) == 1


def _typed(name: str, **changes: Any) -> Intent:
    data: dict[str, Any] = deepcopy(EVM_MESSAGES[name])
    data["message"] |= changes
    return ETH.read_typed_data(data).intent


@pytest.mark.parametrize("data", THROUGH.values(), ids=THROUGH)
def test_value_of_a_safe_is_shown_once(data: bytes) -> None:
    """What a Safe sends to a contract that passes it on is not the contract's as well."""
    through, too_much = (_typed("safe", to=OUTER, value=value, data="0x" + data.hex()) for value in (100, 99))

    assert (through.transfers, through.warnings) == ((TO_A,), (TRUSTED,))
    assert too_much.transfers == (Transfer(OUTER, 99),)
    assert "says that 100 is passed on, but 99 is sent" in too_much.warnings[0]


@pytest.mark.parametrize(("name", "data"), THROUGH.items(), ids=THROUGH)
def test_an_account_pays_out_of_its_own_balance(name: str, data: bytes) -> None:
    """A user operation, and code that a Safe runs as its own, spend what the account has, without another contract in between."""
    operation = _typed("user_operation_v08", callData="0x" + data.hex())
    delegated = _typed("safe", to=OUTER, value=0, data="0x" + data.hex(), operation=1)

    assert operation.transfers == delegated.transfers == ((TO_A,) if name in ACCOUNTS else ())
    assert len(operation.warnings) == (name not in ACCOUNTS)
    assert "delegatecall" in delegated.warnings[0]
    assert len(delegated.warnings) == 1 + (name not in ACCOUNTS)


def test_a_user_operation_without_a_call_moves_nothing() -> None:
    """It may only make the account."""
    assert _typed("user_operation_v08", callData="0x").transfers == ()


@pytest.mark.parametrize(
    ("refund", "details", "warnings"),
    [
        (NO_REFUND, {}, []),
        ((7, 8, 0, bytes(20), B), {"safe_tx_gas": "7", "safe_base_gas": "8", "safe_refund_receiver": "0x" + "22" * 20}, []),
        (
            (0, 10**9, 10**15, bytes(20), B),
            {"safe_base_gas": str(10**9), "safe_gas_price": str(10**15), "safe_refund_receiver": "0x" + "22" * 20},
            [f"may pay {10**24} of native and some more, as a refund of gas, to 0x{'22' * 20}"],
        ),
        (
            (2, 3, 10, B, bytes(20)),
            {"safe_tx_gas": "2", "safe_base_gas": "3", "safe_gas_price": "10", "safe_gas_token": "0x" + "22" * 20},
            [f"may pay 50 of 0x{'22' * 20} and some more, as a refund of gas, to whoever sends it"],
        ),
    ],
)
def test_what_a_safe_refunds_is_told(refund: tuple[Any, ...], details: dict[str, str], warnings: list[str]) -> None:
    """A price for the gas pays whom the transaction names, as much as it names: from the Safe, and beside what it is made for."""
    names = ("safeTxGas", "baseGas", "gasPrice", "gasToken", "refundReceiver")
    message = {name: "0x" + each.hex() if isinstance(each, bytes) else each for name, each in zip(names, refund, strict=True)}

    called, typed = intent(0, safe(A, 0, refund=refund)), _typed("safe", to=OUTER, value=0, data="0x", **message)

    assert warnings == list(called.warnings) == list(typed.warnings)
    for found in (called, typed):
        told = {name: each for name, each in found.details.items() if name.startswith("safe_") and name != "safe_nonce"}
        assert told == details


def test_value_for_a_contract_that_is_created_is_a_transfer() -> None:
    """Its address is not known yet; without value nothing moves."""
    with_value, without = (ETH.decode(bytes(rlp.encode([9, 0, 1, b"", value, b"\x60", 1, b"", b""]))).intent for value in (5, 0))

    assert (with_value.transfers, with_value.details["value"]) == ((Transfer("new contract", 5),), "5")
    assert without.transfers == ()
