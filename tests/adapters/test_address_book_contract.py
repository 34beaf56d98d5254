"""The contract of `wallets.ports.AddressBook`, on the fake and on PostgreSQL."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.adapters.conftest import Storage, kept_account, new_event
from wallets.derivation import MAX_INDEX
from wallets.errors import StoreUnavailableError
from wallets.model import Account, AuditAction

DERIVE = AuditAction.ADDRESS_DERIVE


async def test_an_address_is_remembered_with_its_audit_row(storage: Storage) -> None:
    """What was added is found, and its event was written."""
    account = await kept_account(storage, index=MAX_INDEX)
    event = new_event(account.wallet_id, DERIVE, address="0xabc")

    await storage.book.add(account, "0xabc", event)

    assert await storage.book.lookup(account) == "0xabc"
    assert (await storage.events())[-1] == event


async def test_an_address_that_was_not_derived_is_none(storage: Storage) -> None:
    """Also where another network, index or variant of the wallet was."""
    account = await kept_account(storage)
    await storage.book.add(account, "0xabc", new_event(account.wallet_id, DERIVE))

    assert await storage.book.lookup(replace(account, index=1)) is None
    assert await storage.book.lookup(replace(account, network="tron")) is None
    assert await storage.book.lookup(replace(account, variant="other")) is None
    assert await storage.book.lookup(replace(account, wallet_id=uuid4())) is None


async def test_remembering_twice_writes_one_row(storage: Storage) -> None:
    """The first address stays, and no audit row tells of a second."""
    account = await kept_account(storage)
    await storage.book.add(account, "0xabc", new_event(account.wallet_id, DERIVE))
    rows = len(await storage.events())

    await storage.book.add(account, "0xabc", new_event(account.wallet_id, DERIVE))

    assert len(await storage.events()) == rows


async def test_remembering_at_once_writes_one_row(storage: Storage) -> None:
    """Requests that derive the same address together leave one row and one audit row."""
    account = await kept_account(storage)
    rows = len(await storage.events())

    await asyncio.gather(*(storage.book.add(account, "0xabc", new_event(account.wallet_id, DERIVE)) for _ in range(8)))

    assert len(await storage.events()) == rows + 1


async def test_variants_of_an_account_are_remembered_apart(storage: Storage) -> None:
    """Each has its own address, found by it and in its own range."""
    usual = await kept_account(storage, "btc")
    other = replace(usual, variant="other")
    await storage.book.add(usual, "bc1usual", new_event(usual.wallet_id, DERIVE))

    await storage.book.add(other, "bc1other", new_event(usual.wallet_id, DERIVE))
    entries = [(replace(account, index=1), f"bc1{account.variant}1", new_event(usual.wallet_id, DERIVE)) for account in (usual, other)]
    await storage.book.add_all(entries)

    assert (await storage.book.lookup(usual), await storage.book.lookup(other)) == ("bc1usual", "bc1other")
    assert list(await storage.book.accounts("bc1other")) == [other]
    assert await storage.book.lookup_range(other, 2) == {0: "bc1other", 1: "bc1other1"}
    assert await storage.book.lookup_range(usual, 2) == {0: "bc1usual", 1: "bc11"}


async def test_accounts_of_an_address_are_oldest_first(storage: Storage) -> None:
    """EVM networks share an address: all its accounts are found."""
    account = await kept_account(storage)
    networks = ("eth", "bsc", "polygon")
    for network in networks:
        await storage.book.add(replace(account, network=network), "0xabc", new_event(account.wallet_id, DERIVE))

    found = await storage.book.accounts("0xabc")

    assert [Account(account.wallet_id, network, 0) for network in networks] == list(found)


@pytest.mark.parametrize("text", ["0xabc", "", "a\0b", "' OR true --"])
async def test_an_unknown_address_has_no_accounts(storage: Storage, text: str) -> None:
    """Whatever a client writes where an address belongs."""
    account = await kept_account(storage)
    await storage.book.add(account, "0xdef", new_event(account.wallet_id, DERIVE))

    assert list(await storage.book.accounts(text)) == []


async def test_a_book_that_is_away_says_so(storage_away: Storage) -> None:
    """Every method, with the port's error."""
    account = Account(uuid4(), "eth", 0)

    with pytest.raises(StoreUnavailableError):
        await storage_away.book.lookup(account)
    with pytest.raises(StoreUnavailableError):
        await storage_away.book.add(account, "0xabc", new_event(account.wallet_id, DERIVE))
    with pytest.raises(StoreUnavailableError):
        await storage_away.book.accounts("0xabc")


async def test_a_range_has_what_was_derived(storage: Storage) -> None:
    """By index, also at the end of the indexes, and of this network and wallet alone."""
    account = await kept_account(storage, index=1)
    for known in (account, replace(account, index=3), replace(account, index=4), replace(account, network="tron", index=2)):
        await storage.book.add(known, f"0x{known.index}", new_event(account.wallet_id, DERIVE))

    assert await storage.book.lookup_range(account, 3) == {1: "0x1", 3: "0x3"}
    assert await storage.book.lookup_range(replace(account, index=MAX_INDEX), 1) == {}
    assert await storage.book.lookup_range(replace(account, wallet_id=uuid4()), 3) == {}


async def test_several_addresses_are_remembered_with_their_rows(storage: Storage) -> None:
    """Those that are new: what was remembered before stays, and has no second row."""
    account = await kept_account(storage)
    await storage.book.add(replace(account, index=1), "0xold", new_event(account.wallet_id, DERIVE))
    entries = [(replace(account, index=index), f"0x{index}", new_event(account.wallet_id, DERIVE, index=index)) for index in range(3)]

    await storage.book.add_all(entries)
    await storage.book.add_all(entries)

    assert await storage.book.lookup_range(account, 3) == {0: "0x0", 1: "0xold", 2: "0x2"}
    assert list(await storage.events())[-2:] == [entries[0][2], entries[2][2]]


async def test_several_addresses_at_once_are_remembered_once(storage: Storage) -> None:
    """However many requests derive the same range."""
    account = await kept_account(storage)
    entries = [(replace(account, index=index), f"0x{index}", new_event(account.wallet_id, DERIVE, index=index)) for index in range(20)]
    before = len(await storage.events())

    await asyncio.gather(*(storage.book.add_all(entries) for _ in range(4)))

    assert len(await storage.events()) == before + 20


async def test_a_range_is_unavailable_while_the_store_is_away(storage_away: Storage) -> None:
    """Reading and writing."""
    account = Account(uuid4(), "eth", 0)

    with pytest.raises(StoreUnavailableError):
        await storage_away.book.lookup_range(account, 2)
    with pytest.raises(StoreUnavailableError):
        await storage_away.book.add_all([(account, "0x", new_event())])
