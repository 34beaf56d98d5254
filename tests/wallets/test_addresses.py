"""No address is given out that was not sealed for its account, wherever it was found."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.known_phrase import FIRST_ADDRESSES
from tests.wallets.custody_house import CALLER, House
from wallets.address_watcher import Source
from wallets.derivation import DerivationScheme
from wallets.errors import AddressNotFoundError, StoreUnavailableError
from wallets.model import Account, Address, AuditAction, AuditStatus, SealedAddress, Wallet

RIGHT, OTHERS = FIRST_ADDRESSES["eth"], "0x0000000000000000000000000000000000000001"
Forge = Callable[[House, Wallet, Wallet], SealedAddress]


def _of(house: House, wallet: Wallet, network: str = "eth", index: int = 0) -> SealedAddress:
    return house.addresses.addresses[Account(wallet.id, network, index)]


FORGERIES: dict[str, Forge] = {
    "another address": lambda house, ours, _: replace(_of(house, ours), text=OTHERS),
    "of another index": lambda house, ours, _: _of(house, ours, index=1),
    "of another network": lambda house, ours, _: _of(house, ours, "tron"),
    "of another wallet": lambda house, _, theirs: _of(house, theirs),
    "truncated": lambda house, ours, _: replace(_of(house, ours), text=RIGHT[:-1]),
    "right with another seal": lambda house, ours, _: replace(_of(house, ours), seal=_of(house, ours, "bsc").seal),
    "seal of nothing": lambda _, __, ___: SealedAddress("", ""),
    "without a seal": lambda _, __, ___: SealedAddress(OTHERS),
    "nonsense": lambda _, __, ___: SealedAddress("\N{CHECK MARK} \udc80", "blake2b:v1:\N{CHECK MARK}"),
}
every_forgery = pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())


@pytest.fixture
def house() -> House:
    """A custody whose own cache never has what is asked for."""
    house = House()
    house.cache.away = True
    return house


async def known(house: House) -> tuple[Account, Wallet, Wallet]:
    """Derive addresses of two wallets; return the known phrase's first account on Ethereum, and both wallets."""
    ours = await house.known_wallet()
    theirs = await house.custody.create_wallet("theirs", 12, CALLER)
    for wallet in (ours, theirs):
        for network, index in (("eth", 0), ("eth", 1), ("tron", 0), ("bsc", 0)):
            await house.custody.address(Account(wallet.id, network, index), CALLER)
    house.journal.events.clear()
    return Account(ours.id, "eth", 0), ours, theirs


@every_forgery
async def test_what_is_planted_in_the_shared_cache_is_not_believed(house: House, forge: Forge) -> None:
    """It is a miss that is told of, and is overwritten by what the book has."""
    account, ours, theirs = await known(house)
    place = (account, DerivationScheme.STANDARD)
    good = house.shared.addresses[place]
    house.shared.addresses[place] = forge(house, ours, theirs)

    addresses = [(await house.custody.address(account, CALLER)).text for _ in range(2)]

    assert addresses == [RIGHT, RIGHT]
    assert house.watcher.forged == {Source.SHARED: 1}
    assert house.watcher.wallets == {ours.id}
    assert house.shared.addresses[place] == good
    assert house.journal.events == []


@every_forgery
async def test_what_is_planted_in_the_book_is_not_believed(house: House, forge: Forge) -> None:
    """It is a miss that is told of, and is overwritten by what is derived, with an audit row that says so."""
    account, ours, theirs = await known(house)
    house.shared.away = True
    good = house.addresses.addresses[account]
    house.addresses.addresses[account] = forge(house, ours, theirs)

    addresses = [(await house.custody.address(account, CALLER)).text for _ in range(2)]

    assert addresses == [RIGHT, RIGHT]
    assert house.watcher.forged == {Source.BOOK: 1}
    assert house.addresses.addresses[account] == good
    event = house.only_event()
    assert (event.action, event.status, event.wallet_id) == (AuditAction.ADDRESS_DERIVE, AuditStatus.OK, ours.id)
    assert event.details == {"network": "eth", "index": 0, "address": RIGHT, "replaces": "forged"}


@every_forgery
async def test_a_range_has_nothing_that_was_planted(house: House, forge: Forge) -> None:
    """Its other addresses come from the book."""
    account, ours, theirs = await known(house)
    before = await house.custody.address_range(account, 3, CALLER)
    house.journal.events.clear()
    house.addresses.addresses[account] = forge(house, ours, theirs)

    after = await house.custody.address_range(account, 3, CALLER)

    assert before == after
    assert house.watcher.forged == {Source.BOOK: 1}
    assert house.only_event().details["replaces"] == "forged"


async def test_the_own_cache_learns_what_was_found(house: House) -> None:
    """So that the next request asks nobody."""
    account, _, _ = await known(house)
    house.cache.away = False
    await house.custody.address(account, CALLER)
    house.store.away = house.addresses.away = house.shared.away = True

    assert (await house.custody.address(account, CALLER)).text == RIGHT


async def test_lookups_of_the_shared_cache_are_counted(house: House) -> None:
    """What is not authentic is a miss."""
    account, _, _ = await known(house)
    house.watcher.found.clear()
    house.watcher.missed.clear()

    await house.custody.address(account, CALLER)
    house.shared.addresses[account, DerivationScheme.STANDARD] = SealedAddress(OTHERS)
    await house.custody.address(account, CALLER)
    house.shared.addresses.clear()
    await house.custody.address(account, CALLER)

    assert (house.watcher.found[Source.SHARED], house.watcher.missed[Source.SHARED]) == (1, 2)


async def test_an_address_from_before_there_were_seals_is_sealed(house: House) -> None:
    """Derived again, and not an alarm if it was right."""
    account, ours, _ = await known(house)
    house.shared.away = True
    good = house.addresses.addresses[account]
    house.addresses.addresses[account] = SealedAddress(RIGHT)

    addresses = [(await house.custody.address(account, CALLER)).text for _ in range(2)]

    assert addresses == [RIGHT, RIGHT]
    assert house.addresses.addresses[account] == good
    assert (house.watcher.unsealed, house.watcher.forged, house.watcher.wallets) == (1, {}, {ours.id})
    assert house.only_event().details["replaces"] == "unsealed"


async def test_a_planted_address_leads_to_no_account(house: House) -> None:
    """Who looks it up does not learn that it is ours, and it is replaced by the right one."""
    account, _, _ = await known(house)
    good = house.addresses.addresses[account]
    house.addresses.addresses[account] = replace(good, text=OTHERS)

    for _ in range(2):
        with pytest.raises(AddressNotFoundError):
            await house.custody.accounts(OTHERS, CALLER)

    assert house.watcher.forged == {Source.BOOK: 1}
    assert house.addresses.addresses[account] == good
    assert account in await house.custody.accounts(RIGHT, CALLER)


@pytest.mark.parametrize(("network", "variant"), [("mars", ""), ("btc", "other"), ("btc", "segwit")])
async def test_accounts_that_cannot_be_are_not_found(house: House, network: str, variant: str) -> None:
    """Whatever the book says of an unknown network or kind, or of the usual kind by its name."""
    first, ours, _ = await known(house)
    planted = Account(ours.id, network, 9, variant)
    house.addresses.addresses[planted] = house.addresses.addresses[first]

    found = await house.custody.accounts(RIGHT, CALLER)

    assert planted not in found
    assert first in found
    assert house.watcher.forged == {Source.BOOK: 1}


async def test_an_account_from_before_there_were_seals_is_found(house: House) -> None:
    """By its address, which is derived again first."""
    account, _, _ = await known(house)
    house.addresses.addresses[account] = SealedAddress(RIGHT)

    assert account in await house.custody.accounts(RIGHT, CALLER)
    assert house.addresses.addresses[account].seal
    assert (house.watcher.unsealed, house.watcher.forged) == (1, {})


async def test_what_cannot_be_proven_is_not_told(house: House) -> None:
    """With the seed out of reach an address without a seal is neither given out nor found; the failure is audited."""
    account, _, _ = await known(house)
    house.addresses.addresses[account] = SealedAddress(RIGHT)
    house.address_keys.away = True
    await house.custody.lock(CALLER)
    house.journal.events.clear()

    with pytest.raises(StoreUnavailableError):
        await house.custody.accounts(RIGHT, CALLER)

    assert (house.only_event().status, house.only_event().action) == (AuditStatus.FAILED, AuditAction.ADDRESS_DERIVE)


async def test_without_a_shared_cache_the_book_is_asked(house: House) -> None:
    """As where Redis is not used."""
    account, _, _ = await known(house)
    alone = replace(house.custody.addresses, shared=None)

    address = await alone.address(account, CALLER)

    assert address == Address(account, RIGHT)
    assert (await alone.address(replace(account, index=5), CALLER)).account.index == 5
