"""Inspecting over HTTP: what a transaction does, without a wallet, a key or an audit row."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import World, problem
from tests.samples import EIP_155_EXAMPLE, ton_transfer, tron_transfer

UNSIGNED = f"0x{EIP_155_EXAMPLE}"
SIX_ITEMS = "e9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"


async def _inspect(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/api/v1/transactions/inspect", json=body)


async def test_a_transaction_is_told(client: httpx.AsyncClient, world: World) -> None:
    """Recipients, amounts in base units and in units, and the fee; nothing is written, no wallet asked."""
    world.store.away = world.audit.away = True

    answer = await _inspect(client, {"network": "eth", "unsigned_tx": UNSIGNED})

    intent = answer.json()["intent"]
    assert answer.status_code == 200
    assert intent["transfers"] == [
        {"recipient": "0x" + "35" * 20, "amount": "1000000000000000000", "amount_decimal": "1", "asset": "native"}
    ]
    assert (intent["kind"], intent["sender"], intent["max_fee"], intent["max_fee_decimal"]) == (
        "transfer",
        None,
        str(42 * 10**13),
        "0.00042",
    )
    assert world.journal.events == []


@pytest.mark.parametrize(
    ("network", "raw", "units"),
    [
        ("evm:1337", "ee098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000808205398080", "1"),
        ("tron", tron_transfer(b"\x41" + bytes(20), b"\x41" + bytes(19) + b"\1", 1_500_000).hex(), "1.5"),
        ("ton", ton_transfer(0, 250_000_000).hex(), "0.25"),
    ],
)
async def test_units_are_those_of_the_network(client: httpx.AsyncClient, network: str, raw: str, units: str) -> None:
    """Every network has decimals of its own."""
    answer = await _inspect(client, {"network": network, "unsigned_tx": raw})

    assert answer.json()["intent"]["transfers"][0]["amount_decimal"] == units


async def test_networks_without_a_row_count_together(client: httpx.AsyncClient, world: World) -> None:
    """Whoever names thousands of chain ids makes one series in the metrics, and the usual address on each."""
    wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]
    for network in ("evm:1337", "evm:1338", "evm:0"):
        await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": network, "index": 0, "unsigned_tx": "00"})
    addresses = {(await client.get(f"/api/v1/wallets/{wallet_id}/address/{each}")).json()["address"] for each in ("eth", "evm:1337")}

    metrics = world.metrics.render().decode()
    assert len(addresses) == 1
    assert 'sign_operations_total{network="evm",status="refused"} 2.0' in metrics
    assert 'sign_operations_total{network="other",status="refused"} 1.0' in metrics


async def test_what_is_not_signed_can_be_inspected(client: httpx.AsyncClient) -> None:
    """A transaction that the policy refuses is told all the same, with what is wrong with it."""
    answer = await _inspect(client, {"network": "eth", "unsigned_tx": SIX_ITEMS})

    assert any("names no chain" in text for text in answer.json()["intent"]["warnings"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"network": "eth", "unsigned_tx": "zz"}, (400, "malformed-transaction")),
        ({"network": "bsc", "unsigned_tx": UNSIGNED}, (400, "malformed-transaction")),
        ({"network": "xrp", "unsigned_tx": "00"}, (400, "unsupported-network")),
        ({"network": "eth", "unsigned_tx": UNSIGNED, "index": 0}, (422, "unprocessable-request")),
        ({"network": "eth", "unsigned_tx": UNSIGNED, "version": "v5r1"}, (422, "unprocessable-request")),
        ({"network": "eth"}, (422, "unprocessable-request")),
    ],
    ids=["no hex", "another chain", "no network", "unknown field", "no variants", "no transaction"],
)
async def test_what_cannot_be_inspected(client: httpx.AsyncClient, body: dict[str, Any], expected: tuple[int, str]) -> None:
    """Malformed transactions, unknown networks and fields are refused as when signing."""
    assert problem(await _inspect(client, body)) == expected


async def test_a_key_is_needed(client: httpx.AsyncClient) -> None:
    """Strangers cannot make us decode."""
    answer = await client.post("/api/v1/transactions/inspect", json={}, headers={"X-Api-Key": "wrong"})

    assert problem(answer) == (401, "authentication-required")
