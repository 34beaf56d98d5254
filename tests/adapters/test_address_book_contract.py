"""The contract of `wallets.ports.AddressBook`, on the fake and on PostgreSQL."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.adapters.conftest import Storage, kept_account, new_event
from wallets.derivation import MAX_INDEX
from wallets.errors import StoreUnavailableError
from wallets.model import Account, AuditAction, AuditEvent, SealedAddress

Entry = tuple[Account, SealedAddress, AuditEvent]


def sealed(text: str, seal: str = "a seal") -> SealedAddress:
    """Return an address as a book is given it. Whether the seal holds is not the book's business."""
    return SealedAddress(text, seal)


def entry(account: Account, text: str = "0xabc", **details: object) -> Entry:
    """Return an account's address with a seal and an audit row."""
    return account, sealed(text), new_event(account.wallet_id, AuditAction.ADDRESS_DERIVE, **details)


async def test_an_address_is_remembered_with_its_audit_row(storage: Storage) -> None:
    """What was added is found, and its event was written."""
    account = await kept_account(storage, index=MAX_INDEX)
    added = entry(account, address="0xabc")

    await storage.book.add_all([added])

    assert await storage.book.lookup(account) == added[1]
    assert (await storage.events())[-1] == added[2]


async def test_an_address_that_was_not_derived_is_none(storage: Storage) -> None:
    """Also where another network, index or variant of the wallet was."""
    account = await kept_account(storage)
    await storage.book.add_all([entry(account)])

    assert await storage.book.lookup(replace(account, index=1)) is None
    assert await storage.book.lookup(replace(account, network="tron")) is None
    assert await storage.book.lookup(replace(account, variant="other")) is None
    assert await storage.book.lookup(replace(account, wallet_id=uuid4())) is None


async def test_remembering_twice_writes_one_row(storage: Storage) -> None:
    """No audit row tells of what was remembered before."""
    account = await kept_account(storage)
    await storage.book.add_all([entry(account)])
    rows = len(await storage.events())

    await storage.book.add_all([entry(account)])

    assert len(await storage.events()) == rows


@pytest.mark.parametrize("other", [sealed("0xdef"), sealed("0xabc", "another seal"), sealed("0xabc", "")])
async def test_what_differs_is_replaced(storage: Storage, other: SealedAddress) -> None:
    """In the address or in the seal, with an audit row; what is remembered of others stays."""
    account = await kept_account(storage)
    neighbour = replace(account, index=1)
    await storage.book.add_all([(account, other, new_event(account.wallet_id)), entry(neighbour, "0x1")])
    added = entry(account, replaces="forged")

    await storage.book.add_all([added])

    assert await storage.book.lookup(account) == added[1]
    assert await storage.book.lookup(neighbour) == sealed("0x1")
    assert (await storage.events())[-1] == added[2]


async def test_remembering_at_once_writes_one_row(storage: Storage) -> None:
    """Requests that derive the same address together leave one row and one audit row."""
    account = await kept_account(storage)
    rows = len(await storage.events())

    await asyncio.gather(*(storage.book.add_all([entry(account)]) for _ in range(8)))

    assert len(await storage.events()) == rows + 1


async def test_variants_of_an_account_are_remembered_apart(storage: Storage) -> None:
    """Each has its own address, found by it and in its own range."""
    usual = await kept_account(storage, "btc")
    other = replace(usual, variant="other")
    await storage.book.add_all([entry(usual, "bc1usual")])

    await storage.book.add_all([entry(other, "bc1other")])
    await storage.book.add_all([entry(replace(account, index=1), f"bc1{account.variant}1") for account in (usual, other)])

    assert (await storage.book.lookup(usual), await storage.book.lookup(other)) == (sealed("bc1usual"), sealed("bc1other"))
    assert list(await storage.book.accounts("bc1other", 9)) == [(other, sealed("bc1other"))]
    assert await storage.book.lookup_range(other, 2) == {0: sealed("bc1other"), 1: sealed("bc1other1")}
    assert await storage.book.lookup_range(usual, 2) == {0: sealed("bc1usual"), 1: sealed("bc11")}


async def test_accounts_of_an_address_are_oldest_first(storage: Storage) -> None:
    """EVM networks share an address: all its accounts are found, each with its seal."""
    account = await kept_account(storage)
    networks = ("eth", "bsc", "polygon")
    for network in networks:
        await storage.book.add_all([(replace(account, network=network), sealed("0xabc", network), new_event(account.wallet_id))])

    found = await storage.book.accounts("0xabc", 9)

    assert [(Account(account.wallet_id, network, 0), sealed("0xabc", network)) for network in networks] == list(found)
    assert await storage.book.accounts("0xabc", 2) == found[:2]


@pytest.mark.parametrize("text", ["0xabc", "", "a\0b", "' OR true --"])
async def test_an_unknown_address_has_no_accounts(storage: Storage, text: str) -> None:
    """Whatever a client writes where an address belongs."""
    account = await kept_account(storage)
    await storage.book.add_all([entry(account, "0xdef")])

    assert list(await storage.book.accounts(text, 9)) == []


async def test_a_range_has_what_was_derived(storage: Storage) -> None:
    """By index, also at the end of the indexes, and of this network and wallet alone."""
    account = await kept_account(storage, index=1)
    for known in (account, replace(account, index=3), replace(account, index=4), replace(account, network="tron", index=2)):
        await storage.book.add_all([entry(known, f"0x{known.index}")])

    assert await storage.book.lookup_range(account, 3) == {1: sealed("0x1"), 3: sealed("0x3")}
    assert await storage.book.lookup_range(replace(account, index=MAX_INDEX), 1) == {}
    assert await storage.book.lookup_range(replace(account, wallet_id=uuid4()), 3) == {}


async def test_several_addresses_are_remembered_with_their_rows(storage: Storage) -> None:
    """Those that are new: what was remembered before has no second row."""
    account = await kept_account(storage)
    entries = [entry(replace(account, index=index), f"0x{index}", index=index) for index in range(3)]
    await storage.book.add_all(entries[1:2])

    await storage.book.add_all(entries)
    await storage.book.add_all(entries)

    assert await storage.book.lookup_range(account, 3) == {index: sealed(f"0x{index}") for index in range(3)}
    assert list(await storage.events())[-2:] == [entries[0][2], entries[2][2]]


async def test_several_addresses_at_once_are_remembered_once(storage: Storage) -> None:
    """However many requests derive the same range."""
    account = await kept_account(storage)
    entries = [entry(replace(account, index=index), f"0x{index}", index=index) for index in range(20)]
    before = len(await storage.events())

    await asyncio.gather(*(storage.book.add_all(entries) for _ in range(4)))

    assert len(await storage.events()) == before + 20


async def test_a_book_that_is_away_says_so(storage_away: Storage) -> None:
    """Every method, with the port's error."""
    account = Account(uuid4(), "eth", 0)

    for call in (
        storage_away.book.lookup(account),
        storage_away.book.lookup_range(account, 2),
        storage_away.book.add_all([entry(account)]),
        storage_away.book.accounts("0xabc", 9),
    ):
        with pytest.raises(StoreUnavailableError):
            await call
