"""Tron: contract types that TronWeb and tronpy cannot write are read too, and a transaction says when nodes take it."""

from typing import Any

import pytest
from tronpy.proto import tron_pb2

from tests.wallets.second_opinions import TRON as VECTORS
from wallets.chains import CHAINS
from wallets.chains.protobuf import encode_bytes
from wallets.errors import MalformedTransactionError
from wallets.model import Transfer

TRON = CHAINS["tron"]
OURS, THEIRS = VECTORS["accounts"][0], VECTORS["accounts"][1]
RAW_DATA = {each["name"]: bytes.fromhex(each["raw_data"]) for each in VECTORS["transactions"]}


def _with_fields(number: int, kind: str, fields: bytes) -> bytes:
    """Replace the contract of a vector by one that TronWeb and tronpy cannot write."""
    raw = tron_pb2.Transaction.raw.FromString(RAW_DATA["transfer"])
    raw.contract[0].type = number
    raw.contract[0].parameter.type_url = f"type.googleapis.com/protocol.{kind}"
    raw.contract[0].parameter.value = fields
    return bytes(raw.SerializeToString())


OWNER = encode_bytes(1, bytes.fromhex(OURS["hex"]))
THEM = bytes.fromhex(THEIRS["hex"])


def test_a_proposal_is_shown_with_every_parameter() -> None:
    """The chain's parameters that a proposal changes are shown by number and value, number 0 included."""
    details = TRON.decode(RAW_DATA["create_proposal"]).intent.details

    assert {
        "parameters[0].key": 0,
        "parameters[0].value": 21600000,
        "parameters[1].key": 11,
        "parameters[1].value": 420,
        "parameters[2].key": 9,
        "parameters[2].value": 1,
    }.items() <= details.items()


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([b"\x08\x01\x10\x02", b"\x08\x01\x10\x03"], "parameters at byte .*: the key 1 is there twice"),
        ([b"\x08\x01"], "value is missing"),
        ([b"\x10\x01"], "key is missing"),
        ([b""], "key is missing"),
        ([b"\x10\x01\x08\x01"], "order of their numbers"),
        ([], "parameters is missing"),
    ],
    ids=["twice", "no value", "no key", "empty", "wrong order", "none"],
)
def test_a_proposal_has_each_parameter_once_and_whole(entries: list[bytes], reason: str) -> None:
    """A map's entry has its key and its value, and no key is there twice."""
    data = _with_fields(16, "ProposalCreateContract", OWNER + b"".join(encode_bytes(2, entry) for entry in entries))

    with pytest.raises(MalformedTransactionError, match=reason):
        TRON.decode(data)


def test_a_vote_for_assets_is_read() -> None:
    """The contract type that nodes no longer execute is shown with whom it votes for."""
    data = _with_fields(3, "VoteAssetContract", OWNER + encode_bytes(2, THEM) * 2 + b"\x18\x01\x28\x07")

    intent = TRON.decode(data).intent

    assert (intent.kind, intent.sender) == ("vote_asset", OURS["address"])
    shown = {"vote_address[0]": THEIRS["address"], "vote_address[1]": THEIRS["address"], "support": 1, "count": 7}
    assert shown.items() <= intent.details.items()


@pytest.mark.parametrize("is_public", [True, False], ids=["to a public address", "to nobody that is seen"])
def test_a_shielded_transfer_says_what_it_hides(is_public: bool) -> None:
    """What a transparent sender puts into a shielded transfer is shown, its public recipient too, and that the rest cannot be seen."""
    part = b"".join(encode_bytes(number, bytes([number]) * 32) for number in range(1, 7))
    public = encode_bytes(6, THEM) + b"\x38\x05" if is_public else b""
    fields = OWNER + b"\x10\x0a" + encode_bytes(3, part) + encode_bytes(4, part) + encode_bytes(5, b"s" * 64) + public

    intent = TRON.decode(_with_fields(51, "ShieldedTransferContract", fields)).intent

    assert intent.kind == "shielded_transfer"
    assert intent.transfers == ((Transfer(THEIRS["address"], 5),) if is_public else ())
    assert intent.details["from_amount"] == 10
    assert intent.details["receive_description[0].epk"] == "03" * 32
    assert "cannot be seen" in intent.warnings[0]


@pytest.mark.parametrize(
    ("expiration", "timestamp", "valid_from"),
    [
        (1_900_000_060_000, 1_900_000_000_000, 1_899_999_940),
        (1_900_000_060_000, 0, 1_899_913_660),
        (1_900_000_060_001, 0, 1_899_913_661),
        (1_000, 0, 0),
    ],
)
def test_it_is_said_from_when_on_nodes_take_it(expiration: int, timestamp: int, valid_from: int) -> None:
    """A node takes what expires within a day; and what says to be made in the future is not taken before, but for a minute."""
    raw: Any = tron_pb2.Transaction.raw.FromString(RAW_DATA["transfer"])
    raw.expiration, raw.timestamp = expiration, timestamp

    intent = TRON.decode(raw.SerializeToString()).intent

    assert (intent.valid_from, intent.expires_at) == (valid_from, expiration // 1000)


@pytest.mark.parametrize(("limit", "is_odd"), [(1_000_000, False), (1_000_001, True)])
def test_energy_for_more_than_a_tenth_of_the_trx_sent_is_warned_of(limit: int, is_odd: bool) -> None:
    """TRX sent to a contract, 10 of them, may cost a tenth in energy and no more without a word."""
    raw = tron_pb2.Transaction.raw.FromString(RAW_DATA["trc20_transfer"])
    call = tron_pb2.TriggerSmartContract.FromString(raw.contract[0].parameter.value)
    call.ClearField("data")
    call.call_value = 10_000_000
    raw.contract[0].parameter.value = call.SerializeToString()
    raw.fee_limit = limit

    assert TRON.decode(raw.SerializeToString()).intent.warnings == ("the fee may be more than a tenth of the amount",) * is_odd


def test_what_goes_into_a_contract_that_is_created_is_a_transfer() -> None:
    """TRX and a token; the contract's address is not known yet."""
    new_contract = encode_bytes(1, OWNER[2:]) + encode_bytes(4, b"\x60") + b"\x28\x05"

    intent = TRON.decode(_with_fields(30, "CreateSmartContract", OWNER + encode_bytes(2, new_contract) + b"\x18\x03\x20\x07")).intent

    assert intent.kind == "contract_creation"
    assert intent.transfers == (Transfer("new contract", 5), Transfer("new contract", 3, "trc10:7"))
