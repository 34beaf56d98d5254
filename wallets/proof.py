"""Prove that stored addresses are those that a wallet's seed derives: nobody may be sent to an address whose key we do not have."""

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from wallets.chains import chain_for, find_chain
from wallets.derivation import MAX_INDEX, DerivationPath, DerivationScheme, derive
from wallets.errors import CorruptCiphertextError, InvalidRequestError
from wallets.keyring import associated_data
from wallets.mnemonic import to_seed
from wallets.model import EncryptedAddressKey, EncryptedMnemonic, EncryptedWallet, Wallet
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic, Seed


@dataclass(frozen=True, slots=True)
class StoredAddress:
    """An address as a database keeps it, checked by nobody: network or variant may be unknown and the index outside of 0..2^31-1."""

    network: str
    index: int
    text: str
    created_at: datetime
    variant: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """Which account of its wallet it is said to be."""
        return self.network, self.index


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored address that is not what its wallet derives. `derived` is None where the account cannot exist."""

    wallet_id: UUID
    stored: StoredAddress
    derived: str | None

    @property
    def is_spelling(self) -> bool:
        """Whether both name the same account, in different letters (an Ethereum address without the capitals of EIP-55, say)."""
        return self.derived is not None and self.derived in chain_for(self.stored.network).normalize(self.stored.text)


def differences(
    wallet_id: UUID, seed: Seed, scheme: DerivationScheme, stored: Iterable[StoredAddress], networks: Container[str] | None = None
) -> Iterator[Difference]:
    """Derive every account again, about 0.3 ms each, and yield what differs.

    Accounts on unknown networks cannot exist, nor on those outside of `networks`, if that is given.
    """
    for address in stored:
        derived = _derived(seed, scheme, address) if networks is None or address.network in networks else None
        if derived != address.text:
            yield Difference(wallet_id, address, derived)


def _derived(seed: Seed, scheme: DerivationScheme, address: StoredAddress) -> str | None:
    if not 0 <= address.index <= MAX_INDEX:
        return None
    chain = find_chain(address.network)
    if chain is None:
        return None
    if address.variant and address.variant not in chain.variants[1:]:
        return None
    try:
        path = DerivationPath.parse(chain.path(scheme, address.variant).format(index=address.index))
        with derive(seed, path, chain.curve, scheme) as key:
            return chain.address(key.public_key, scheme, address.variant)
    except InvalidRequestError:  # one index in 2^127 has no key
        return None


class KeptWallets(Protocol):
    """Read wallets with what is needed to prove them. Every method raises `StoreUnavailableError` when the store is away."""

    async def address_key(self) -> EncryptedAddressKey | None:
        """Read the key that authenticates addresses; None where none was made yet."""
        ...

    def wallets(self, sample: int | None) -> AsyncIterator[Sequence[EncryptedWallet]]:
        """Read `sample` wallets chosen at random, or all, a hundred or so at a time."""
        ...

    def addresses(self, wallet_id: UUID, most: int | None) -> AsyncIterator[Sequence[StoredAddress]]:
        """Read `most` of a wallet's addresses, or all, a thousand or so at a time, while `wallets` is being read."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """How many wallets decrypted, how many addresses were derived again, and how much of either was not as it should be.

    `is_address_key_lost` says that the key which authenticates addresses (`wallets.seals`) does not decrypt.
    """

    wallets: int = 0
    addresses: int = 0
    unreadable: int = 0
    differing: int = 0
    is_address_key_lost: bool = False

    @property
    def holds(self) -> bool:
        """Whether all of it is as it should be."""
        return not (self.unreadable or self.differing or self.is_address_key_lost)


async def prove(
    kept: KeptWallets,
    encryption: KeyEncryption,
    *,
    sample: int | None,
    most_addresses: int | None,
    report: Callable[[UUID, Difference | None], None],
    progress: Callable[[Proof], None] = lambda _: None,
) -> Proof:
    """Decrypt wallets and derive their addresses again; decrypt the address key as well.

    Args:
        kept: Where they are.
        encryption: Decrypts them.
        sample: How many wallets, at random; None for all.
        most_addresses: How many addresses of each; None for all.
        report: Called with each address that differs, and with None for each wallet that does not decrypt.
        progress: Called after each wallet.

    Raises:
        KeyEncryptionUnavailableError: The key backend is away.
        StoreUnavailableError: The database is away.
    """
    proof = Proof(is_address_key_lost=not await _opens(await kept.address_key(), encryption))
    async for wallets in kept.wallets(sample):
        items = [EncryptedMnemonic(each.ciphertext, associated_data(each.wallet)) for each in wallets]
        with ExitStack() as secrets:
            phrases = await encryption.decrypt_many(items)
            for phrase in phrases:
                if isinstance(phrase, Mnemonic):
                    secrets.enter_context(phrase)
            for each, phrase in zip(wallets, phrases, strict=True):
                if isinstance(phrase, CorruptCiphertextError):
                    report(each.wallet.id, None)
                    proof = replace(proof, unreadable=proof.unreadable + 1)
                else:
                    proof = await _proved(proof, each.wallet, phrase, kept.addresses(each.wallet.id, most_addresses), report)
                progress(proof)
    return proof


async def _opens(key: EncryptedAddressKey | None, encryption: KeyEncryption) -> bool:
    """Tell whether the address key decrypts, if there is one."""
    if key is None:
        return True
    (phrase,) = await encryption.decrypt_many([EncryptedMnemonic(key.ciphertext, key.associated_data)])
    if isinstance(phrase, CorruptCiphertextError):
        return False
    phrase.close()
    return True


async def _proved(
    proof: Proof,
    wallet: Wallet,
    phrase: Mnemonic,
    stored: AsyncIterator[Sequence[StoredAddress]],
    report: Callable[[UUID, Difference | None], None],
) -> Proof:
    count = differing = 0
    with await asyncio.to_thread(to_seed, phrase) as seed:
        async for addresses in stored:
            count += len(addresses)
            for difference in await asyncio.to_thread(lambda batch: list(differences(wallet.id, seed, wallet.scheme, batch)), addresses):
                report(wallet.id, difference)
                differing += 1
    return replace(proof, wallets=proof.wallets + 1, addresses=proof.addresses + count, differing=proof.differing + differing)
