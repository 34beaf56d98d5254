"""Wallets are listed by cursor: a text that leads from one answer to the next, and is taken to the letter or not at all."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import cursor_of, position_of
from api.errors import UnprocessableError
from tests.api.conftest import problem
from wallets.model import Position

POSITIONS = st.builds(Position, st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(POSITIONS)
def test_a_cursor_is_its_position(position: Position) -> None:
    """To the microsecond, in text that a query takes as it is."""
    cursor = cursor_of(position)

    assert position_of(cursor) == position
    assert str(httpx.QueryParams({"cursor": cursor})) == f"cursor={cursor}"


@given(POSITIONS, st.integers(0, 31), st.characters())
def test_a_changed_cursor_is_another_position_or_none(position: Position, place: int, character: str) -> None:
    """Each position has one cursor: no other spelling is taken, and no text is taken for what it does not say."""
    cursor = cursor_of(position)
    changed = cursor[:place] + character + cursor[place + 1 :]

    try:
        found = position_of(changed)
    except UnprocessableError:
        found = None

    assert (found == position) == (changed == cursor)
    assert found is None or cursor_of(found) == changed


async def test_cursors_lead_from_the_newest_wallet_to_the_oldest(client: httpx.AsyncClient) -> None:
    """The empty cursor begins, each answer has the next, and the last one has none; nothing is counted."""
    for label in "abcde":
        await client.post("/api/v1/wallets", json={"label": label})

    answers, cursor = [], ""
    while cursor is not None:
        answer = (await client.get("/api/v1/wallets", params={"cursor": cursor, "per_page": 2})).json()
        answers.append(answer)
        cursor = answer["next_cursor"]

    assert [[item["label"] for item in answer["data"]] for answer in answers] == [["e", "d"], ["c", "b"], ["a"]]
    assert [answer.keys() for answer in answers] == [{"data", "per_page", "next_cursor"}] * 3


async def test_a_page_leads_on_by_cursor(client: httpx.AsyncClient) -> None:
    """Whoever has begun with a page goes on behind it; the last page and those beyond lead nowhere."""
    for label in "abcde":
        await client.post("/api/v1/wallets", json={"label": label})

    pages = [(await client.get("/api/v1/wallets", params={"page": page, "per_page": 2})).json() for page in (1, 2, 3, 4)]
    behind = (await client.get("/api/v1/wallets", params={"cursor": pages[0]["next_cursor"]})).json()

    assert [item["label"] for item in behind["data"]] == ["c", "b", "a"]
    assert [page["next_cursor"] is None for page in pages] == [False, False, True, True]


async def test_an_empty_list_leads_nowhere(client: httpx.AsyncClient) -> None:
    """Before the first wallet there is nothing to go on to."""
    assert (await client.get("/api/v1/wallets?cursor=")).json() == {"data": [], "per_page": 20, "next_cursor": None}


GOOD = cursor_of(Position(datetime(2026, 11, 24, tzinfo=UTC), UUID(int=7)))


@pytest.mark.parametrize(
    "query",
    [
        f"cursor={GOOD}&page=1",
        f"cursor={GOOD}&per_page=0",
        f"cursor={GOOD}&cursor={GOOD}",
        f"cursor={GOOD[:-1]}",
        f"cursor={GOOD}A",
        f"cursor={GOOD[:-4]}",
        f"cursor={GOOD[:-1]}=",
        f"cursor={'%00' * 32}",
        f"cursor={'ä' * 32}",
        f"cursor=f{'_' * 31}",
    ],
)
async def test_cursors_that_cannot_be(client: httpx.AsyncClient, query: str) -> None:
    """What no answer has given, and a cursor and a page together, are refused."""
    assert problem(await client.get(f"/api/v1/wallets?{query}")) == (422, "unprocessable-request")
