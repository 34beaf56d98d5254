"""The answer to a PSBT: the PSBT always, the transaction when no signature is missing."""

from base64 import b64encode

import httpx

from tests.wallets.psbts import STRANGER, US, Party, psbt, spent, transfer
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
