"""The use cases but signing: what they do, what they refuse, and the audit row that each leaves before its answer does."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.fakes import FakeComponent
from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from tests.wallets.custody_house import CALLER, NOW, House, outcome, unsigned
from wallets import addresses
from wallets.derivation import DerivationScheme
from wallets.errors import (
    AddressNotFoundError,
    AuditUnavailableError,
    CorruptCiphertextError,
    InvalidMnemonicError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    LockNotSharedError,
    StoreUnavailableError,
    UnsupportedNetworkError,
    WalletError,
    WalletNotFoundError,
)
from wallets.model import (
    Account,
    AuditAction,
    AuditStatus,
    ComponentHealth,
    HealthStatus,
    KeyringLock,
    SigningRequest,
    Stretch,
)
from wallets.secret import Phrase


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


# How wallets come about


@pytest.mark.parametrize("word_count", [12, 24])
async def test_a_wallet_is_created_with_its_audit_row(house: House, word_count: int) -> None:
    """A new wallet is kept, encrypted, with one row that says so."""
    wallet = await house.custody.create_wallet("savings", word_count, CALLER)

    assert (wallet.label, wallet.scheme, wallet.created_at) == ("savings", DerivationScheme.STANDARD, NOW)
    assert wallet == await house.custody.wallet(wallet.id)
    event = house.only_event()
    assert outcome(event) == (AuditAction.WALLET_CREATE, AuditStatus.OK, wallet.id)
    assert (event.caller, event.at) == (CALLER, NOW)
    assert event.details == {"label": "savings", "scheme": "standard"}


async def test_two_created_wallets_have_different_phrases(house: House) -> None:
    """Every wallet gets a phrase of its own."""
    wallets = [await house.custody.create_wallet("w", 12, CALLER) for _ in range(2)]

    addresses = [await house.custody.address(Account(wallet.id, "eth", 0), CALLER) for wallet in wallets]

    assert addresses[0].text != addresses[1].text


@pytest.mark.parametrize(
    ("label", "word_count", "error"),
    [
        ("", 12, InvalidRequestError),
        ("x" * 101, 12, InvalidRequestError),
        ("a\nb", 12, InvalidRequestError),
        ("a\0b", 12, InvalidRequestError),
        ("\ud800", 12, InvalidRequestError),
        ("x" * 1_000_000, 12, InvalidRequestError),
        ("fine", 15, InvalidMnemonicError),
    ],
)
async def test_a_refused_creation_leaves_its_row_and_nothing_else(
    house: House, label: str, word_count: int, error: type[WalletError]
) -> None:
    """A label or length that cannot be is refused; the row says why, is short, and holds nothing a database cannot."""
    with pytest.raises(error):
        await house.custody.create_wallet(label, word_count, CALLER)

    event = house.only_event()
    assert outcome(event) == (AuditAction.WALLET_CREATE, AuditStatus.REFUSED, None)
    assert event.details["reason"]
    assert len(json.dumps(event.details, ensure_ascii=False).encode()) < 1_000
    assert "\\u0000" not in json.dumps(event.details)
    assert len(house.store) == 0


async def test_an_imported_wallet_has_its_known_addresses(house: House) -> None:
    """The known phrase gives the known addresses, and its row says which scheme."""
    wallet = await house.custody.import_wallet("known", Phrase.of(PHRASE, ""), DerivationScheme.STANDARD, CALLER)

    event = house.only_event()
    assert outcome(event) == (AuditAction.WALLET_IMPORT, AuditStatus.OK, wallet.id)
    assert event.details == {"label": "known", "scheme": "standard"}
    for network, expected in FIRST_ADDRESSES.items():
        assert expected == (await house.custody.address(Account(wallet.id, network, 0), CALLER)).text


@pytest.mark.parametrize(("label", "away"), [("fine", False), ("", False), ("fine", True)])
async def test_an_imported_mnemonic_is_closed_in_any_case(house: House, label: str, away: bool) -> None:
    """Whether the import succeeds, is refused or fails, the phrase is closed afterwards."""
    phrase = Phrase.of(PHRASE, "")
    house.encryption.away = away

    results = await asyncio.gather(house.custody.import_wallet(label, phrase, DerivationScheme.STANDARD, CALLER), return_exceptions=True)

    assert isinstance(results[0], Exception) == (away or not label)
    with pytest.raises(ValueError, match="closed"):
        phrase.reveal()


@pytest.mark.parametrize("away", ["store", "audit", "encryption"])
async def test_nothing_is_kept_when_a_creation_fails(house: House, away: str) -> None:
    """With database, audit log or key backend away, the creation fails as unavailable and leaves no wallet."""
    getattr(house, away).away = True

    with pytest.raises((StoreUnavailableError, AuditUnavailableError, KeyEncryptionUnavailableError)):
        await house.custody.create_wallet("w", 12, CALLER)

    getattr(house, away).away = False
    assert len(house.store) == 0
    assert (await house.custody.list_wallets(1, 20)).total == 0
    if away == "audit":
        assert house.audit.events == ()
    else:
        assert outcome(house.only_event()) == (AuditAction.WALLET_CREATE, AuditStatus.FAILED, None)


async def test_a_ciphertext_is_bound_to_its_wallet(house: House) -> None:
    """A ciphertext moved to another wallet's row does not decrypt there: the row says that it failed, and nothing is derived."""
    ours, theirs = await house.known_wallet(), await house.custody.create_wallet("other", 12, CALLER)
    house.journal.events.clear()
    house.store.replace_ciphertext(theirs.id, await house.store.encrypted_mnemonic(ours.id))

    with pytest.raises(CorruptCiphertextError):
        await house.custody.address(Account(theirs.id, "eth", 0), CALLER)

    assert outcome(house.only_event()) == (AuditAction.ADDRESS_DERIVE, AuditStatus.FAILED, theirs.id)


# Finding


async def test_wallets_are_listed_newest_first(house: House) -> None:
    """Pages are counted from 1, and are empty past the last."""
    made = []
    for number in range(5):
        house.now = NOW + timedelta(seconds=number)
        made.append(await house.custody.create_wallet(f"wallet {number}", 12, CALLER))

    first, last, beyond = [await house.custody.list_wallets(number, 2) for number in (1, 3, 4)]

    assert (made[4], made[3]) == first.wallets
    assert (made[0],) == last.wallets
    assert beyond.wallets == ()
    assert (beyond.number, beyond.size, beyond.total) == (4, 2, 5)


async def test_wallets_are_listed_from_one_to_the_older_ones(house: House) -> None:
    """Without counting them."""
    made = []
    for number in range(3):
        house.now = NOW + timedelta(seconds=number)
        made.append(await house.custody.create_wallet(f"wallet {number}", 12, CALLER))

    newest = await house.custody.list_older_wallets(None, 2)
    oldest = await house.custody.list_older_wallets(newest.wallets[-1].position, 2)

    assert newest == Stretch((made[2], made[1]), has_older=True)
    assert oldest == Stretch((made[0],), has_older=False)


async def test_an_unknown_wallet_is_not_found(house: House) -> None:
    """No wallet, no address and no signature come of an id that nobody has."""
    account = Account(uuid4(), "sol", 0)

    with pytest.raises(WalletNotFoundError):
        await house.custody.wallet(account.wallet_id)
    with pytest.raises(WalletNotFoundError):
        await house.custody.address(account, CALLER)
    with pytest.raises(WalletNotFoundError):
        await house.custody.sign(SigningRequest(account, unsigned("sol", "transfer"), CALLER))

    assert [
        (AuditAction.ADDRESS_DERIVE, AuditStatus.REFUSED, account.wallet_id),
        (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, account.wallet_id),
    ] == [outcome(event) for event in house.audit.events]


# Addresses


async def test_the_first_derivation_is_audited_and_later_ones_are_not(house: House) -> None:
    """An address is derived once; either cache and then the address book give it back without a row or a decryption."""
    wallet = await house.known_wallet()
    account = Account(wallet.id, "ton", 0)

    first = await house.custody.address(account, CALLER)
    cached = await house.custody.address(account, CALLER)
    house.cache.away = True
    shared = await house.custody.address(account, CALLER)
    house.shared.away = True
    remembered = await house.custody.address(account, CALLER)

    assert first == cached == shared == remembered
    assert first.text == FIRST_ADDRESSES["ton"]
    assert first.forms["bounceable"].startswith("EQ")
    event = house.only_event()
    assert outcome(event) == (AuditAction.ADDRESS_DERIVE, AuditStatus.OK, wallet.id)
    assert event.details == {"network": "ton", "index": 0, "address": FIRST_ADDRESSES["ton"]}
    assert house.encryption.decryptions == 2  # the wallet's mnemonic, and the address key


@pytest.mark.parametrize("network", ["mars", "", "ETH", "x\0" * 10_000])
async def test_an_unknown_network_is_refused_and_audited(house: House, network: str) -> None:
    """Neither an address nor a signature is given for a network that is not in the table, and each refusal has its row."""
    wallet = await house.known_wallet()
    account = Account(wallet.id, network, 0)

    with pytest.raises(UnsupportedNetworkError, match="known are eth, "):
        await house.custody.address(account, CALLER)
    with pytest.raises(UnsupportedNetworkError):
        await house.custody.sign(SigningRequest(account, "00", CALLER))

    assert [
        (AuditAction.ADDRESS_DERIVE, AuditStatus.REFUSED, wallet.id),
        (AuditAction.TRANSACTION_SIGN, AuditStatus.REFUSED, wallet.id),
    ] == [outcome(event) for event in house.audit.events]
    assert all(len(str(event.details)) < 1_000 and "\0" not in str(event.details["network"]) for event in house.audit.events)


@pytest.mark.parametrize("index", [-1, 2**31])
def test_an_index_outside_its_range_names_no_account(index: int) -> None:
    """An account's index is 0..2^31-1."""
    with pytest.raises(InvalidRequestError, match="index must be"):
        Account(uuid4(), "eth", index)


async def test_an_address_that_cannot_be_audited_is_not_given(house: House) -> None:
    """With the audit log away a new address is not derived for anybody, nor remembered."""
    wallet = await house.known_wallet()
    account = Account(wallet.id, "eth", 0)
    house.audit.away = True

    with pytest.raises(AuditUnavailableError):
        await house.custody.address(account, CALLER)

    assert await house.addresses.lookup(account) is None
    assert await house.cache.get(account) is None


async def test_addresses_of_a_wallet_taken_over_stay_as_they_were(house: House) -> None:
    """Scheme v1_0_8 has other Solana and TON addresses, the latter shown bounceable, and the same on eth."""
    wallet = await house.known_wallet(DerivationScheme.V1_0_8)

    texts = [(await house.custody.address(Account(wallet.id, network, 0), CALLER)).text for network in ("eth", "sol", "ton")]

    assert texts[0] == FIRST_ADDRESSES["eth"]
    assert texts[1] not in {FIRST_ADDRESSES["sol"], FIRST_ADDRESSES["eth"]}
    assert texts[2].startswith("EQ")


@pytest.mark.parametrize("form", ["bounceable", "non_bounceable", "raw", "testnet_bounceable", "testnet_non_bounceable"])
@pytest.mark.parametrize("scheme", DerivationScheme)
async def test_an_account_is_found_by_any_form_of_its_address(house: House, scheme: DerivationScheme, form: str) -> None:
    """Whichever form a TON address is written in, it names its account, also where 1.0.8 wrote it down bounceable."""
    wallet = await house.known_wallet(scheme)
    account = Account(wallet.id, "ton", 3)
    address = await house.custody.address(account, CALLER)

    assert [account] == list(await house.custody.accounts(address.forms[form], CALLER))


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
async def test_an_account_is_found_in_any_case_of_its_address(house: House, change: Callable[[str], str]) -> None:
    """An EVM address names all accounts that have it, on every network where it was derived."""
    wallet = await house.known_wallet()
    accounts = [Account(wallet.id, network, 0) for network in ("eth", "bsc")]
    for account in accounts:
        await house.custody.address(account, CALLER)
    text = "0x" + change(FIRST_ADDRESSES["eth"][2:])

    assert accounts == list(await house.custody.accounts(text, CALLER))


async def test_of_many_accounts_the_oldest_are_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may derive one address on as many networks as there are numbers."""
    monkeypatch.setattr(addresses, "MAX_ACCOUNTS", 2)
    wallet = await house.known_wallet()
    accounts = [Account(wallet.id, f"evm:{number}", 0) for number in (7, 5, 6)]
    for account in accounts:
        await house.custody.address(account, CALLER)

    assert list(await house.custody.accounts(FIRST_ADDRESSES["eth"], CALLER)) == accounts[:2]


@pytest.mark.parametrize("text", [FIRST_ADDRESSES["eth"], FIRST_ADDRESSES["sol"], "", "nonsense", "0:", "\0", "1" * 10_000])
async def test_an_address_that_was_never_derived_is_not_found(house: House, text: str) -> None:
    """An address that is nobody's here, or is none at all, is not found."""
    await house.known_wallet()

    with pytest.raises(AddressNotFoundError):
        await house.custody.accounts(text, CALLER)


# Health


async def test_health_asks_every_component(house: House) -> None:
    """Each component answers under its name; without any there is nothing to say."""
    assert await house.custody.health() == {}
    house.components += [FakeComponent("database"), FakeComponent("vault", ComponentHealth(HealthStatus.DEGRADED, 1.5))]

    health = await house.custody.health()

    assert {name: each.status for name, each in health.items()} == {"database": HealthStatus.OK, "vault": HealthStatus.DEGRADED}


async def test_a_component_that_raises_or_hangs_is_in_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that breaks the rules of its port does not hide the others."""

    class Raises(FakeComponent):
        async def check(self) -> ComponentHealth:
            """Raise, which a component must not."""
            raise RuntimeError

    class Hangs(FakeComponent):
        async def check(self) -> ComponentHealth:
            """Say nothing."""
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("wallets.component_health.HEALTH_CHECK_SECONDS", 0.01)
    house.components += [Raises("raises"), Hangs("hangs"), FakeComponent("fine")]

    health = await house.custody.health()

    assert {name: each.status for name, each in health.items()} == {
        "raises": HealthStatus.ERROR,
        "hangs": HealthStatus.ERROR,
        "fine": HealthStatus.OK,
    }


@pytest.mark.parametrize("words", ["", "abandon " * 12, "zoo", "\ud800", "1:2:3"])
async def test_a_phrase_that_is_no_mnemonic_is_refused_and_audited(house: House, words: str) -> None:
    """The row says why, without a word of the phrase, and the phrase is closed."""
    phrase = Phrase.of(words, "")

    with pytest.raises(InvalidMnemonicError):
        await house.custody.import_wallet("known", phrase, DerivationScheme.STANDARD, CALLER)

    assert outcome(house.only_event()) == (AuditAction.WALLET_IMPORT, AuditStatus.REFUSED, None)
    assert "abandon" not in json.dumps(house.only_event().details)
    with pytest.raises(ValueError, match="closed"):
        phrase.reveal()


async def test_a_lock_forgets_here_and_tells_the_others() -> None:
    """What was unlocked is forgotten, the others are told, and one row says how many seeds it was."""
    house = House(max_seeds=10)
    wallet = await house.known_wallet()
    await house.custody.address(Account(wallet.id, "eth", 0), CALLER)
    house.journal.events.clear()
    told: list[None] = []
    follower = asyncio.create_task(house.lock_signal.follow(lambda: told.append(None)))
    await asyncio.sleep(0)

    done = await house.custody.lock(CALLER)

    assert done == KeyringLock(1, NOW)
    assert (len(house.custody.keyring), len(told)) == (0, 1)
    assert outcome(house.only_event()) == (AuditAction.KEYRING_LOCK, AuditStatus.OK, None)
    assert house.only_event().details == {"forgotten_seeds": 1}
    follower.cancel()


async def test_a_lock_that_cannot_be_told_locks_here() -> None:
    """The error says that others may not know; here everything is forgotten before anybody is asked."""
    house = House(max_seeds=10)
    wallet = await house.known_wallet()
    await house.custody.address(Account(wallet.id, "eth", 0), CALLER)
    house.lock_signal.away = True

    with pytest.raises(LockNotSharedError, match=r"forgotten its unlocked seeds \(1\); others may not have heard"):
        await house.custody.lock(CALLER)

    assert len(house.custody.keyring) == 0
