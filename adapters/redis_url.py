"""Read the URL of a Redis, be it one server, one that sentinels watch over, or a cluster, and make a client of it.

::

    redis://user:password@host:6379/0
    rediss://...                                                 the same by TLS
    unix://user:password@/path/of/socket?db=0
    redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_username=user&sentinel_password=password
    redis+cluster://user:password@host:6379,host:6379
    rediss+sentinel://..., rediss+cluster://...                  by TLS, sentinels and nodes alike

User, password, port, database and the sentinels' own user and password may be left out. What is no letter, digit or one of `-._~` stands as
`%XX` in a user or password.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis.asyncio
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

REDIS_PORT = 6379
SENTINEL_PORT = 26379
CONNECT_SECONDS = 1.0
"""How long making a connection, and an answer on one, may take at most, whoever waits for it."""

_UNBOUNDED = 2**31
"""Of connections. The pools of sentinels and clusters refuse what is beyond their bound, instead of having it wait."""

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")

Client = redis.asyncio.Redis | redis.asyncio.RedisCluster


class RedisUrlError(ValueError):
    """It is no URL of a Redis. The message says why and quotes nothing: a password may be in it."""


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What a URL names. `path` is of a unix socket, `service` what the sentinels call the server; each "" where there is none."""

    kind: str
    is_tls: bool
    hosts: tuple[tuple[str, int], ...]
    database: int = 0
    service: str = ""
    path: str = ""
    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    sentinel_credentials: dict[str, str] = field(default_factory=dict, repr=False)


def parse(text: str) -> RedisUrl:
    """Read a URL.

    Raises:
        RedisUrlError: It is none of the forms above.
    """
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES or not rest:
        raise RedisUrlError(f"is no URL that starts with {', '.join(f'{each}://' for each in SCHEMES)}")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise RedisUrlError("is no URL") from None
    kind = scheme.partition("+")[2] or ("unix" if scheme == "unix" else "single")
    user, _, hosts = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = [unquote(step) for step in parts.path.split("/")[1:] if step]
    service = path.pop(0) if kind == "sentinel" and path else ""
    database = query.pop("db", path.pop(0) if path and kind != "unix" else "0")
    url = RedisUrl(
        kind,
        scheme.startswith("rediss"),
        _hosts(hosts, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT),
        int(database) if database.isascii() and database.isdigit() else -1,
        service,
        unquote(parts.path) if kind == "unix" else "",
        _credentials(*user.partition(":")[::2]),
        _credentials(query.pop("sentinel_username", ""), query.pop("sentinel_password", "")) if kind == "sentinel" else {},
    )
    _check(url, is_rest=bool(query or parts.fragment or (path and kind != "unix")))
    return url


def connect(url: RedisUrl, ca_file: Path | None = None) -> Client:
    """Make a client, which connects when it is first asked, makes as many connections as are needed at once, and never repeats a command.

    Certificates must name the host, and be by a CA in `ca_file`, else by one that the system trusts.
    """
    options: dict[str, Any] = {
        **url.credentials,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": CONNECT_SECONDS,
        "max_connections": _UNBOUNDED,
        "retry": Retry(NoBackoff(), 0),
    }
    tls: dict[str, Any] = {"ssl_ca_certs": None if ca_file is None else str(ca_file)} if url.is_tls else {}
    if url.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in url.hosts]
        return redis.asyncio.RedisCluster(startup_nodes=nodes, ssl=url.is_tls, **options, **tls)
    if url.kind == "sentinel":
        timeouts = {"socket_connect_timeout": CONNECT_SECONDS / 2, "socket_timeout": CONNECT_SECONDS / 2, "retry": Retry(NoBackoff(), 0)}
        asking = {**timeouts, **url.sentinel_credentials, "ssl": url.is_tls, **tls}
        sentinels = Sentinel(url.hosts, sentinel_kwargs=asking)
        master: redis.asyncio.Redis = sentinels.master_for(url.service, db=url.database, ssl=url.is_tls, **options, **tls)
        return master
    if url.kind == "unix":
        options |= {"connection_class": redis.asyncio.UnixDomainSocketConnection, "path": url.path}
    else:
        (options["host"], options["port"]) = url.hosts[0]
        options |= {"connection_class": redis.asyncio.SSLConnection if url.is_tls else redis.asyncio.Connection, **tls}
    return redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(db=url.database, **options))


async def close(client: Client) -> None:
    """Close a client's connections, those to sentinels as well."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _hosts(text: str, usual_port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for entry in filter(None, text.split(",")):
        try:
            parts = urlsplit(f"//{entry}")
            hosts.append((parts.hostname or "", usual_port if parts.port is None else parts.port))
        except ValueError:
            raise RedisUrlError("has a port that is none") from None
    return tuple(hosts)


def _credentials(username: str, password: str) -> dict[str, str]:
    given = {"username": unquote(username), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _check(url: RedisUrl, *, is_rest: bool) -> None:
    """See that a URL says all that its form needs, and nothing else.

    Raises:
        RedisUrlError: It does not.
    """
    problems = {
        "names no host": url.kind != "unix" and not (url.hosts and all(host for host, _ in url.hosts)),
        "names several hosts, but no sentinels and no cluster": url.kind == "single" and len(url.hosts) > 1,
        "names no socket": url.kind == "unix" and not url.path,
        "names no service: what the sentinels call it stands behind the hosts, as in /mymaster": url.kind == "sentinel" and not url.service,
        "has a database that is no number": url.database < 0,
        "names a database, of which a cluster has only one": url.kind == "cluster" and url.database != 0,
        "says more than a URL of its form has": is_rest,
    }
    for problem, is_so in problems.items():
        if is_so:
            raise RedisUrlError(problem)
