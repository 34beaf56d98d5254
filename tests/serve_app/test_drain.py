"""The whole service ends with streams of gRPC open and a request in flight: those end at once, and this is answered."""

import asyncio
import contextlib
import json
import signal
import time
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.samples import EIP_155_EXAMPLE
from tests.serve_app.whole_service import Service, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

STREAM = "/crypto_wallet.v2.WalletService/SignTransactions"
VAULT_SECONDS = 8.0
"""How long the request in flight waits: longer than Serve needs to take an HAProxy that ends for one that is not well."""

TELLING_SECONDS = 10.0
"""Until every stream has ended: a second on a machine that does nothing else."""


def _stream(channel: grpc.aio.Channel, service: Service) -> Any:
    call: Any = channel.stream_stream(STREAM, lambda each: each.SerializeToString(), v2.SignTransactionsResponse.FromString)
    return call(metadata=(("x-api-key", service.headers()["X-Api-Key"]),))


async def _ended(call: Any) -> tuple[str, float]:
    """Return how a stream ended, and when."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        await call.read()
    return f"{(await call.code()).name}: {await call.details()}", time.monotonic()


async def _signed(call: Any, message: v2.SignTransactionsRequest) -> tuple[int, int]:
    """Sign one item after the other until the stream ends; return how many were sent, and how many signed."""
    sent, signed = 0, 0
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await call.write(message)
            sent += 1
            signed += len([each for each in (await call.read()).outcomes if each.signed.tx_id])
    return sent, signed


async def _in_flight(service: Service, wallet_id: str) -> tuple[int, str, float]:
    """Sign while Vault hangs; return the status, the problem and when it came."""
    body = {"network": "eth", "index": 0, "unsigned_tx": EIP_155_EXAMPLE}
    async with httpx.AsyncClient(base_url=service.url, headers=service.headers(), timeout=60) as client:
        answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)
    return answer.status_code, str(answer.json()["type"]), time.monotonic()


def test_streams_end_at_once_and_what_is_in_flight_is_answered() -> None:
    """Idle streams, one on which items are signed all the while, and a watch are told to go on elsewhere; a slow request has its answer.

    The channel stays open: the end is bounded, whatever a client does with it.
    """
    with whole_service(APP__VAULT__DEADLINE_SECS=str(VAULT_SECONDS)) as service:
        asyncio.run(_end(service))

        assert service.process.returncode == 0, service.output.read_text()
        assert not service.left()


async def _end(service: Service) -> None:
    with service.client() as client:
        known, slow = (client.post("/api/v1/wallets", json={"label": each}).raise_for_status().json()["id"] for each in ("a", "b"))
        client.get(f"/api/v1/wallets/{known}/address/eth").raise_for_status()
    account, transaction = v2.Account(wallet_id=known, network="eth"), v2.Transaction(unsigned_tx=EIP_155_EXAMPLE)
    message = v2.SignTransactionsRequest(items=[v2.SignItem(id="a", account=account, transaction=transaction)])

    async with grpc.aio.insecure_channel(json.loads((service.folder / "state.json").read_text())["facts"]["grpc"]) as channel:
        idle = [_stream(channel, service) for _ in range(4)]
        for call in idle:
            await call.write(message)
            await call.read()
        watch: Any = channel.unary_stream("/grpc.health.v1.Health/Watch")
        watched = watch(health_pb2.HealthCheckRequest().SerializeToString())
        await watched.read()
        busy = asyncio.create_task(_signed(_stream(channel, service), message))
        (vault,) = service.named("bao")
        vault.suspend()
        request = asyncio.create_task(_in_flight(service, slow))
        await asyncio.sleep(1)

        service.note()
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        ended = await asyncio.gather(*map(_ended, (*idle, watched)))
        sent, signed = await busy
        status, problem, answered = await request
        await asyncio.to_thread(service.process.wait, 60)
        took = time.monotonic()

    told = "UNAVAILABLE: the service ends; send what was not answered on another stream"
    assert {how for how, _ in ended} == {told}
    assert signed > 10
    assert sent - signed <= 1
    assert max(when for _, when in ended) - began < TELLING_SECONDS
    assert (status, problem) == (503, "urn:crypto-wallets:problem:key-encryption-unavailable")
    assert answered - began > VAULT_SECONDS - 2
    # An HAProxy that was replaced lately, which the open channel may have kept, is waited for: 18 s, and then the others end.
    assert took - began < 30
