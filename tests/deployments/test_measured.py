"""What the metrics hear of the key backend and of addresses."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.memory import LruAddressCache
from api.observability import Metrics
from deployments.measured import AddressAlarm, MeasuredAddressCache, MeasuredKeyEncryption
from tests.fakes import FakeKeyEncryption
from wallets.address_watcher import Source
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import Account, EncryptedMnemonic
from wallets.secret import Mnemonic

WALLET_ID = UUID(int=1)


async def test_calls_are_counted_by_how_they_ended() -> None:
    """A batch is one call; a ciphertext that does not decrypt is no fault of the backend, one that is away is."""
    metrics, fake = Metrics(), FakeKeyEncryption()
    measured = MeasuredKeyEncryption(fake, metrics)
    (good,) = await measured.encrypt_many([(Mnemonic(b"x"), b"a")])

    await measured.decrypt_many([EncryptedMnemonic(good, b"a"), EncryptedMnemonic(good, b"b"), EncryptedMnemonic("x", b"a")])
    with pytest.raises(CorruptCiphertextError):
        await measured.decrypt(good, associated_data=b"b")
    fake.away = True
    with pytest.raises(KeyEncryptionUnavailableError):
        await measured.decrypt(good, associated_data=b"a")

    rendered = metrics.render().decode().splitlines()
    counts = [line for line in rendered if line.startswith("vault_operations_duration_seconds_count")]
    assert sorted(counts) == [
        'vault_operations_duration_seconds_count{operation="decrypt",status="error"} 1.0',
        'vault_operations_duration_seconds_count{operation="decrypt",status="ok"} 1.0',
        'vault_operations_duration_seconds_count{operation="decrypt",status="refused"} 1.0',
        'vault_operations_duration_seconds_count{operation="encrypt",status="ok"} 1.0',
    ]


def test_a_forgery_is_counted_and_logged() -> None:
    """With where it was and whose, and nothing of what was there."""
    metrics = Metrics()
    alarm = AddressAlarm(metrics)

    with capture_logs() as logged:
        alarm.address_forged(Source.SHARED, WALLET_ID)
        alarm.address_unsealed(WALLET_ID)

    assert logged == [{"event": "address_forged", "log_level": "error", "store": "redis", "wallet_id": str(WALLET_ID)}]
    text = metrics.render().decode()
    assert 'address_forgeries_total{store="redis"} 1.0' in text
    assert "addresses_without_seal_total 1.0" in text


async def test_lookups_of_the_own_cache_are_counted() -> None:
    """What it had, and what it had not."""
    metrics = Metrics()
    cache = MeasuredAddressCache(LruAddressCache(), metrics)
    account = Account(WALLET_ID, "eth", 0)

    await cache.get(account)
    await cache.put(account, "0xabc")
    await cache.get(account)

    text = metrics.render().decode()
    for result in ("hit", "miss"):
        assert f'address_cache_requests_total{{cache="memory",result="{result}"}} 1.0' in text
