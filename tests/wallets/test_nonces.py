"""Which transactions exclude each other, and that of those a custody that guards nonces signs one."""

import asyncio
import pickle
from dataclasses import replace

import pytest
import rlp

from tests.samples import ton_transfer
from tests.wallets.custody_house import CALLER, House, outcome, unsigned
from wallets.chains import chain_for, usual_variant
from wallets.errors import NonceUsedError
from wallets.model import Account, AuditAction, AuditStatus, MessageRequest, SigningRequest, TextMessage, Wallet
from wallets.nonces import nonce_use, refusal
from wallets.once import NonceUse


def evm(nonce: int, value: int = 1, chain_id: int | None = 1) -> str:
    """Write an unsigned legacy transaction."""
    fields: list[int | bytes] = [nonce, 10**9, 21_000, b"\x35" * 20, value, b""]
    return bytes(rlp.encode(fields if chain_id is None else [*fields, chain_id, 0, 0])).hex()


def use_of(network: str, payload: str, address: str = "0xabc") -> NonceUse | None:
    """Return which nonce a payload uses up."""
    chain = chain_for(network)
    return nonce_use(chain.decode(chain.unwrap(payload), usual_variant(chain, "")), network, address)


async def guarded() -> tuple[House, Wallet]:
    """Return a house whose custody guards nonces, and the known wallet in it."""
    house = House()
    house.custody = replace(house.custody, guards_nonces=True)
    return house, await house.known_wallet()


def request(wallet: Wallet, payload: str, *, replaces: bool = False) -> SigningRequest:
    """Ask to sign an Ethereum transaction."""
    return SigningRequest(Account(wallet.id, "eth", 0), payload, CALLER, replaces)


def test_evm_transactions_use_the_accounts_nonce_of_their_chain() -> None:
    """One of another amount is another transaction with the same nonce."""
    one, other = use_of("eth", evm(7)), use_of("eth", evm(7, value=2))

    assert one is not None
    assert other is not None
    assert (one.chain, one.address, one.nonce, one.is_replacement) == ("evm:1", "0xabc", "7", False)
    assert replace(other, digest=one.digest) == one
    assert other.digest != one.digest
    other_chain = use_of("bsc", evm(7, chain_id=56))
    assert other_chain is not None
    assert other_chain.chain == "evm:56"


def test_ton_transactions_use_the_wallets_seqno() -> None:
    """The address is the wallet contract's, so each version has its own."""
    one, other = use_of("ton", ton_transfer(3, 1).hex()), use_of("ton", ton_transfer(3, 2).hex())

    assert one is not None
    assert other is not None
    assert (one.chain, one.nonce) == (other.chain, other.nonce) == ("ton", "3")
    assert one.digest != other.digest


def test_solana_transactions_use_a_durable_nonce_or_none() -> None:
    """It is the nonce account's, whoever signs."""
    durable, plain = use_of("sol", unsigned("sol", "nonce_advance")), use_of("sol", unsigned("sol", "transfer"))

    assert plain is None
    assert durable is not None
    intent = chain_for("sol").decode(bytes.fromhex(unsigned("sol", "nonce_advance"))).intent
    assert any(f"durable nonce of {durable.address}" in warning for warning in intent.warnings)
    assert (durable.chain, durable.nonce) == ("sol", intent.details["durable_nonce"])


async def test_a_second_transaction_with_the_nonce_is_refused() -> None:
    """It is audited as refused, and nothing is released; the same transaction again, and other nonces, are signed."""
    house, wallet = await guarded()
    first = await house.custody.sign(request(wallet, evm(0)))

    with pytest.raises(NonceUsedError, match="nonce 0 of 0x"):
        await house.custody.sign(request(wallet, evm(0, value=2)))
    again, later = await house.custody.sign(request(wallet, evm(0))), await house.custody.sign(request(wallet, evm(1, value=2)))

    assert again == first
    assert later.signed.raw != first.signed.raw
    assert [event.status for event in house.audit.events] == [AuditStatus.OK, AuditStatus.REFUSED, AuditStatus.OK, AuditStatus.OK]
    assert outcome(house.audit.events[1]) == (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id)
    assert "nonce 0" in str(house.audit.events[1].details["reason"])


async def test_a_transaction_that_names_no_chain_uses_the_nonce_of_its_networks() -> None:
    """Before EIP-155 or after it: Ethereum carries out one of the two."""
    house, wallet = await guarded()
    await house.custody.sign(request(wallet, evm(0)))

    with pytest.raises(NonceUsedError):
        await house.custody.sign(request(wallet, evm(0, chain_id=None)))


async def test_a_transaction_may_say_that_it_replaces_another() -> None:
    """From then on it is the one that may come again."""
    house, wallet = await guarded()
    await house.custody.sign(request(wallet, evm(0)))

    await house.custody.sign(request(wallet, evm(0, value=2), replaces=True))

    await house.custody.sign(request(wallet, evm(0, value=2)))
    with pytest.raises(NonceUsedError):
        await house.custody.sign(request(wallet, evm(0)))


async def test_without_the_guard_nothing_is_refused() -> None:
    """Nonces are nobody's concern then."""
    house = House()
    wallet = await house.known_wallet()

    results = [await house.custody.sign(request(wallet, evm(0, value=value))) for value in (1, 2)]

    assert len({result.signed.raw for result in results}) == 2
    assert house.journal.nonces == {}


async def test_messages_use_no_nonce() -> None:
    """Nor do networks without any."""
    house, wallet = await guarded()

    await house.custody.sign_message(MessageRequest(Account(wallet.id, "eth", 0), TextMessage("hello"), CALLER))
    await house.sign(wallet, "sol", unsigned("sol", "transfer"))

    assert [event.status for event in house.audit.events] == [AuditStatus.OK] * 2
    assert house.journal.nonces == {}


async def test_of_a_batch_the_others_are_signed() -> None:
    """Two of it have the same nonce, and one has that of an earlier transaction: these are refused in their places."""
    house, wallet = await guarded()
    await house.custody.sign(request(wallet, evm(5)))
    house.journal.events.clear()

    outcomes = await house.custody.sign_batch(
        [request(wallet, evm(nonce, value=value)) for nonce, value in ((0, 1), (0, 2), (5, 2), (6, 1))]
    )

    assert [isinstance(each, NonceUsedError) for each in outcomes] == [False, True, True, False]
    assert ["nonce 0" in str(outcomes[1]), "nonce 5" in str(outcomes[2])] == [True, True]
    assert [event.status for event in house.audit.events] == [AuditStatus.OK, AuditStatus.REFUSED, AuditStatus.REFUSED, AuditStatus.OK]


async def test_of_many_at_once_one_is_signed() -> None:
    """Whichever comes first."""
    house, wallet = await guarded()

    outcomes = await asyncio.gather(
        *(house.custody.sign(request(wallet, evm(0, value=value))) for value in range(20)), return_exceptions=True
    )

    assert sum(isinstance(each, NonceUsedError) for each in outcomes) == 19


def test_a_refusal_crosses_processes() -> None:
    """With the places of a batch that it is of."""
    error = refusal(NonceUse("evm:1", "0xabc", "7", bytes(32), is_replacement=False), (1, 2))

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # of what this line has pickled

    assert (str(copy), copy.places) == (str(error), (1, 2))
