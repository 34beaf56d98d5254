"""Signing messages: the steps of a transaction's signature, with audit rows of their own."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct, encode_typed_data

from tests.known_phrase import FIRST_ADDRESSES
from tests.samples import EIP_155_EXAMPLE, typed_mail
from tests.wallets.custody_house import CALLER, House, outcome
from wallets.chains import CHAINS
from wallets.errors import (
    AuditUnavailableError,
    KeyEncryptionUnavailableError,
    MalformedMessageError,
    PolicyViolationError,
    StoreUnavailableError,
    UnsupportedMessageError,
    UnsupportedNetworkError,
    WalletError,
)
from wallets.model import (
    Account,
    AuditAction,
    AuditStatus,
    HexMessage,
    MessageRequest,
    MessageResult,
    TextMessage,
    TypedMessage,
    Wallet,
)
from wallets.policy import AllOf
from wallets.signing import read_message

Message = TextMessage | HexMessage | TypedMessage


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


async def _sign(house: House, wallet: Wallet, message: Message, network: str = "eth") -> MessageResult:
    return await house.custody.sign_message(MessageRequest(Account(wallet.id, network, 0), message, CALLER))


@pytest.mark.parametrize("message", [TextMessage("hello"), HexMessage("0x68656c6c6f"), HexMessage("68656C6C6F")], ids=["text", "0x", "hex"])
async def test_a_message_is_signed_with_its_audit_row(house: House, message: Message) -> None:
    """Text and hex of the same message give one signature, which eth-account finds us from; the row says what was signed."""
    wallet = await house.known_wallet()

    result = await _sign(house, wallet, message)

    assert EthAccount.recover_message(encode_defunct(text="hello"), signature=result.signed.signature) == FIRST_ADDRESSES["eth"]
    assert (result.address, result.intent.sender, result.account) == (
        FIRST_ADDRESSES["eth"],
        FIRST_ADDRESSES["eth"],
        Account(wallet.id, "eth", 0),
    )
    event = house.only_event()
    assert outcome(event) == (AuditAction.MESSAGE_SIGN, AuditStatus.OK, wallet.id)
    assert result.signed.digest is not None
    assert event.details["digest"] == result.signed.digest.hex()
    intent = event.details["intent"]
    assert isinstance(intent, Mapping)
    assert intent["details"] == {"standard": "eip-191", "bytes": 5, "message": "hello"}


async def test_typed_data_is_signed_with_its_audit_row(house: House) -> None:
    """The signature is one that eth-account finds us from; the row tells it from other messages."""
    wallet = await house.known_wallet()

    result = await _sign(house, wallet, TypedMessage(typed_mail()))

    expected = encode_typed_data(full_message=typed_mail())
    assert EthAccount.recover_message(expected, signature=result.signed.signature) == FIRST_ADDRESSES["eth"]
    assert outcome(house.only_event()) == (AuditAction.TYPED_DATA_SIGN, AuditStatus.OK, wallet.id)


@pytest.mark.parametrize(
    ("message", "action", "reason"),
    [
        (TextMessage(""), AuditAction.MESSAGE_SIGN, "empty"),
        (TextMessage("\ud800"), AuditAction.MESSAGE_SIGN, "no text"),
        (HexMessage("0x"), AuditAction.MESSAGE_SIGN, "not hex"),
        (HexMessage("0xabc"), AuditAction.MESSAGE_SIGN, "not hex"),
        (HexMessage(EIP_155_EXAMPLE), AuditAction.MESSAGE_SIGN, "is a transaction"),
        (TextMessage("0x" + EIP_155_EXAMPLE), AuditAction.MESSAGE_SIGN, "is a transaction"),
        (TypedMessage({}), AuditAction.TYPED_DATA_SIGN, "types is missing"),
    ],
    ids=["empty", "surrogate", "no hex", "half a byte", "transaction", "transaction as text", "typed data"],
)
async def test_a_refused_message_leaves_its_row_and_reaches_no_key(
    house: House, message: Message, action: AuditAction, reason: str
) -> None:
    """What is no message, or a transaction, is refused before the database and the key backend are asked, and the row says why."""
    wallet = await house.known_wallet()
    house.store.away = True

    with pytest.raises(MalformedMessageError, match=reason):
        await _sign(house, wallet, message)

    event = house.only_event()
    assert outcome(event) == (action, AuditStatus.REFUSED, wallet.id)
    assert reason in str(event.details["reason"])
    assert house.encryption.decryptions == 0


async def test_a_network_without_typed_data_says_so(house: House) -> None:
    """A network that has no standard for it signs none, and an unknown network is refused as everywhere."""
    wallet = await house.known_wallet()

    with pytest.raises(UnsupportedMessageError, match="of Bitcoin"):
        await _sign(house, wallet, TypedMessage({}), "btc")
    with pytest.raises(UnsupportedNetworkError):
        await _sign(house, wallet, TypedMessage({}), "xrp")

    assert [event.status for event in house.audit.events] == [AuditStatus.REFUSED] * 2


@pytest.mark.parametrize("network", CHAINS)
def test_every_network_answers_for_any_message(network: str) -> None:
    """A network signs a message or says that it does not: it raises no other error."""
    for message in (TextMessage("hello"), TypedMessage(typed_mail())):
        with suppress(UnsupportedMessageError, MalformedMessageError):
            assert read_message(CHAINS[network], message).intent.network == network


@pytest.mark.parametrize(
    ("away", "error"),
    [("audit", AuditUnavailableError), ("store", StoreUnavailableError), ("encryption", KeyEncryptionUnavailableError)],
)
async def test_nothing_is_released_when_something_is_away(house: House, away: str, error: type[WalletError]) -> None:
    """No audit, no signature; with the database or the key backend away it has failed, which is another thing than refused."""
    wallet = await house.known_wallet()
    getattr(house, away).away = True

    with pytest.raises(error):
        await _sign(house, wallet, TextMessage("hello"))

    statuses = [event.status for event in house.audit.events]
    assert statuses == ([] if away == "audit" else [AuditStatus.FAILED])


async def test_the_policy_decides_over_messages_too(house: House) -> None:
    """What no policy lets pass is not signed."""
    wallet = await house.known_wallet()
    custody = replace(house.custody, policy=AllOf())

    with pytest.raises(PolicyViolationError, match="no policy"):
        await custody.sign_message(MessageRequest(Account(wallet.id, "eth", 0), TextMessage("hello"), CALLER))

    assert outcome(house.only_event()) == (AuditAction.MESSAGE_SIGN, AuditStatus.REFUSED, wallet.id)
