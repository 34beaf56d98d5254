"""What the metrics hear of the key backend."""

import pytest

from api.observability import Metrics
from deployments.measured import MeasuredKeyEncryption
from tests.fakes import FakeKeyEncryption
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic


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
