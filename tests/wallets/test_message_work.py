"""Messages: whatever is sent, the work is bounded."""

import json

import pytest

from tests.wallets.work import MIB, MOST_SHOWN_BYTES, calls_of, work_of
from wallets.chains import CHAINS
from wallets.chains.evm.address import checksummed
from wallets.chains.tron_contracts import address_text
from wallets.chains.tron_messages import CHAIN_ID


def typed(members: list[dict[str, str]], message: object, **types: object) -> dict[str, object]:
    """Return typed data with these members."""
    domain = [{"name": "chainId", "type": "uint256"}]
    return {"types": {"EIP712Domain": domain, "T": members, **types}, "primaryType": "T", "domain": {"chainId": 1}, "message": message}


CHAIN_IDS = {"eth": 1, "tron": CHAIN_ID}
ONE = [{"name": "a", "type": "T[]"}]
CHECKED = [checksummed(number.to_bytes(20)) for number in range(2**159, 2**159 + 4_990)]
TRON = [address_text(b"\x41" + number.to_bytes(20)) for number in range(4_990)]
WEB = {f"S{number}": [{"name": f"m{to}", "type": f"S{to}[]"} for to in range(7)] for number in range(70)}
TYPED = {
    "many values": (typed([{"name": "a", "type": "uint8[]"}], {"a": [1] * 5_000}), "more than 5000 values"),
    "as many values as are taken": (typed([{"name": "a", "type": "uint8[]"}], {"a": [1] * 4_998}), "accepted"),
    "many empty structs": (typed(ONE, {"a": [{"a": []}] * 2_499}), "accepted"),
    "types that hold each other": (
        typed([{"name": "a", "type": "S0"}], {"a": {f"m{to}": [] for to in range(7)}}, **WEB),
        "S10 is declared",
    ),
    "a long text": (typed([{"name": "a", "type": "string"}], {"a": "x" * MIB}), "accepted"),
    "long bytes": (typed([{"name": "a", "type": "bytes"}], {"a": "0x" + "ab" * (MIB // 2)}), "accepted"),
    "a long number": (typed([{"name": "a", "type": "uint256"}], {"a": "9" * MIB}), "a whole number is expected"),
    "many names": (typed([{"name": "a", "type": "bool"}], {f"n{number}": 1 for number in range(50_000)}), "a is missing"),
}
ADDRESSES = {
    "eth: in lower case": ("eth", [each.lower() for each in CHECKED]),
    "eth: with checksums": ("eth", CHECKED),
    "tron: in base58check": ("tron", TRON),
    "tron: in hex": ("tron", ["41" + number.to_bytes(20).hex() for number in range(4_990)]),
}


@pytest.mark.parametrize(("network", "addresses"), ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize(("count", "reason"), [(4_990, r"message.a[1000]: there are more than 1000 addresses"), (1_000, "accepted")])
def test_the_work_of_addresses_is_bounded(network: str, addresses: list[str], count: int, reason: str) -> None:
    """Each costs as much as many other values, so that fewer of them are taken."""
    value = typed([{"name": "a", "type": "address[]"}], {"a": addresses[:count]}) | {"domain": {"chainId": CHAIN_IDS[network]}}

    work = work_of(lambda: CHAINS[network].read_typed_data(value))

    assert reason in work.outcome
    assert work.excess == ""


@pytest.mark.parametrize(("value", "reason"), TYPED.values(), ids=TYPED)
def test_the_work_of_typed_data_is_bounded(value: dict[str, object], reason: str) -> None:
    """Many values, types and names, and long ones, cost a bounded number of calls, and what is shown of them is bounded."""
    work = work_of(lambda: CHAINS["eth"].read_typed_data(value))

    assert reason in work.outcome
    assert work.excess == ""
    if reason == "accepted":
        assert len(json.dumps(CHAINS["eth"].read_typed_data(value).intent.as_details())) <= MOST_SHOWN_BYTES


@pytest.mark.parametrize("network", ["eth", "btc", "doge"])
@pytest.mark.parametrize("message", [b"a" * MIB, b"0" * MIB, b"\xff" * MIB, b"\x02\xfa" + bytes(MIB)], ids=["text", "hex", "bytes", "RLP"])
def test_the_work_of_messages_is_bounded(network: str, message: bytes) -> None:
    """A megabyte of whatever is hashed by few calls, and little of it is shown."""
    chain = CHAINS[network]

    calls, _ = calls_of(lambda: chain.read_message(message))

    assert calls <= 5_000
    assert len(json.dumps(chain.read_message(message).intent.as_details())) <= MOST_SHOWN_BYTES
