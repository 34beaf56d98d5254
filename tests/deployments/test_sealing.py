"""A sealed phrase is opened by a signer it is sealed to, for the request it is of, and by nobody else."""

import pickle

import pytest

from deployments.sealing import SealBrokenError, SealedPhrase, SealKey, seal
from wallets.secret import Phrase

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def test_each_signer_it_is_sealed_to_opens_it() -> None:
    """After the way through Ray's pickle, words and passphrase are what they were; the seal itself shows neither."""
    keys = [SealKey(), SealKey()]

    travelled = pickle.dumps(seal(Phrase.of(WORDS, "naïve"), [key.public for key in keys], "request-1"))

    assert b"legal" not in travelled
    for key in keys:
        phrase = key.open(pickle.loads(travelled), "request-1")  # noqa: S301  # nothing is unpickled but what this test has pickled
        assert phrase is not None
        assert phrase.parts() == (WORDS, "naïve")


def test_another_signer_says_that_it_is_not_sealed_to_it() -> None:
    """It then gives its public key, and the phrase is sealed anew."""
    sealed = seal(Phrase.of(WORDS, ""), [SealKey().public], "request-1")

    assert SealKey().open(sealed, "request-1") is None


def test_what_is_of_another_request_or_was_changed_is_refused() -> None:
    """No byte of a box can be changed, and it cannot be sent again for another request."""
    key = SealKey()
    (box,) = seal(Phrase.of(WORDS, ""), [key.public], "request-1").boxes.values()

    with pytest.raises(SealBrokenError):
        key.open(SealedPhrase({key.public: box}), "request-2")
    for place in range(len(box)):
        changed = box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :]
        with pytest.raises(SealBrokenError):
            key.open(SealedPhrase({key.public: changed}), "request-1")


def test_the_private_key_stays() -> None:
    """It cannot be pickled."""
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(SealKey())
