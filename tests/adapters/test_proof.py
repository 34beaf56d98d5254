"""The proof that what is stored still opens: wallets of a real PostgreSQL, decrypted and derived again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters import kept_wallets
from adapters.database import PostgresDatabase
from adapters.kept_wallets import open_kept_wallets
from adapters.postgres import PostgresWalletStore
from adapters.postgres_addresses import PostgresAddressBook, PostgresAddressKeys
from tests.adapters.conftest import NOWHERE, new_event
from tests.fakes import FakeKeyEncryption
from tests.known_phrase import PHRASE
from tests.postgres_probes import query
from tests.v1_house import address
from wallets.chains import CHAINS
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import KeyEncryptionUnavailableError, StoreUnavailableError
from wallets.keyring import associated_data
from wallets.mnemonic import parse, to_seed
from wallets.model import Account, EncryptedAddressKey, SealedAddress, Wallet
from wallets.proof import Difference, Proof, prove

AT = datetime(2026, 11, 24, tzinfo=UTC)


class House:
    """A database with wallets of one phrase, and what decrypts them."""

    def __init__(self, database: PostgresDatabase, url: str) -> None:
        self.database = database
        self.url = url
        self.encryption = FakeKeyEncryption()
        self.reports: list[tuple[UUID, Difference | None]] = []

    async def add(self, scheme: DerivationScheme = DerivationScheme.STANDARD, indexes: Sequence[int] = (0,)) -> Wallet:
        """Keep a wallet with addresses on every network."""
        wallet = Wallet(uuid4(), "kept", scheme, AT)
        ciphertext = await self.encryption.encrypt(parse(PHRASE), associated_data=associated_data(wallet))
        await PostgresWalletStore(self.database).add(wallet, ciphertext, new_event(wallet.id))
        for chain in CHAINS.values():
            for index in indexes:
                path = DerivationPath.parse(chain.path(scheme).format(index=index))
                key = derive(to_seed(parse(PHRASE)), path, chain.curve, scheme)
                account = Account(wallet.id, chain.network, index)
                address = SealedAddress(chain.address(key.public_key, scheme))
                await PostgresAddressBook(self.database).add_all([(account, address, new_event(wallet.id))])
        return wallet

    async def prove(self, sample: int | None = None, most: int | None = None) -> Proof:
        """Prove, and keep what is reported."""
        self.reports.clear()
        async with open_kept_wallets(self.database) as kept:
            return await prove(
                kept, self.encryption, sample=sample, most_addresses=most, report=lambda *report: self.reports.append(report)
            )

    async def change(self, statement: str, *arguments: object) -> None:
        """Change the database behind everybody's back."""
        await query(self.url, statement, *arguments)


@pytest.fixture
def house(database: PostgresDatabase, database_url: str) -> House:
    """An empty database."""
    return House(database, database_url)


async def test_wallets_of_both_schemes_are_proven(house: House) -> None:
    """Every wallet decrypts, and every address is derived again."""
    await house.add(DerivationScheme.STANDARD, (0, 5))
    await house.add(DerivationScheme.V1_0_8, (0, 2**31 - 1))

    proof = await house.prove()

    assert proof == Proof(wallets=2, addresses=4 * len(CHAINS))
    assert proof.holds
    assert house.reports == []


async def test_an_address_of_another_account_is_found(house: House) -> None:
    """Whoever exchanged an address in the database is found, on any network."""
    wallet = await house.add()
    await house.change("UPDATE derived_addresses SET address = 'x' || address WHERE network IN ('eth', 'ton')")

    proof = await house.prove()

    assert not proof.holds
    assert proof == Proof(wallets=1, addresses=len(CHAINS), differing=2)
    assert {(wallet.id, "eth"), (wallet.id, "ton")} == {(wallet_id, report.stored.network) for wallet_id, report in house.reports if report}


async def test_the_scheme_decides(house: House) -> None:
    """A wallet whose scheme was changed does not decrypt: the ciphertext is bound to it."""
    wallet = await house.add()
    await house.change("UPDATE master_wallets SET scheme = 'v1_0_8'")

    proof = await house.prove()

    assert proof == Proof(unreadable=1)
    assert house.reports == [(wallet.id, None)]


async def test_networks_that_are_gone_differ(house: House) -> None:
    """An address on a network that this version does not know is not passed over."""
    wallet = await house.add()
    await house.change("INSERT INTO derived_addresses VALUES (DEFAULT, $1, 'mars', 0, 'D', now())", wallet.id)

    proof = await house.prove()

    assert proof.differing == 1
    assert [report.derived for _, report in house.reports if report] == [None]


async def test_an_address_key_that_does_not_decrypt_is_found(house: House) -> None:
    """Without it every address would be derived again and told of as forged."""
    key = EncryptedAddressKey(1, "")
    with parse(PHRASE) as phrase:
        ciphertext = await house.encryption.encrypt(phrase, associated_data=key.associated_data)
    await PostgresAddressKeys(house.database).add_address_key(replace(key, ciphertext=ciphertext), AT)
    before = await house.prove()
    await house.change("UPDATE address_keys SET number = 2")

    after = await house.prove()

    assert (before, before.holds) == (Proof(), True)
    assert (after, after.holds) == (Proof(is_address_key_lost=True), False)


async def test_a_sample_is_as_large_as_asked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many wallets, so many addresses of each; and read in batches, none is lost."""
    monkeypatch.setattr(kept_wallets, "WALLETS_AT_ONCE", 2)
    monkeypatch.setattr(kept_wallets, "ADDRESSES_AT_ONCE", 3)
    for _ in range(5):
        await house.add()

    assert await house.prove(sample=3, most=4) == Proof(wallets=3, addresses=12)
    assert await house.prove(sample=100, most=100) == await house.prove() == Proof(wallets=5, addresses=5 * len(CHAINS))


async def test_a_key_backend_that_is_away_is_no_difference(house: House) -> None:
    """Nothing is said of wallets that could not be asked."""
    await house.add()
    house.encryption.away = True

    with pytest.raises(KeyEncryptionUnavailableError):
        await house.prove()

    assert house.reports == []


async def test_a_database_that_is_away_is_said() -> None:
    """In an error of ours."""
    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=1) as database:
        with pytest.raises(StoreUnavailableError):
            await House(database, NOWHERE).prove()


def test_other_libraries_agree_on_the_old_scheme() -> None:
    """What this test derives with ours, others derive as well."""
    chain = CHAINS["sol"]
    path = DerivationPath.parse(chain.path(DerivationScheme.V1_0_8).format(index=3))

    key = derive(to_seed(parse(PHRASE)), path, chain.curve, DerivationScheme.V1_0_8)

    assert address(PHRASE, "sol", 3) == chain.address(key.public_key, DerivationScheme.V1_0_8)
