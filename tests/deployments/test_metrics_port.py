"""A signer tells Prometheus its metrics on a port of its own, and nothing else there."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from api.observability import METRICS_MEDIA_TYPE, Metrics
from deployments.metrics_port import metrics_port
from deployments.settings import ConfigurationError
from serve_app.ports import free_ports
from wallets.address_watcher import Source

HOST = "127.0.0.1"


@pytest.fixture(name="metrics")
def _metrics() -> Metrics:
    return Metrics()


@pytest.fixture(name="port")
def _port() -> int:
    return free_ports(1)[0]


@pytest.fixture(name="client")
async def _client(metrics: Metrics, port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with metrics_port(metrics, HOST, port), httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as client:
        yield client


async def test_an_alarm_of_a_signer_is_told(client: httpx.AsyncClient, metrics: Metrics) -> None:
    """As the edge tells its own."""
    metrics.address_forged(Source.SHARED)

    answer = await client.get("/metrics")

    assert (answer.status_code, answer.headers["content-type"]) == (200, METRICS_MEDIA_TYPE)
    assert 'address_forgeries_total{store="redis"} 1.0' in answer.text
    assert "server" not in answer.headers


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("GET", "/api/v1/wallets", 404), ("POST", "/metrics", 405)])
async def test_there_is_nothing_else(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """No way in to what signs."""
    assert (await client.request(method, path)).status_code == status


async def test_no_more_clients_are_served_than_a_few(client: httpx.AsyncClient, port: int) -> None:
    """Others are told so, until there are fewer."""
    silent = [await asyncio.open_connection(HOST, port) for _ in range(40)]
    refused = await client.get("/metrics")
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(10):
        while (await client.get("/metrics")).status_code != 200:
            await asyncio.sleep(0.01)

    assert refused.status_code == 503


async def test_a_port_that_is_taken_is_a_mistake_of_the_configuration(metrics: Metrics, port: int) -> None:
    """Told by the setting's name: Ray's log has nothing else to go by."""
    with socket.create_server((HOST, port)), pytest.raises(ConfigurationError, match=r"APP__SIGNERS__METRICS_PORT: .* in use"):
        async with metrics_port(metrics, HOST, port):
            pass


async def test_the_port_closes_with_the_signer_whoever_is_connected(metrics: Metrics, port: int) -> None:
    """A client that stays does not keep the process."""
    async with asyncio.timeout(5):
        async with metrics_port(metrics, HOST, port):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")

        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection(HOST, port)
    writer.close()
