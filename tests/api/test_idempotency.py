"""A request with an `Idempotency-Key` is carried out once, however often it is sent."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.http import create_http_app
from tests.api.conftest import OLD_KEY, BrokenEncryption, StuckEncryption, World, client_of, problem
from tests.known_phrase import PHRASE
from tests.samples import typed_mail

UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
ITEM = {"network": "eth", "index": 0, "unsigned_tx": UNSIGNED}
TEXT = {"network": "eth", "index": 0, "message": "hello"}
TYPED = {"network": "eth", "index": 0, "typed_data": typed_mail()}
KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
WITHOUT_MEMORY = {"/api/v1/transactions/inspect", "/api/v1/wallets/{wallet_id}/addresses"}
"""Sent again they change nothing: the one never does, the other derives what is derived already."""


def calls(wallet: str) -> dict[str, dict[str, Any]]:
    """Return a body for every path that changes or signs something."""
    wallet_id = wallet.rpartition("/")[2]
    return {
        "/api/v1/wallets": {"label": "a"},
        "/api/v1/wallets/import": {"label": "a", "mnemonic": PHRASE},
        f"{wallet}/sign": ITEM,
        f"{wallet}/sign-message": TEXT,
        f"{wallet}/sign-typed-data": TYPED,
        f"{wallet}/sign-batch": {"items": [ITEM, ITEM | {"unsigned_tx": "zz"}]},
        "/api/v1/sign-batch": {"items": [ITEM | {"wallet_id": wallet_id}]},
        "/api/v1/admin/lock": {},
    }


async def test_every_call_is_carried_out_once(client: httpx.AsyncClient, world: World, wallet: str) -> None:
    """The second answer is the first to the letter, and says that it is; nothing is written down again."""
    for number, (path, body) in enumerate(calls(wallet).items()):
        rows = len(world.audit.events)
        headers = {"Idempotency-Key": f"key-{number}"}

        first = await client.post(path, json=body, headers=headers)
        written = len(world.audit.events) - rows
        second = await client.post(path, json=body, headers=headers)

        assert (first.status_code, second.status_code) == (200, 200), path
        assert first.content == second.content, path
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert len(world.audit.events) - rows == written >= 1


async def test_no_call_is_forgotten(app: FastAPI, wallet: str) -> None:
    """Every POST is one of these, or changes nothing when it comes again."""
    paths = {route.path for route in app.routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())}

    tried = {path.replace(wallet, "/api/v1/wallets/{wallet_id}") for path in calls(wallet)}

    assert tried | WITHOUT_MEMORY == paths


async def test_what_changes_nothing_needs_no_memory(client: httpx.AsyncClient, world: World) -> None:
    """To inspect a transaction again is to inspect it; its key is not kept."""
    body = {"network": "eth", "unsigned_tx": UNSIGNED}

    answers = [await client.post("/api/v1/transactions/inspect", json=body, headers=KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert world.journal.claims == {}


async def test_many_retries_at_once_give_one_signature(client: httpx.AsyncClient, world: World, wallet: str) -> None:
    """Two hundred of them: each is answered as the first, or told that it is being worked on; one row is written."""
    rows = len(world.audit.events)

    answers = await asyncio.gather(*(client.post(f"{wallet}/sign", json=ITEM, headers=KEY) for _ in range(200)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers if answer.status_code == 200].count(None) == 1
    assert len(world.audit.events) == rows + 1


async def test_another_body_with_the_same_key_is_refused(client: httpx.AsyncClient, wallet: str) -> None:
    """As is another path: a key is of one request."""
    await client.post(f"{wallet}/sign-message", json=TEXT, headers=KEY)

    other_body = await client.post(f"{wallet}/sign-message", json=TEXT | {"index": 1}, headers=KEY)
    other_path = await client.post(f"{wallet}/sign-typed-data", json=TEXT, headers=KEY)

    assert problem(other_body) == problem(other_path) == (422, "idempotency-key-reused")


async def test_a_request_is_the_same_under_the_api_key_before(app: FastAPI, client: httpx.AsyncClient, wallet: str) -> None:
    """A client whose API keys are being exchanged may send it again with the other: all keys are one client's."""
    first = await client.post(f"{wallet}/sign-message", json=TEXT, headers=KEY)
    async with client_of(app, key=OLD_KEY) as other:
        again = await other.post(f"{wallet}/sign-message", json=TEXT, headers=KEY)

    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")


async def test_a_request_that_is_worked_on(wallet: str) -> None:
    """Is 409, with when to come back; once it is given up it can be sent again."""
    stuck = StuckEncryption()
    world = World(encryption=stuck)
    async with client_of(create_http_app(world.edge())) as client:
        first = asyncio.create_task(client.post("/api/v1/wallets", json={"label": "a"}, headers=KEY))
        await stuck.asked.wait()
        second = await client.post("/api/v1/wallets", json={"label": "a"}, headers=KEY)
        first.cancel()
        await asyncio.wait([first])

    assert problem(second) == (409, "request-running")
    assert second.headers["Retry-After"] == "1"
    assert world.journal.claims == {}


async def test_a_batch_of_which_nothing_was_signed_can_be_sent_again(client: httpx.AsyncClient, world: World, wallet: str) -> None:
    """Vault was away, so it has failed as single requests do; where something was signed, the answer is kept with its errors."""
    items = {"items": [ITEM, ITEM | {"unsigned_tx": "zz"}]}
    world.encryption.away = True
    failed = await client.post(f"{wallet}/sign-batch", json=items, headers=KEY)
    world.encryption.away = False

    again = await client.post(f"{wallet}/sign-batch", json=items, headers=KEY)
    last = await client.post(f"{wallet}/sign-batch", json=items, headers=KEY)

    assert [sorted(each.keys() & {"error", "signed_tx"}) for each in failed.json()["results"]] == [["error"], ["error"]]
    assert [sorted(each.keys() & {"error", "signed_tx"}) for each in again.json()["results"]] == [["signed_tx"], ["error"]]
    assert [each.headers.get("Idempotency-Replayed") for each in (failed, again, last)] == [None, None, "true"]
    assert last.content == again.content


@pytest.mark.parametrize("body", [ITEM | {"unsigned_tx": "zz"}, ITEM | {"index": -1}, {}])
async def test_what_was_refused_can_be_sent_again(client: httpx.AsyncClient, world: World, wallet: str, body: dict[str, Any]) -> None:
    """Nothing was done, so the key is free: also for the request as it should have been."""
    refused = await client.post(f"{wallet}/sign", json=body, headers=KEY)
    mended = await client.post(f"{wallet}/sign", json=ITEM, headers=KEY)

    assert (refused.status_code in {400, 422}, mended.status_code) == (True, 200)


async def test_what_failed_can_be_sent_again(client: httpx.AsyncClient, world: World, wallet: str) -> None:
    """Without an audit row there is no answer to remember."""
    world.audit.away = True
    failed = await client.post(f"{wallet}/sign", json=ITEM, headers=KEY)
    world.audit.away = False

    again = await client.post(f"{wallet}/sign", json=ITEM, headers=KEY)

    assert (failed.status_code, again.status_code) == (503, 200)
    assert "Idempotency-Replayed" not in again.headers


async def test_without_its_memory_nothing_is_done(client: httpx.AsyncClient, world: World, wallet: str) -> None:
    """Where claims cannot be kept a request with a key is 503; one without is not asked about."""
    world.records.answers.away = True
    rows = len(world.audit.events)

    with_key = await client.post(f"{wallet}/sign", json=ITEM, headers=KEY)
    without = await client.post(f"{wallet}/sign", json=ITEM)

    assert (with_key.status_code, without.status_code) == (503, 200)
    assert len(world.audit.events) == rows + 1


async def test_a_claim_that_cannot_be_released_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is why the request failed, not that its claim is still kept."""
    world = World(encryption=BrokenEncryption())
    async with client_of(create_http_app(world.edge())) as client:
        _lose_after_the_claim(world, monkeypatch)
        answer = await client.post("/api/v1/wallets", json={"label": "a"}, headers=KEY)

    assert answer.status_code == 500


async def test_the_claim_of_a_batch_may_end_by_itself_too(
    client: httpx.AsyncClient, world: World, wallet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is what became of its items."""
    _lose_after_the_claim(world, monkeypatch)
    answer = await client.post(f"{wallet}/sign-batch", json={"items": [ITEM | {"unsigned_tx": "zz"}]}, headers=KEY)

    assert (answer.status_code, len(world.journal.claims)) == (200, 1)


def _lose_after_the_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = world.records.answers.claim

    async def claim_and_go(request: Any) -> bytes | None:
        answer = await claim(request)
        world.records.answers.away = True
        return answer

    monkeypatch.setattr(world.records.answers, "claim", claim_and_go)


@pytest.mark.parametrize("key", ["", '""', '"', 'a"b', "a\\b", "ä", "x" * 256, "a b", '"a', '"a"; b=1'])
async def test_what_is_no_key(client: httpx.AsyncClient, world: World, wallet: str, key: str) -> None:
    """Is refused, and nothing is done."""
    rows = len(world.audit.events)

    answer = await client.post(f"{wallet}/sign", json=ITEM, headers={b"Idempotency-Key": key.encode()})

    assert problem(answer) == (400, "invalid-idempotency-key")
    assert len(world.audit.events) == rows


async def test_two_keys_are_none(client: httpx.AsyncClient, wallet: str) -> None:
    """Nobody could say which one counts."""
    answer = await client.post(f"{wallet}/sign", json=ITEM, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")])

    assert problem(answer) == (400, "invalid-idempotency-key")


async def test_a_key_may_be_quoted_or_not(client: httpx.AsyncClient, wallet: str) -> None:
    """The draft has it as a string in quotes, and most clients leave them out; both are the same key."""
    answers = [await client.post(f"{wallet}/sign", json=ITEM, headers={"Idempotency-Key": key}) for key in ("abc", '"abc"', ' "abc" ')]

    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true", "true"]


async def test_neither_key_nor_body_is_kept(client: httpx.AsyncClient, world: World) -> None:
    """Of a body that holds a mnemonic nothing is kept but a digest that is keyed with the key, and of that a digest as well."""
    body = {"label": "a", "mnemonic": PHRASE}
    await client.post("/api/v1/wallets/import", json=body, headers=KEY)
    (kept,) = world.journal.claims.values()

    everything = repr((kept, world.journal.answers, world.journal.events))

    assert KEY["Idempotency-Key"] not in everything
    assert PHRASE.split()[0] not in json.dumps([answer.decode() for answer in world.journal.answers.values()])
    assert (len(kept.name), len(kept.fingerprint)) == (32, 32)
