"""The answer to a PSBT: the PSBT always, the transaction when no signature is missing. And to a message: its text for verifiers."""

from base64 import b64encode

import httpx
import pytest

from tests.api.conftest import problem
from tests.wallets.psbts import MESSAGES, STRANGER, US, Party, psbt, spent, transfer
from wallets.chains.bitcoin.script import Kind
from wallets.chains.bitcoin.transaction import Output


async def test_a_whole_transaction_is_answered(client: httpx.AsyncClient, wallet: str) -> None:
    """With its id, its virtual size and the PSBT, from hex and from base64 alike."""
    expected = US.decode(transfer()).sign(US.key)

    texts = (transfer().hex(), b64encode(transfer()).decode())
    answers = [await client.post(f"{wallet}/sign", json={"network": "btc", "index": 0, "unsigned_tx": text}) for text in texts]

    found = answers[0].json()
    assert found == answers[1].json()
    assert {name: found[name] for name in ("signed_tx", "tx_id", "from", "signature", "type")} == {
        "signed_tx": expected.raw.hex(),
        "tx_id": expected.tx_id,
        "from": US.address,
        "signature": expected.signature.hex(),
        "type": "segwit",
    }
    assert {"psbt": found["psbt"], "vsize": found["vsize"]} == expected.extra


async def test_a_part_is_answered_without_a_transaction(client: httpx.AsyncClient, wallet: str) -> None:
    """The PSBT goes to the next account, whose answer has it."""
    first, second = Party(Kind.TAPROOT), Party(Kind.TAPROOT, 1)
    raw = psbt([spent(first), spent(second, salt=2)], [Output(190_000, STRANGER)])

    part = await client.post(f"{wallet}/sign", json={"network": "btc", "index": 0, "type": "taproot", "unsigned_tx": raw.hex()})
    body = {"network": "btc", "index": 1, "type": "taproot", "unsigned_tx": part.json()["psbt"]}
    whole = await client.post(f"{wallet}/sign", json=body)

    assert not {"signed_tx", "tx_id", "vsize"} & part.json().keys()
    assert part.json()["type"] == "taproot"
    assert {"signed_tx", "tx_id", "vsize", "psbt"} <= whole.json().keys()


@pytest.mark.parametrize("vector", [each for each in MESSAGES if each["message"] == "Hello World"], ids=lambda each: each["signature_text"])
async def test_a_message_is_answered_as_verifiers_take_it(client: httpx.AsyncClient, wallet: str, vector: dict[str, str]) -> None:
    """Each kind of account, in each of its formats."""
    body = {"network": vector["network"], "index": 0, "message": vector["message"], "format": vector["format"]}
    if vector["network"] != "doge":
        body["type"] = vector["type"]

    found = (await client.post(f"{wallet}/sign-message", json=body)).json()

    assert (found["from"], found["signature_text"]) == (vector["address"], vector["signature_text"])
    assert b64encode(bytes.fromhex(found["signature"])).decode() in found["signature_text"]
    assert found["intent"]["details"]["standard"].replace("-", "") == vector["format"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"network": "btc", "type": "taproot", "format": "bip137"}, (400, "unsupported-message")),
        ({"network": "btc", "format": "bip340"}, (400, "unsupported-message")),
        ({"network": "eth", "format": "bip322"}, (400, "unsupported-message")),
        ({"network": "btc", "format": ""}, (422, "unprocessable-request")),
        ({"network": "btc", "format": 322}, (422, "unprocessable-request")),
    ],
    ids=str,
)
async def test_a_format_that_is_not_there_is_refused(
    client: httpx.AsyncClient, wallet: str, body: dict[str, object], expected: tuple[int, str]
) -> None:
    """What the network or the kind of account does not sign is 400, and what is no name 422."""
    answer = await client.post(f"{wallet}/sign-message", json={"index": 0, "message": "hello", **body})

    assert problem(answer) == expected
