"""What a URL of a Redis may be, and that each kind of server is reached by it: real ones, behind TLS, under sentinels, in a cluster."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from adapters.redis import RedisAwayError, RedisConnections, RedisHealth
from adapters.redis_limiter import LiveReplicas
from adapters.redis_url import RedisUrlError, parse
from serve_app.ports import free_ports
from tests.adapters.limits_house import limiter_on, somebody, wait_of
from tests.certificates import write_certificates
from tests.servers import RunningServer, eventually
from tests.valkeys import PASSWORD, Valkey, valkey
from wallets.model import HealthStatus

RARELY = 1 / 60
NODES = 3


@pytest.mark.parametrize(
    ("text", "kind", "hosts", "database", "service", "user"),
    [
        ("redis://h", "single", (("h", 6379),), 0, "", {}),
        ("redis://:p%40@h:1/2", "single", (("h", 1),), 2, "", {"password": "p@"}),
        ("redis://u:p@[::1]:1?db=3", "single", (("::1", 1),), 3, "", {"username": "u", "password": "p"}),
        ("rediss://u@h", "single", (("h", 6379),), 0, "", {"username": "u"}),
        ("unix://:p@/a/b%20c?db=1", "unix", (), 1, "", {"password": "p"}),
        ("redis+sentinel://a:1,b/main", "sentinel", (("a", 1), ("b", 26379)), 0, "main", {}),
        ("rediss+sentinel://:p@a/main/4", "sentinel", (("a", 26379),), 4, "main", {"password": "p"}),
        ("redis+cluster://a,b:2", "cluster", (("a", 6379), ("b", 2)), 0, "", {}),
        ("rediss+cluster://:p@a/", "cluster", (("a", 6379),), 0, "", {"password": "p"}),
    ],
)
def test_urls(text: str, kind: str, hosts: Sequence[tuple[str, int]], database: int, service: str, user: dict[str, str]) -> None:
    """One server by TCP, TLS or a socket, what sentinels watch over, or a cluster."""
    url = parse(text)

    assert (url.kind, url.hosts, url.database, url.service, url.credentials) == (kind, hosts, database, service, user)
    assert url.is_tls is text.startswith("rediss")


def test_sentinels_have_credentials_of_their_own() -> None:
    """And none if none are given."""
    url = parse("redis+sentinel://:p@a/main?sentinel_username=s&sentinel_password=x%2F")

    assert url.sentinel_credentials == {"username": "s", "password": "x/"}
    assert parse("redis+sentinel://:p@a/main").sentinel_credentials == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://h", "starts with"),
        ("redis:", "starts with"),
        ("redis+cluster://", "starts with"),
        ("redis://:secret@[", "no URL"),
        ("redis://:secret@/0", "no host"),
        ("redis+sentinel://:secret@,/main", "no host"),
        ("redis://:secret@a,b", "several hosts"),
        ("redis://:secret@h:x", "a port"),
        ("redis://:secret@h:99999", "a port"),
        ("unix://:secret@?db=1", "no socket"),
        ("redis+sentinel://:secret@a", "no service"),
        ("redis://:secret@h/x", "no number"),
        ("redis://:secret@h/-1", "no number"),
        ("redis+cluster://:secret@h/1", "only one"),
        ("redis://:secret@h/0/1", "says more"),
        ("redis://:secret@h?ssl_cert_reqs=none", "says more"),
        ("redis://:secret@h?sentinel_password=secret", "says more"),
        ("redis://:secret@h#x", "says more"),
    ],
)
def test_what_is_no_url(text: str, problem: str) -> None:
    """Is refused with the reason, in which the password does not stand."""
    with pytest.raises(RedisUrlError, match=problem) as raised:
        parse(text)

    assert "secret" not in str(raised.value)


def test_credentials_are_not_shown() -> None:
    """Whoever prints a URL that was read sees no password."""
    assert "secret" not in repr(parse("redis+sentinel://u:secret@a/main?sentinel_password=secret"))


async def expect_everything(connections: RedisConnections) -> None:
    """See that limits, beats and health work."""
    limiter, client, replicas = limiter_on(connections, RARELY, 2), somebody(), LiveReplicas(connections, 7)
    await replicas.beat()

    assert [await wait_of(limiter, client) is None for _ in range(3)] == [True, True, False]
    assert replicas.count == 1
    assert (await RedisHealth(connections).check()).status is HealthStatus.OK
    await replicas.leave()


async def expect_waiting(url: str) -> None:
    """See that who needs a connection while all are in use waits for one."""
    async with RedisConnections(url, max_connections=2, longest_seconds=5) as connections:
        await connections.put("waiting", "x", 60)

        found = await asyncio.gather(*(connections.get("waiting") for _ in range(50)), connections.ping())

    assert found == ["x"] * 50 + [None]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer[Valkey]]:
    """One server."""
    with valkey(tmp_path_factory.mktemp("single")) as running:
        yield running


@asynccontextmanager
async def tls_before(server: Valkey, folder: Path) -> AsyncIterator[int]:
    """Speak TLS on a port of loopback before a server that does not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", server.port)
        for each in (pass_on(reader, there[1]), pass_on(there[0], writer)):
            tasks.add(asyncio.create_task(each))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_with_a_password(single: RunningServer[Valkey]) -> None:
    """By TCP."""
    async with RedisConnections(single.server.url, longest_seconds=5) as connections:
        await expect_everything(connections)
    await expect_waiting(single.server.url)


async def test_a_server_by_tls(single: RunningServer[Valkey], tmp_path: Path) -> None:
    """Whose certificate is by a CA that the settings name; without it, it is not believed."""
    write_certificates(tmp_path)
    async with tls_before(single.server, tmp_path) as port:
        url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
        async with RedisConnections(url, tmp_path / "ca.pem", longest_seconds=5) as connections:
            await expect_everything(connections)
        async with RedisConnections(url, longest_seconds=5) as connections:
            with pytest.raises(RedisAwayError):
                await connections.get("x")
        async with RedisConnections(url.replace("127.0.0.1", "localhost"), tmp_path / "ca.pem", longest_seconds=5) as connections:
            with pytest.raises(RedisAwayError):  # the certificate is another host's
                await connections.get("x")


async def test_sentinels_lead_to_the_master(tmp_path: Path) -> None:
    """And, when it is gone, to the replica that they have made master in its place."""
    sentinel_port, *ports = free_ports(3)
    with ExitStack() as stack:
        master = stack.enter_context(valkey(tmp_path, port=ports[0]))
        stack.enter_context(valkey(tmp_path, f"replicaof 127.0.0.1 {ports[0]}", f"masterauth {PASSWORD}", port=ports[1]))
        watch = (
            "monitor main 127.0.0.1 {} 1",
            f"auth-pass main {PASSWORD}",
            "down-after-milliseconds main 300",
            "failover-timeout main 1000",
        )
        lines = [f"sentinel {line.format(ports[0])}" for line in watch]
        stack.enter_context(valkey(tmp_path, *lines, port=sentinel_port, arguments=("--sentinel",)))
        url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:1,127.0.0.1:{sentinel_port}/main/0?sentinel_password={PASSWORD}"
        async with RedisConnections(url, longest_seconds=5) as connections:
            await eventually(lambda: _known_replica(sentinel_port), LookupError)
            await expect_everything(connections)
            await expect_waiting(url)
            master.kill()
            replicas = LiveReplicas(connections, 7)
            await eventually(lambda: _beaten(replicas), LookupError, seconds=30)
            await replicas.leave()
            await expect_everything(connections)
        master.start()


async def test_a_cluster(tmp_path: Path) -> None:
    """Of three nodes, each with its part of the keys; all limits of a client are in one."""
    ports = free_ports(2 * NODES)
    nodes = list(zip(ports[:NODES], ports[NODES:], strict=True))
    with ExitStack() as stack:
        for port, bus in nodes:
            stack.enter_context(valkey(tmp_path, "cluster-enabled yes", f"cluster-port {bus}", port=port))
        await _join(nodes)
        url = f"redis+cluster://:{PASSWORD}@127.0.0.1:{ports[0]}"
        async with RedisConnections(url, longest_seconds=5) as connections:
            await eventually(lambda: _reached(connections), RedisAwayError)
            for _ in range(8):
                await expect_everything(connections)
        await expect_waiting(url)


async def _join(nodes: Sequence[tuple[int, int]]) -> None:
    """Make a cluster of nodes, each given by its port and that of the cluster's bus, and return when all of them know it."""
    clients: list[Any] = [redis.asyncio.Redis(port=port, password=PASSWORD) for port, _ in nodes]
    bounds = [16384 * place // len(nodes) for place in range(len(nodes) + 1)]
    for client, first, behind in zip(clients, bounds, bounds[1:], strict=False):
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, behind - 1)
    for port, bus in nodes[1:]:
        await clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)

    async def joined() -> None:
        for client in clients:
            information = await client.execute_command("CLUSTER", "INFO")
            if b"cluster_state:ok" not in information or b"cluster_known_nodes:%d" % len(nodes) not in information:
                raise LookupError

    await eventually(joined, LookupError, seconds=30)
    for client in clients:
        await client.aclose()


async def _reached(connections: RedisConnections) -> None:
    await connections.ping()


async def _known_replica(sentinel_port: int) -> None:
    """Raise `LookupError` until the sentinel knows of a replica that could take over."""
    async with redis.asyncio.Redis(port=sentinel_port, password=PASSWORD) as sentinel:
        replicas: list[Any] = await sentinel.sentinel_slaves("main")
    if not any(replica["master-link-status"] == "ok" for replica in replicas):
        raise LookupError


async def _beaten(replicas: LiveReplicas) -> None:
    """Raise `LookupError` until a beat is taken."""
    replicas.count = 7
    await replicas.beat()
    if replicas.count == 7:
        raise LookupError
