"""The contract of `wallets.ports.CiphertextStore`, on the fake and on PostgreSQL."""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from tests.adapters.conftest import Storage, new_event, new_wallet
from wallets.errors import StoreUnavailableError
from wallets.model import AuditAction, AuditEvent, EncryptedWallet, KeyVersion, Replacement

V1, V2 = KeyVersion("vault", 1), KeyVersion("vault", 2)


async def _kept(storage: Storage, *ciphertexts: str) -> Sequence[EncryptedWallet]:
    """Keep a wallet for each ciphertext, and return them in the order of their ids."""
    kept = []
    for ciphertext in ciphertexts:
        wallet = new_wallet()
        await storage.store.add(wallet, ciphertext, new_event(wallet.id))
        kept.append(EncryptedWallet(wallet, ciphertext))
    return sorted(kept, key=lambda each: each.wallet.id)


def _audited(made: list[AuditEvent] | None = None) -> Callable[[int], AuditEvent]:
    def audited(count: int) -> AuditEvent:
        event = new_event(action=AuditAction.KEYS_REWRAP, wallets=count)
        if made is not None:
            made.append(event)
        return event

    return audited


async def test_wallets_are_counted_by_the_key_they_are_under(storage: Storage) -> None:
    """By backend and version; those that name none together."""
    await _kept(storage, "vault:v1:a", "vault:v1:b", "vault:v12:c", "local:v1:d", "x", "vault:v0:e", "vault:v01:f")

    counted = await storage.ciphertexts.count()

    assert {V1: 2, KeyVersion("vault", 12): 1, KeyVersion("local", 1): 1, None: 3} == dict(counted)


async def test_nothing_is_counted_where_nothing_is_kept(storage: Storage) -> None:
    """There is no key version without wallets."""
    assert dict(await storage.ciphertexts.count()) == {}


async def test_wallets_of_a_key_come_in_pages(storage: Storage) -> None:
    """Each exactly once, with its ciphertext, in the order of ids; none of another key."""
    kept = await _kept(storage, *(f"vault:v1:{number}" for number in range(5)))
    await _kept(storage, "vault:v2:x", "vault:v11:y", "z")

    first = await storage.ciphertexts.under(V1, after=None, size=3)
    second = await storage.ciphertexts.under(V1, after=first[-1].wallet.id, size=3)
    third = await storage.ciphertexts.under(V1, after=second[-1].wallet.id, size=3)

    assert [*first, *second] == list(kept)
    assert list(third) == []


async def test_wallets_without_a_key_are_found_as_well(storage: Storage) -> None:
    """So that who renews can say what is wrong with them."""
    (kept,) = await _kept(storage, "nonsense")

    assert list(await storage.ciphertexts.under(None, after=None, size=10)) == [kept]


async def test_a_ciphertext_is_replaced_with_its_audit_row(storage: Storage) -> None:
    """The row says how many there were."""
    kept = await _kept(storage, "vault:v1:a", "vault:v1:b")
    replacements = [Replacement(each.wallet.id, each.ciphertext, f"vault:v2:{each.ciphertext[-1]}") for each in kept]
    made: list[AuditEvent] = []

    count = await storage.ciphertexts.replace(replacements, _audited(made))

    assert count == 2
    assert [event.details for event in made] == [{"wallets": 2}]
    assert list(await storage.events())[2:] == made
    assert dict(await storage.ciphertexts.count()) == {V2: 2}
    assert [await storage.store.encrypted_mnemonic(each.wallet_id) for each in replacements] == [each.new for each in replacements]


async def test_only_the_ciphertext_that_was_read_is_replaced(storage: Storage) -> None:
    """One that has changed since, and a wallet that is gone, stay as they are; the others are replaced."""
    ours, theirs = await _kept(storage, "vault:v1:a", "vault:v1:b")
    replacements = [
        Replacement(ours.wallet.id, ours.ciphertext, "vault:v2:a"),
        Replacement(theirs.wallet.id, "vault:v1:stale", "vault:v2:b"),
        Replacement(uuid4(), "vault:v1:c", "vault:v2:c"),
    ]

    count = await storage.ciphertexts.replace(replacements, _audited())

    assert count == 1
    assert await storage.store.encrypted_mnemonic(ours.wallet.id) == "vault:v2:a"
    assert await storage.store.encrypted_mnemonic(theirs.wallet.id) == theirs.ciphertext


async def test_where_nothing_is_replaced_no_row_is_written(storage: Storage) -> None:
    """The audit tells of what happened alone."""
    (kept,) = await _kept(storage, "vault:v1:a")

    count = await storage.ciphertexts.replace([Replacement(kept.wallet.id, "vault:v1:stale", "vault:v2:a")], _audited())

    assert count == 0
    assert len(await storage.events()) == 1


async def test_no_audit_no_change(storage: Storage) -> None:
    """Where the row cannot be written the ciphertext stays."""
    (kept,) = await _kept(storage, "vault:v1:a")

    def unwritable(_count: int) -> AuditEvent:
        return new_event(action=AuditAction.KEYS_REWRAP, wallets=float("nan"))

    with pytest.raises(ValueError, match="JSON"):
        await storage.ciphertexts.replace([Replacement(kept.wallet.id, kept.ciphertext, "vault:v2:a")], unwritable)

    assert await storage.store.encrypted_mnemonic(kept.wallet.id) == kept.ciphertext
    assert len(await storage.events()) == 1


async def test_two_that_replace_the_same_replace_it_once(storage: Storage) -> None:
    """In whichever order they name the wallets, both end, and each wallet has one of the two new ciphertexts."""
    kept = await _kept(storage, *(f"vault:v1:{number}" for number in range(50)))
    first = [Replacement(each.wallet.id, each.ciphertext, f"vault:v2:first-{each.wallet.id}") for each in kept]
    second = [Replacement(each.wallet.id, each.ciphertext, f"vault:v2:second-{each.wallet.id}") for each in reversed(kept)]

    counts = await asyncio.gather(*(storage.ciphertexts.replace(each, _audited()) for each in (first, second)))

    assert sorted(counts) == [0, 50]
    assert dict(await storage.ciphertexts.count()) == {V2: 50}


async def test_a_store_that_is_away_says_so_in_time(storage_away: Storage) -> None:
    """Every call, with the port's error."""
    start = time.monotonic()

    for call in (
        storage_away.ciphertexts.count(),
        storage_away.ciphertexts.under(V1, after=None, size=1),
        storage_away.ciphertexts.replace([Replacement(uuid4(), "a", "b")], _audited()),
    ):
        with pytest.raises(StoreUnavailableError):
            await call

    assert time.monotonic() - start < 10
