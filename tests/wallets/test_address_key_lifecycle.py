"""The key that authenticates addresses is renewed with those of wallets."""

import pytest

from tests.wallets.lifecycle_house import Office, every_step
from wallets.errors import ConflictError
from wallets.key_lifecycle import Progress
from wallets.model import AuditStatus, EncryptedAddressKey


@pytest.fixture
def office() -> Office:
    """An operator with nothing kept yet."""
    return Office()


async def test_rewrapping_brings_the_address_key_along(office: Office) -> None:
    """First of all, with an audit row of its own; it seals as before."""
    sealed = await office.seal(office.vault)
    await office.keep(office.vault, 1)
    await office.vault.rotate()

    assert [Progress(1), Progress(1, 1)] == await every_step(office.keys.rewrap(office.vault))

    assert office.journal.events[0].details == {"address_key": 1, "from": "vault:v1", "to": "vault:v2"}
    await office.keys.retire(office.vault, 2)
    assert sealed == await office.seal(office.vault)
    assert [Progress(0)] == await every_step(office.keys.rewrap(office.vault))


async def test_the_address_key_moves_with_the_wallets(office: Office) -> None:
    """To the other backend, where it seals as before."""
    sealed = await office.seal(office.vault)

    await every_step(office.keys.migrate(office.both, office.local, "local"))

    assert sealed == await office.seal(office.local)


async def test_a_version_that_the_address_key_is_under_is_not_retired(office: Office) -> None:
    """Though no wallet is."""
    await office.seal(office.vault)
    await office.vault.rotate()

    with pytest.raises(ConflictError, match="the address key is under vault:v1"):
        await office.keys.retire(office.vault, 2)


async def test_an_address_key_that_does_not_decrypt_does_not_hinder_wallets(office: Office) -> None:
    """It stays as it is, and is told of and audited."""
    await office.seal(office.vault)
    await office.keep(office.vault, 1)
    await office.vault.rotate()
    (row,) = office.store.rows()
    damaged = EncryptedAddressKey(1, row.ciphertext)
    office.ciphertexts.address_keys.keys[1] = damaged

    steps = await every_step(office.keys.rewrap(office.vault))

    assert steps[-1] == Progress(1, 1, is_address_key_lost=True)
    assert damaged == await office.ciphertexts.address_key()
    event = office.journal.events[0]
    assert (event.status, event.details["address_key"], event.details["from"]) == (AuditStatus.FAILED, 1, "vault:v1")
