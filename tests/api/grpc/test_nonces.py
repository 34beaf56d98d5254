"""Where a used nonce is refused, version 2 says so as HTTP does, and lets a transaction say that it replaces the one before."""

from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest
import rlp

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import World
from tests.api.grpc.conftest import KEY
from tests.doors import unary

PATH = "/crypto_wallet.v2.WalletService/SignTransactions"


@pytest.fixture
def world() -> World:
    """A service that guards nonces."""
    world = World()
    world.custody = replace(world.custody, guards_nonces=True)
    return world


@pytest.fixture(name="account")
async def _account(channel: grpc.aio.Channel) -> v2.Account:
    created = await unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY)
    return v2.Account(wallet_id=created.wallet.id, network="eth")


def paying(amount: int) -> v2.Transaction:
    """Return a transaction with the account's first nonce."""
    return v2.Transaction(raw=rlp.encode([0, 20 * 10**9, 21_000, b"\x35" * 20, amount, b"", 1, 0, 0]))


async def test_a_call_may_replace_what_was_signed(channel: grpc.aio.Channel, account: v2.Account) -> None:
    """Another transaction with a used nonce is refused, unless it says that it replaces the first."""
    sign = unary(channel, "SignTransaction")
    first = await sign(v2.SignTransactionRequest(account=account, transaction=paying(1)), metadata=KEY)

    with pytest.raises(grpc.aio.AioRpcError, match="nonce 0 of 0x") as caught:
        await sign(v2.SignTransactionRequest(account=account, transaction=paying(2)), metadata=KEY)
    second = await sign(v2.SignTransactionRequest(account=account, transaction=paying(2), replace=True), metadata=KEY)

    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert first.signed.tx_id != second.signed.tx_id


async def test_an_item_of_a_stream_may_replace_what_was_signed(channel: grpc.aio.Channel, account: v2.Account) -> None:
    """Of the items with one nonce, the first is signed, and another that says that it replaces it."""
    items = [
        v2.SignItem(id="first", account=account, transaction=paying(1)),
        v2.SignItem(id="other", account=account, transaction=paying(2)),
        v2.SignItem(id="replacing", account=account, transaction=paying(3), replace=True),
    ]
    stream: grpc.aio.StreamStreamMultiCallable[v2.SignTransactionsRequest, v2.SignTransactionsResponse] = channel.stream_stream(
        PATH, lambda message: message.SerializeToString(), v2.SignTransactionsResponse.FromString
    )

    async def messages() -> AsyncIterator[v2.SignTransactionsRequest]:
        yield v2.SignTransactionsRequest(items=items)

    outcomes = [outcome async for message in stream(messages(), metadata=KEY) for outcome in message.outcomes]

    assert {outcome.id: outcome.WhichOneof("outcome") for outcome in outcomes} == {
        "first": "signed",
        "other": "error",
        "replacing": "signed",
    }
