"""A client that asks too often is refused, and every client is told of its limits."""

from dataclasses import replace

import httpx
import pytest

from adapters.limits import CallKind, Limit, Verdict
from api.http import create_http_app
from api.limits import Unlimited, limit_fields
from tests.api.conftest import World, client_of, problem

NOBODYS = "3f1f1c0a-8c5e-4a53-9d55-0d2f3f0a7f11"
"""The id of no wallet."""


async def test_a_client_that_asks_too_often(client: httpx.AsyncClient, world: World) -> None:
    """Beyond the limit it is 429, with the whole seconds to wait."""
    world.limiter.left = 1

    first = await client.get("/api/v1/wallets")
    second = await client.get("/api/v1/wallets")

    assert first.status_code == 200
    assert problem(second) == (429, "rate-limited")
    assert second.headers["Retry-After"] == "3"


async def test_limits_count_the_client_behind_the_proxy(client: httpx.AsyncClient, world: World) -> None:
    """Two clients behind our proxy are two, and one cannot pass for many."""
    for forwarded in ("198.51.100.1", "198.51.100.2", "1.1.1.1, 198.51.100.2", "2.2.2.2, 198.51.100.2"):
        await client.get("/api/v1/wallets", headers={"X-Forwarded-For": forwarded})

    assert len(set(world.limiter.keys)) == 2


async def test_without_limits_everything_passes(world: World) -> None:
    """Limits that are switched off refuse nobody, and no answer tells of any."""
    async with client_of(create_http_app(replace(world.edge(), limiter=Unlimited()))) as client:
        answer = await client.get("/api/v1/wallets")

    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


async def test_every_answer_tells_what_is_left_of_the_limit(client: httpx.AsyncClient, world: World, account: tuple[str, str]) -> None:
    """Whichever way it took: the requests left, when the burst is whole again, and the limit itself as a quota of a window."""
    answers = [await client.get("/api/v1/wallets"), await client.get(f"/api/v1/wallets/{account[0]}/address/eth")]

    assert [answer.headers["RateLimit"] for answer in answers] == [
        f'"client";r={world.limiter.left + 1};t=5',
        f'"client";r={world.limiter.left};t=5',
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"client";q=25;w=3'}
    assert "RateLimit" not in (await client.get("/api/v1/health/live")).headers


async def test_a_refusal_tells_of_the_limit_too(client: httpx.AsyncClient, world: World) -> None:
    """The wait is the same as in `Retry-After`."""
    world.limiter.left = 0

    answer = await client.get("/api/v1/wallets")

    assert (answer.headers["RateLimit"], answer.headers["Retry-After"]) == ('"client";r=0;t=3', "3")
    assert answer.headers["RateLimit-Policy"] == '"client";q=25;w=3'


@pytest.mark.parametrize(
    ("limit", "policy"),
    [
        (Limit("client", 10, 10), '"client";q=10;w=1'),
        (Limit("client", 1000, 10), '"client";q=1000;w=1'),
        (Limit("client", 2.5, 1), '"client";q=2;w=1'),
        (Limit("client", 1 / 60, 3), '"client";q=3;w=180'),
    ],
)
def test_a_limit_is_told_as_a_quota_of_whole_seconds(limit: Limit, policy: str) -> None:
    """The draft knows no rate."""
    fields = limit_fields(Verdict((limit,), limit, None, 1, 0.0))

    assert fields == [("ratelimit", '"client";r=1;t=0'), ("ratelimit-policy", policy)]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/api/v1/wallets", CallKind.CREATE),
        ("POST", "/api/v1/wallets/import", CallKind.CREATE),
        ("POST", f"/api/v1/wallets/{NOBODYS}/sign", CallKind.SIGN),
        ("POST", f"/api/v1/wallets/{NOBODYS}/sign-message", CallKind.SIGN),
        ("POST", f"/api/v1/wallets/{NOBODYS}/sign-typed-data", CallKind.SIGN),
        ("POST", f"/api/v1/wallets/{NOBODYS}/sign-batch", CallKind.SIGN),
        ("POST", "/api/v1/sign-batch", CallKind.SIGN),
        ("POST", "/api/v1/transactions/inspect", CallKind.READ),
        ("GET", "/api/v1/wallets", CallKind.READ),
        ("GET", f"/api/v1/wallets/{NOBODYS}/address/eth", CallKind.READ),
    ],
)
async def test_kinds_of_calls_are_limited_apart(client: httpx.AsyncClient, world: World, method: str, path: str, kind: CallKind) -> None:
    """Signing, making wallets, and everything else, also where the body turns out to be none."""
    await client.request(method, path, content=b"{}" if method == "POST" else None, headers={"Content-Type": "application/json"})

    assert world.limiter.kinds == [kind]
