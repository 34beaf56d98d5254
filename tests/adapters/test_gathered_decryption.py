"""Decryptions at the same time are made in one call."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.key_backends import GatheredDecryption
from tests.fakes import FakeKeyEncryption
from tests.known_phrase import ANOTHER_PHRASE, PHRASE
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic


class Backend(FakeKeyEncryption):
    """Remembers the size of each batch and what it has decrypted; while `gate` is clear, a batch waits."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.decrypted: list[Mnemonic] = []

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        self.batches.append(len(items))
        await self.gate.wait()
        answers = await super().decrypt_many(items)
        self.decrypted += [answer for answer in answers if isinstance(answer, Mnemonic)]
        return answers


@pytest.fixture
def backend() -> Backend:
    """A backend that answers."""
    return Backend()


async def test_many_wallets_that_miss_together_are_one_call(backend: Backend) -> None:
    """The first goes at once, those that come while it is under way go together, each with its own answer."""
    gathered = GatheredDecryption(backend)
    phrases = [PHRASE.encode(), ANOTHER_PHRASE.encode()] * 10
    ciphertexts = [await backend.encrypt(Mnemonic(phrase), associated_data=b"a") for phrase in phrases]

    answers = await asyncio.gather(*(gathered.decrypt(ciphertext, associated_data=b"a") for ciphertext in ciphertexts))

    assert [answer.reveal() for answer in answers] == phrases
    assert sum(backend.batches) == 20
    assert len(backend.batches) <= 2


async def test_one_that_is_corrupt_is_nobody_elses_trouble(backend: Backend) -> None:
    """The others in its call have their phrases."""
    gathered = GatheredDecryption(backend)
    ciphertext = await backend.encrypt(Mnemonic(PHRASE.encode()), associated_data=b"a")

    good, bad = await asyncio.gather(
        gathered.decrypt(ciphertext, associated_data=b"a"), gathered.decrypt(ciphertext, associated_data=b"b"), return_exceptions=True
    )

    assert good == Mnemonic(PHRASE.encode())
    assert isinstance(bad, CorruptCiphertextError)


async def test_waiting_for_a_call_of_others_counts_as_waiting(backend: Backend) -> None:
    """With a backend that hangs, whoever asks second is told so as well, and does not wait for ever."""
    gathered = GatheredDecryption(backend, deadline_seconds=0.2)
    backend.gate.clear()

    first, second = await asyncio.gather(
        gathered.decrypt("fake:v1:x", associated_data=b"a"), gathered.decrypt("fake:v1:y", associated_data=b"a"), return_exceptions=True
    )

    assert isinstance(first, KeyEncryptionUnavailableError)
    assert isinstance(second, KeyEncryptionUnavailableError)


async def test_a_phrase_that_nobody_waits_for_is_closed(backend: Backend) -> None:
    """Whoever asked went away: what comes for them is forgotten at once."""
    gathered = GatheredDecryption(backend)
    ciphertext = await backend.encrypt(Mnemonic(PHRASE.encode()), associated_data=b"a")
    backend.gate.clear()
    leaver = asyncio.create_task(gathered.decrypt(ciphertext, associated_data=b"a"))
    while not backend.batches:
        await asyncio.sleep(0)

    leaver.cancel()
    backend.gate.set()
    stayer = await gathered.decrypt(ciphertext, associated_data=b"a")

    assert stayer.reveal() == PHRASE.encode()
    with pytest.raises(ValueError, match="closed"):
        backend.decrypted[0].reveal()
