"""What a request leaves that comes too late: another attempt at it has taken its place."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.samples import EIP_155_EXAMPLE
from tests.wallets.custody_house import CALLER, House
from wallets.errors import RequestRunningError
from wallets.model import Account, AuditStatus, MessageRequest, SigningRequest, TextMessage, Wallet
from wallets.once import IdempotentRequest

SLOW = replace(CALLER, idempotency=IdempotentRequest(bytes(32), bytes(32), uuid.uuid4()))
"""Whose claim nobody knows any more."""

Ask = Callable[[House, Wallet], Awaitable[object]]


def request(wallet: Wallet, payload: str = EIP_155_EXAMPLE) -> SigningRequest:
    """Ask to sign a transaction."""
    return SigningRequest(Account(wallet.id, "eth", 0), payload, SLOW)


ASKED: dict[str, Ask] = {
    "sign": lambda house, wallet: house.custody.sign(request(wallet)),
    "sign_message": lambda house, wallet: house.custody.sign_message(
        MessageRequest(Account(wallet.id, "eth", 0), TextMessage("hello"), SLOW)
    ),
    "sign_batch": lambda house, wallet: house.custody.sign_batch([request(wallet)]),
    "create_wallet": lambda house, _: house.custody.create_wallet("late", 12, SLOW),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
async def test_what_comes_too_late_is_audited_as_refused(ask: Ask) -> None:
    """Whatever was made by then is not released, and the row says that it was asked for."""
    house = House()
    wallet = await house.known_wallet()

    with pytest.raises(RequestRunningError):
        await ask(house, wallet)

    event = house.only_event()
    assert (event.status, event.answer, event.caller) == (AuditStatus.REFUSED, None, SLOW)


async def test_of_a_batch_that_comes_too_late_each_item_has_its_reason() -> None:
    """Those that could not be signed anyway have their own."""
    house = House()
    wallet = await house.known_wallet()

    with pytest.raises(RequestRunningError) as caught:
        await house.custody.sign_batch([request(wallet), request(wallet, "00"), request(wallet)])

    reasons = [event.details["reason"] for event in house.audit.events]
    assert [reason == str(caught.value) for reason in reasons] == [True, False, True]
    assert [event.status for event in house.audit.events] == [AuditStatus.REFUSED] * 3
