"""Signing over HTTP, each signature checked by a library that the service does not use for it."""

import httpx
import rlp
from eth_account import Account as EthAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from tests.api.conftest import World
from wallets.model import AuditAction, AuditStatus

RECIPIENT = bytes.fromhex("3535353535353535353535353535353535353535")


async def test_a_legacy_transfer(client: httpx.AsyncClient, world: World, account: tuple[str, str]) -> None:
    """The transaction of EIP-155's example comes back signed by the account, with its id, intent and audit row."""
    wallet_id, address = account
    unsigned = rlp.encode([9, 20 * 10**9, 21000, RECIPIENT, 10**18, b"", 1, 0, 0])

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": unsigned.hex()})

    document = answer.json()
    assert answer.status_code == 200
    assert EthAccount.recover_transaction(document["signed_tx"]) == address == document["from"]
    assert document["tx_id"].startswith("0x")
    assert document["intent"]["transfers"][0]["amount"] == "1000000000000000000"
    assert document["intent"]["max_fee"] == str(21000 * 20 * 10**9)
    event = world.audit.events[-1]
    assert (event.action, event.status, event.details["tx_id"]) == (AuditAction.TRANSACTION_SIGN, AuditStatus.OK, document["tx_id"])
    assert 'sign_operations_total{network="eth",status="ok"} 1.0' in world.metrics.render().decode()


async def test_a_fee_market_transfer(client: httpx.AsyncClient, account: tuple[str, str]) -> None:
    """An EIP-1559 transaction comes back signed by the account."""
    wallet_id, address = account
    fields = {
        "type": 2,
        "chainId": 1,
        "nonce": 0,
        "maxPriorityFeePerGas": 1,
        "maxFeePerGas": 2,
        "gas": 21000,
        "to": "0x" + RECIPIENT.hex(),
        "value": 3,
        "data": "0x",
        "accessList": [],
    }
    payload = [1, 0, 1, 2, 21000, RECIPIENT, 3, b"", []]

    answer = await client.post(
        f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": "0x02" + rlp.encode(payload).hex()}
    )

    document = answer.json()
    assert answer.status_code == 200
    assert EthAccount.recover_transaction(document["signed_tx"]) == address
    signed = TypedTransaction.from_bytes(HexBytes(document["signed_tx"])).as_dict()
    assert {key: signed[key] for key in ("nonce", "gas", "value")} == {key: fields[key] for key in ("nonce", "gas", "value")}


async def test_no_audit_no_signature(client: httpx.AsyncClient, world: World, account: tuple[str, str]) -> None:
    """When the row cannot be written nothing is released."""
    wallet_id, _ = account
    unsigned = rlp.encode([9, 20 * 10**9, 21000, RECIPIENT, 10**18, b"", 1, 0, 0])
    world.audit.away = True

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": unsigned.hex()})

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:crypto-wallets:problem:audit-unavailable")
    assert "signed_tx" not in answer.text
    assert 'sign_operations_total{network="eth",status="failed"} 1.0' in world.metrics.render().decode()
