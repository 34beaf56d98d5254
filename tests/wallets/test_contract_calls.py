"""Contract calls: what eth-abi writes is read for what it does, and what only looks like it is not."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import U256, evm_addresses
from tests.wallets.test_abi import name_of
from wallets.chains.contract_calls import MAX_DETAILS, MAX_INNER_CALLS, read_call
from wallets.chains.contract_calls.abi import parse_method
from wallets.chains.contract_calls.meaning import MAX_TRANSFERS, AddressForm, CallMeaning
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
    types = [name_of(part) for part in parse_method(method).parts]
    return keccak256(method.encode())[:4] + bytes(encode(types, values))


def _read(data: bytes) -> CallMeaning:
    return read_call(data, CONTRACT, AddressForm(bytes.hex, (bytes(12),)))


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
@pytest.mark.parametrize(
    ("amount", "unlimited"),
    [
        (0, False),
        (2**96 - 2, False),
        (2**96 - 1, True),  # UNI's and COMP's own word for unlimited
        (2**96, False),
        (589_549_764_026_440 * 10**18, False),  # all of SHIB
        (420_690_000_000_000 * 10**18, False),  # all of PEPE
        (2**112 - 2, False),
        (2**112 - 1, True),
        (2**128 - 1, True),
        (U256, True),
    ],
)
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


TOKEN = "token_transfer"
APPROVAL = "token_approval"
TRANSFER_METHOD = "transfer(address,uint256)"
SIGNATURE = bytes(65)
KNOWN: dict[str, tuple[bytes, str, list[Transfer], dict[str, str | int], list[str]]] = {
    "ERC-20 decrease": (_call("decreaseAllowance(address,uint256)", A, U256), APPROVAL, [], {"spender": A.hex(), "amount": str(U256)}, []),
    "ERC-721": (
        _call("safeTransferFrom(address,address,uint256)", A, B, 7),
        TOKEN,
        [Transfer(B.hex(), 1, CONTRACT + "/7")],
        {"from": A.hex()},
        [],
    ),
    "ERC-721 with data": (
        _call("safeTransferFrom(address,address,uint256,bytes)", A, bytes(20), 7, b"x"),
        TOKEN,
        [Transfer(bytes(20).hex(), 1, CONTRACT + "/7")],
        {"from": A.hex()},
        ["zero address"],
    ),
    "ERC-1155": (
        _call("safeTransferFrom(address,address,uint256,uint256,bytes)", A, B, 7, 3, b""),
        TOKEN,
        [Transfer(B.hex(), 3, CONTRACT + "/7")],
        {"from": A.hex()},
        [],
    ),
    "ERC-1155 batch": (
        _call("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", A, B, [7, 8], [1, 2], b""),
        TOKEN,
        [Transfer(B.hex(), 1, CONTRACT + "/7"), Transfer(B.hex(), 2, CONTRACT + "/8")],
        {"from": A.hex()},
        [],
    ),
    "ERC-2612": (
        _call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", A, B, U256, 9, 27, bytes(32), bytes(32)),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": B.hex(), "amount": str(U256), "deadline": "9"},
        ["unlimited"],
    ),
    "Dai's permit": (
        _call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", A, B, 1, 9, True, 27, bytes(32), bytes(32)),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": B.hex(), "allowed": "true", "expiry": "9"},
        ["unlimited"],
    ),
    "Dai's permit, taken back": (
        _call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", A, B, 1, 9, False, 27, bytes(32), bytes(32)),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": B.hex(), "allowed": "false", "expiry": "9"},
        [],
    ),
    "ERC-3009": (
        _call(
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
            A,
            B,
            5,
            0,
            9,
            bytes(32),
            27,
            bytes(32),
            bytes(32),
        ),
        TOKEN,
        [Transfer(B.hex(), 5, CONTRACT)],
        {"from": A.hex(), "valid_before": "9"},
        [],
    ),
    "WETH deposit": (_call("deposit()"), "contract_call", [], {}, []),
    "WETH withdrawal": (_call("withdraw(uint256)", 5), "contract_call", [], {"amount": "5"}, []),
    "Permit2 approve": (
        _call("approve(address,address,uint160,uint48)", A, B, 2**160 - 1, 9),
        APPROVAL,
        [],
        {"token": A.hex(), "spender": B.hex(), "amount": str(2**160 - 1), "expiration": 9},
        ["unlimited"],
    ),
    "Permit2 permit": (
        _call("permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)", A, ((B, 5, 9, 0), A, 10), SIGNATURE),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": A.hex(), "deadline": "10", "token_1": B.hex(), "amount_1": "5", "expiration_1": 9},
        [],
    ),
    "Permit2 permits": (
        _call("permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)", A, ([(B, 2**112, 9, 0)], A, 10), SIGNATURE),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": A.hex(), "deadline": "10", "token_1": B.hex(), "amount_1": str(2**112), "expiration_1": 9},
        ["unlimited"],
    ),
    "Permit2 permits of nothing": (
        _call("permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)", A, ([], A, 10), SIGNATURE),
        APPROVAL,
        [],
        {"owner": A.hex(), "spender": A.hex(), "deadline": "10"},
        [],
    ),
    "Permit2 transfer": (
        _call("transferFrom(address,address,uint160,address)", A, B, 5, A),
        TOKEN,
        [Transfer(B.hex(), 5, A.hex())],
        {},
        [],
    ),
    "Permit2 transfers": (
        _call("transferFrom((address,address,uint160,address)[])", [(A, B, 5, A), (A, bytes(20), 6, B)]),
        TOKEN,
        [Transfer(B.hex(), 5, A.hex()), Transfer(bytes(20).hex(), 6, B.hex())],
        {},
        ["zero address"],
    ),
    "Disperse": (
        _call("disperseEther(address[],uint256[])", [A, bytes(20)], [1, 2]),
        "multicall",
        [Transfer(A.hex(), 1), Transfer(bytes(20).hex(), 2)],
        {},
        ["zero address"],
    ),
    "Disperse a token": (
        _call("disperseTokenSimple(address,address[],uint256[])", B, [A], [1]),
        "multicall",
        [Transfer(A.hex(), 1, B.hex())],
        {},
        [],
    ),
}
"""Each call, and what kind it is, what it moves, its details and a word of each of its warnings."""


@pytest.mark.parametrize(("data", "kind", "transfers", "details", "warnings"), KNOWN.values(), ids=KNOWN)
def test_known_calls(data: bytes, kind: str, transfers: list[Transfer], details: dict[str, str | int], warnings: list[str]) -> None:
    """Each method that is known is told for what it does."""
    meaning = _read(data)

    assert (kind, tuple(transfers), details) == (meaning.kind, meaning.transfers, meaning.details)
    assert [text for text, word in zip(meaning.warnings, warnings, strict=True) if word not in text] == []


INNER = _call(TRANSFER_METHOD, A, 5)
MOVED = Transfer(A.hex(), 5, CONTRACT)
OTHER = bytes.fromhex("dd" * 20)
MOVED_ELSEWHERE = Transfer(A.hex(), 5, OTHER.hex())


def _packed(*calls: tuple[int, bytes, int, bytes]) -> bytes:
    return b"".join(bytes([kind]) + to + value.to_bytes(32) + len(data).to_bytes(32) + data for kind, to, value, data in calls)


def _safe(operation: int) -> bytes:
    method = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
    return _call(method, OTHER, 0, INNER, operation, 0, 0, 0, bytes(20), bytes(20), SIGNATURE)


@pytest.mark.parametrize(
    ("data", "transfers"),
    [
        (_call("multicall(bytes[])", [INNER, INNER]), [MOVED, MOVED]),
        (_call("multicall(uint256,bytes[])", 9, [INNER]), [MOVED]),
        (_call("multicall(bytes32,bytes[])", bytes(32), [INNER]), [MOVED]),
        (_call("aggregate((address,bytes)[])", [(OTHER, INNER)]), [MOVED_ELSEWHERE]),
        (_call("tryAggregate(bool,(address,bytes)[])", True, [(OTHER, INNER)]), [MOVED_ELSEWHERE]),
        (_call("aggregate3((address,bool,bytes)[])", [(OTHER, True, INNER)]), [MOVED_ELSEWHERE]),
        (_call("aggregate3Value((address,bool,uint256,bytes)[])", [(OTHER, True, 3, INNER)]), [Transfer(OTHER.hex(), 3), MOVED_ELSEWHERE]),
        (_call("multiSend(bytes)", _packed((0, OTHER, 0, INNER), (0, A, 7, b""))), [MOVED_ELSEWHERE, Transfer(A.hex(), 7)]),
        (_safe(0), [MOVED_ELSEWHERE]),
        (_call("execute(address,uint256,bytes)", OTHER, 2, INNER), [Transfer(OTHER.hex(), 2), MOVED_ELSEWHERE]),
        (_call("executeBatch(address[],bytes[])", [OTHER], [INNER]), [MOVED_ELSEWHERE]),
        (_call("executeBatch(address[],uint256[],bytes[])", [OTHER, A], [0, 4], [INNER, b""]), [MOVED_ELSEWHERE, Transfer(A.hex(), 4)]),
        (_call("executeBatch((address,uint256,bytes)[])", [(OTHER, 0, INNER)]), [MOVED_ELSEWHERE]),
        (_call("multicall(bytes[])", [_call("multicall(bytes[])", [INNER])]), [MOVED]),
    ],
)
def test_calls_inside_of_calls(data: bytes, transfers: list[Transfer]) -> None:
    """A batch moves what the calls in it move, to their own contracts, and tells each of them."""
    meaning = _read(data)

    assert (meaning.kind, meaning.transfers, meaning.warnings) == ("multicall", tuple(transfers), ())
    assert (meaning.passed_on or 0) == sum(each.amount for each in transfers if each.asset == "native")
    assert str(meaning.details["call_1"]).endswith(("transfer(address,uint256)", "multicall(bytes[])"))


@pytest.mark.parametrize("data", [_safe(1), _call("multiSend(bytes)", _packed((1, OTHER, 0, INNER)))], ids=["Safe", "multiSend"])
def test_foreign_code_is_warned_of(data: bytes) -> None:
    """A delegate call may do anything with the contract that makes it."""
    assert any("delegatecall" in text for text in _read(data).warnings)


def test_warnings_of_inner_calls_say_which() -> None:
    """A blind call, an unlimited approval and value to the zero address are found wherever they are, and their details told."""
    calls = [(OTHER, True, 0, b"\1\2\3\4"), (OTHER, True, 0, _call("approve(address,uint256)", A, U256)), (bytes(20), True, 1, b"")]
    meaning = _read(_call("aggregate3Value((address,bool,uint256,bytes)[])", calls))

    assert [text.split()[:3] for text in meaning.warnings] == [["call", "1:", "blind"], ["call", "2:", "lets"], ["call", "3:", "the"]]
    assert meaning.details["call_2.spender"] == A.hex()
    assert meaning.details["calls"] == 3


def test_calls_in_calls_are_read_to_a_bound() -> None:
    """Too deep in each other, or too many, they are not read, and a warning says so; what is shown is bounded too."""
    deep = INNER
    for _ in range(5):
        deep = _call("multicall(bytes[])", [deep])
    many = _read(_call("multicall(bytes[])", [INNER] * (MAX_INNER_CALLS + 3)))
    blind = _read(_call("multicall(bytes[])", [b"\1\2\3\4"] * 30))

    assert "1 of the calls inside are too many or too deep" in _read(deep).warnings[0]
    assert "3 of the calls inside" in many.warnings[0]
    assert len(many.transfers) == MAX_INNER_CALLS
    assert blind.warnings[-1] == "10 more warnings"


def test_details_are_shown_to_a_bound() -> None:
    """As many details as people can read are shown of a batch."""
    permit = _call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", A, B, 1, 9, 27, bytes(32), bytes(32))

    assert len(_read(_call("multicall(bytes[])", [permit] * 50)).details) == MAX_DETAILS


def test_transfers_are_shown_to_a_bound() -> None:
    """More recipients than are shown are counted and warned of."""
    count = MAX_TRANSFERS + 2
    meaning = _read(_call("disperseEther(address[],uint256[])", [A] * count, [1] * count))

    assert (len(meaning.transfers), meaning.details["more_transfers"]) == (MAX_TRANSFERS, 2)
    assert meaning.warnings[0] == "2 more transfers than are shown"
    assert meaning.passed_on == count


@pytest.mark.parametrize(
    "data",
    [
        _call("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", A, B, [7, 8], [1], b""),
        _call("disperseEther(address[],uint256[])", [A], []),
        _call("executeBatch(address[],bytes[])", [A], []),
        _call("multiSend(bytes)", _packed((0, OTHER, 0, INNER))[:-1]),
    ],
)
def test_lists_that_do_not_fit_each_other_are_not_read(data: bytes) -> None:
    """Of lists that belong together, one longer than the other means a call that fails, or something else."""
    assert _read(data).warnings[0].startswith("blind call: the call data starts like")
