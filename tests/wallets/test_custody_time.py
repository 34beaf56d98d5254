"""Custody: what no node would take now is not signed, whoever may use it later."""

import json
from datetime import UTC, datetime

import pytest

from tests.wallets.custody_house import CALLER, VECTORS, House, outcome, unsigned
from wallets.errors import UntimelyTransactionError
from wallets.model import Account, AuditAction, AuditStatus, SigningRequest

TRON = next(each["raw_data"] for each in json.loads((VECTORS / "tron.json").read_text())["transactions"] if each["name"] == "transfer")
TRON_FROM, TRON_UNTIL = 1_899_999_940, 1_900_000_060
TON_UNTIL = 1_800_000_000


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


@pytest.mark.parametrize(
    ("network", "seconds", "reason"),
    [
        ("tron", TRON_FROM - 0.001, "dated in the future: nodes take it from 1899999940 on"),
        ("tron", TRON_FROM, None),
        ("tron", TRON_UNTIL - 0.001, None),
        ("tron", TRON_UNTIL, "expired at 1900000060 .*, 0 seconds ago"),
        ("tron", TRON_UNTIL + 90, "expired at 1900000060 .*, 90 seconds ago"),
        ("ton", 0, None),
        ("ton", TON_UNTIL - 1, None),
        ("ton", TON_UNTIL, "expired at 1800000000"),
        ("sol", 4 * 10**9, None),
    ],
    ids=["early", "first", "last", "just late", "late", "ton long before", "ton last", "ton late", "no time"],
)
async def test_a_transaction_is_signed_in_its_time(house: House, network: str, seconds: float, reason: str | None) -> None:
    """Before and after it, the refusal says when its time is, is written down, and no key is touched; alone and in a batch."""
    wallet = await house.known_wallet()
    house.now = datetime.fromtimestamp(seconds, UTC)
    request = SigningRequest(Account(wallet.id, network, 0), TRON if network == "tron" else unsigned(network, "transfer"), CALLER)

    (batched,) = await house.custody.sign_batch([request])
    if reason is None:
        assert batched == await house.custody.sign(request)
        return
    house.journal.events.clear()
    with pytest.raises(UntimelyTransactionError, match=reason):
        await house.custody.sign(request)

    assert isinstance(batched, UntimelyTransactionError)
    assert outcome(house.only_event()) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert house.encryption.decryptions == 0
