"""Public keys come from extended public keys wherever they can, and are those that the seed has."""

from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

import pytest

from tests.known_phrase import PHRASE
from tests.wallets.custody_house import CALLER, House
from wallets.account_keys import AccountKeys
from wallets.address_keyring import AddressKeyring
from wallets.address_watcher import Source
from wallets.chains import CHAINS
from wallets.curves import Curve
from wallets.derivation import MAX_INDEX, DerivationPath, DerivationScheme, derive, public_path
from wallets.keyring import Keyring
from wallets.mnemonic import parse, to_seed
from wallets.model import Account, Wallet

KINDS = [(chain.network, variant) for chain in CHAINS.values() for variant in ("", *chain.variants[1:])]
"""Every kind of address that there is."""

PUBLIC = [(network, variant) for network, variant in KINDS if CHAINS[network].curve is Curve.SECP256K1]
"""Those whose extended public keys are kept."""


@dataclass
class Replica:
    """One more process on what a house keeps. It unlocks no seed for longer than it needs it."""

    house: House
    max_keys: int = 100
    keyring: Keyring = field(init=False)

    def __post_init__(self) -> None:
        house = self.house
        self.keyring = Keyring(house.store, house.encryption, max_seeds=0)
        self.address_keyring = AddressKeyring(house.address_keys, house.encryption)
        self.keys = AccountKeys(house.address_keys, self.keyring, self.address_keyring, max_keys=self.max_keys, watcher=house.watcher)

    async def public_key(self, wallet: Wallet, network: str = "eth", index: int = 0, variant: str = "") -> bytes:
        """Derive one public key."""
        async with self.keys.public_keys(wallet, CHAINS[network], variant) as public_key:
            return public_key(index)


def by_the_seed(network: str, variant: str, index: int, scheme: DerivationScheme) -> bytes:
    """Derive a public key of the known phrase as a signature's key is derived."""
    chain = CHAINS[network]
    path = DerivationPath.parse(chain.path(scheme, variant).format(index=index))
    with to_seed(parse(PHRASE)) as seed, derive(seed, path, chain.curve, scheme) as key:
        return key.public_key


@cache
def _thousand(curve: Curve, path: str) -> list[bytes]:
    """Derive the public keys of a path by the seed."""
    with to_seed(parse(PHRASE)) as seed:
        paths = [DerivationPath.parse(path.format(index=index)) for index in range(1_000)]
        return [derive(seed, each, curve, DerivationScheme.STANDARD).public_key for each in paths]


@pytest.fixture
def house() -> House:
    """A custody with its surroundings in memory."""
    return House()


@pytest.mark.parametrize(("network", "variant"), KINDS)
@pytest.mark.parametrize("scheme", DerivationScheme)
async def test_they_are_those_of_the_seed(house: House, network: str, variant: str, scheme: DerivationScheme) -> None:
    """Protects stored money: on every network, for each kind of address, when first derived and when read again."""
    wallet = await house.known_wallet(scheme)
    indexes = (0, 1, 7, MAX_INDEX)

    for _ in range(2):
        replica = Replica(house)
        for index in indexes:
            assert by_the_seed(network, variant, index, scheme) == await replica.public_key(wallet, network, index, variant)


@pytest.mark.parametrize(("network", "variant"), KINDS)
async def test_a_range_is_that_of_the_seed(house: House, network: str, variant: str) -> None:
    """Protects stored money: 1,000 addresses of every network and kind are those that signatures of their accounts are made for."""
    wallet, chain = await house.known_wallet(), CHAINS[network]

    addresses = await house.custody.address_range(Account(wallet.id, network, 0, variant), 1_000, CALLER)

    expected = [chain.address(key, wallet.scheme, variant) for key in _thousand(chain.curve, chain.path(wallet.scheme, variant))]
    assert [address.text for address in addresses] == expected


@pytest.mark.parametrize("network", ["eth", "evm:5000", "tron", "btc", "ltc", "doge"])
@pytest.mark.parametrize("scheme", DerivationScheme)
async def test_a_seed_is_unlocked_once_for_an_account(house: House, network: str, scheme: DerivationScheme) -> None:
    """Later replicas need the address key alone, and no mnemonic of a wallet."""
    wallet = await house.known_wallet(scheme)
    await house.custody.address(Account(wallet.id, network, 0), CALLER)
    house.encryption.decryptions = 0
    house.store.replace_ciphertext(wallet.id, "fake:v1:which must not be needed")
    house.cache.away = True

    addresses = await house.custody.address_range(Account(wallet.id, network, 0), 1000, CALLER)

    assert len({address.text for address in addresses}) == 1000
    assert house.encryption.decryptions == 0


@pytest.mark.parametrize("network", ["sol", "ton"])
async def test_ed25519_needs_the_seed(house: House, network: str) -> None:
    """SLIP-0010 has hardened children only: nothing is kept, and each replica decrypts the mnemonic."""
    wallet = await house.known_wallet()

    for _ in range(2):
        await Replica(house).public_key(wallet, network)

    assert house.encryption.decryptions == 2
    assert house.address_keys.account_keys == {}


async def test_networks_of_one_path_share_an_account_key(house: House) -> None:
    """The EVM ones, and each of the kinds of Bitcoin has its own."""
    wallet = await house.known_wallet()
    replica = Replica(house)

    for network, variant in PUBLIC:
        await replica.public_key(wallet, network, 0, variant)

    paths = {public_path(CHAINS[network].path(wallet.scheme, variant), Curve.SECP256K1) for network, variant in PUBLIC}
    assert len(replica.keys) == len(paths) == len(house.address_keys.account_keys)
    assert {(wallet.id, str(path.account)) for path in paths if path} == house.address_keys.account_keys.keys()


@pytest.mark.parametrize("damage", ["swapped wallet", "swapped path", "truncated", "nonsense", "former key"])
async def test_an_account_key_that_is_not_ours_is_not_used(house: House, damage: str) -> None:
    """It is told of, derived from the seed again, and replaced."""
    wallet, other = await house.known_wallet(), await house.custody.create_wallet("other", 12, CALLER)
    right = await Replica(house).public_key(wallet)
    await Replica(house).public_key(other)
    await Replica(house).public_key(wallet, "tron")
    rows, place = house.address_keys.account_keys, (wallet.id, "m/44'/60'/0'")
    good = rows[place]
    if damage == "former key":
        house.address_keys.keys.clear()
    else:
        rows[place] = {
            "swapped wallet": rows[other.id, place[1]],
            "swapped path": rows[wallet.id, "m/44'/195'/0'"],
            "truncated": good[:-4],
            "nonsense": "",
        }[damage]
    bad = rows[place]

    found = await Replica(house).public_key(wallet)

    assert right == found
    assert house.watcher.forged == {Source.ACCOUNT_KEYS: 1}
    assert house.watcher.wallets == {wallet.id}
    assert rows[place] not in {bad, good}
    assert right == await Replica(house).public_key(wallet)
    assert house.watcher.forged == {Source.ACCOUNT_KEYS: 1}


async def test_they_are_kept_in_a_bounded_number(house: House) -> None:
    """The one used last longest ago goes, and is read again when it is needed."""
    replica = Replica(house, max_keys=2)
    wallets = [await house.custody.create_wallet(f"w{number}", 12, CALLER) for number in range(3)]
    keys = [await replica.public_key(wallet) for wallet in wallets]
    house.address_keys.away = True

    await replica.public_key(wallets[1])
    assert len(replica.keys) == 2
    house.address_keys.away = False
    assert keys[0] == await replica.public_key(wallets[0])
    house.address_keys.away = True
    assert keys[1] == await replica.public_key(wallets[1])


async def test_a_lock_forgets_them(house: House) -> None:
    """What can be derived then is what is read and opened again."""
    house.max_seeds = 0
    wallet = await house.known_wallet()
    account = Account(wallet.id, "eth", 0)
    await house.custody.address(account, CALLER)
    assert len(house.custody.addresses.account_keys) == 1

    await house.custody.lock(CALLER)

    assert len(house.custody.addresses.account_keys) == 0
    house.encryption.decryptions = 0
    await house.custody.address_range(account, 2, CALLER)
    assert house.encryption.decryptions == 1  # the address key, which was forgotten as well


async def test_what_was_being_opened_when_all_was_forgotten_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves who asked before, and nobody after."""
    wallet = await house.known_wallet()
    await Replica(house).public_key(wallet)
    replica = Replica(house)
    original = house.address_keys.account_key

    async def forgotten_meanwhile(wallet_id: UUID, path: str) -> str | None:
        replica.keys.forget()
        return await original(wallet_id, path)

    monkeypatch.setattr(house.address_keys, "account_key", forgotten_meanwhile)

    await replica.public_key(wallet)

    assert len(replica.keys) == 0
