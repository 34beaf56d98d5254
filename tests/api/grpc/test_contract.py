"""HTTP and gRPC answer the same: one table, run over both in this process."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message
from pydantic import BaseModel

from api import answers
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import API_KEY, client_of
from tests.contract import CASES, NO_KEY, Case
from tests.doors import SERVICE, Door, GrpcDoor, HttpDoor
from tests.known_phrase import PHRASE

CHOSEN_ANEW = ("id", "created_at", "locked_at", "forgotten_seeds", "next_cursor", "data", "total", "total_pages")


@pytest.fixture(name="doors")
async def _doors(app: FastAPI, channel: grpc.aio.Channel) -> Mapping[str, Door]:
    return {"http": HttpDoor(client_of(app, key=None), API_KEY), "grpc": GrpcDoor(channel, API_KEY)}


async def known_wallet(door: Door) -> str:
    """Import the known phrase's wallet, derive its first address, and return its id."""
    wallet = await door.ask("ImportWallet", {"label": "known", "mnemonic": PHRASE})
    assert isinstance(wallet, dict)
    await door.ask("GetAddress", {"wallet_id": wallet["id"], "network": "eth", "index": 0})
    return str(wallet["id"])


async def answer_of(door: Door, case: Case, wallet_id: str) -> str | dict[str, Any]:
    """Ask what a case asks."""
    return await door.ask(case.call, case.fields_for(wallet_id), None if case.key == NO_KEY else case.key)


def without_what_is_new(answer: str | dict[str, Any]) -> dict[str, Any]:
    """Leave out what each call chooses anew."""
    assert isinstance(answer, dict)
    return {name: item for name, item in answer.items() if name not in CHOSEN_ANEW}


@pytest.mark.parametrize("name", ["http", "grpc"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_case_is_answered_as_the_table_says(doors: Mapping[str, Door], case: Case, name: str) -> None:
    """Whichever way it is asked."""
    answer = await answer_of(doors[name], case, await known_wallet(doors["http"]))

    if isinstance(case.answer, str):
        assert answer == case.answer
    else:
        assert isinstance(answer, dict), answer
        assert {name: answer.get(name) for name in case.answer} == dict(case.answer)


@pytest.mark.parametrize("case", [case for case in CASES if not isinstance(case.answer, str)], ids=lambda case: case.name)
async def test_both_ways_answer_with_the_same_content(doors: Mapping[str, Door], case: Case) -> None:
    """But for what is chosen anew at each call, nothing is missing or different in one of them."""
    wallet_id = await known_wallet(doors["http"])

    http, over_grpc = [await answer_of(door, case, wallet_id) for door in doors.values()]

    assert without_what_is_new(over_grpc) == without_what_is_new(http)


def test_the_table_has_every_call_of_version_2() -> None:
    """A method that is added is added here as well."""
    assert {case.call for case in CASES} | {"GetAddressRange", "SignTransactions"} == {method.name for method in SERVICE.methods}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (answers.SignAnswer, v2.SignedTransaction),
        (answers.SignMessageAnswer, v2.SignedMessage),
        (answers.IntentAnswer, v2.Intent),
        (answers.TransferAnswer, v2.Transfer),
        (answers.WalletAnswer, v2.Wallet),
        (answers.WalletPage, v2.ListWalletsResponse),
    ],
)
def test_what_http_answers_has_its_field(model: type[BaseModel], message: type[Message]) -> None:
    """Also what no case of the table shows: a field that is added over HTTP is added over gRPC."""
    names = {"sender": "from_address", "type": "variant", "version": "variant"} if "signature" in model.model_fields else {}

    assert {names.get(name, name) for name in model.model_fields} == set(message.DESCRIPTOR.fields_by_name)
