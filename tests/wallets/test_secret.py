"""Secrets: nothing prints, pickles or copies them, and closing overwrites them."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from wallets.secret import Mnemonic, Phrase, PrivateKey, Secret, Seed

CONTENT = b"correct horse battery staple 123"
SECRETS: list[Callable[[], Secret]] = [
    lambda: Mnemonic(CONTENT),
    lambda: Seed(bytearray(CONTENT)),
    lambda: PrivateKey(CONTENT, b"public"),
]
every_type = pytest.mark.parametrize("make", SECRETS, ids=["Mnemonic", "Seed", "PrivateKey"])


@every_type
@pytest.mark.parametrize(
    "show", [repr, str, format, "{}".format, "{0!r:>9}".format, "{:>40}".format, "%s".__mod__, lambda secret: f"{secret}", ascii]
)
def test_no_way_of_printing_shows_it(make: Callable[[], Secret], show: Callable[[Any], str]) -> None:
    """`repr`, `str`, `format`, f-strings and `%` show the type's name and nothing of the content."""
    secret = make()

    text = show(secret)

    assert "redacted" in text
    assert type(secret).__name__ in text
    assert not any(part in text for part in ("correct", CONTENT.hex(), repr(CONTENT)))


@every_type
def test_it_is_redacted_inside_other_values(make: Callable[[], Secret]) -> None:
    """A list or a dictionary that holds one, and an exception made of it, do not show it either."""
    secret = make()

    assert "correct" not in repr([secret, {"key": secret}, ValueError(secret)])


@every_type
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(make: Callable[[], Secret], protocol: int) -> None:
    """Every protocol refuses, so it cannot cross a process's edge."""
    with pytest.raises(TypeError, match="must not be pickled"):
        pickle.dumps(make(), protocol)


@every_type
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_cannot_be_copied(make: Callable[[], Secret], duplicate: Callable[[Secret], Secret]) -> None:
    """A copy would outlive the closing of the first."""
    with pytest.raises(TypeError, match="must not be copied"):
        duplicate(make())


@every_type
def test_it_cannot_be_written_as_json_or_hashed(make: Callable[[], Secret]) -> None:
    """JSON does not know it, and it is no dictionary's key."""
    with pytest.raises(TypeError):
        json.dumps(make())
    with pytest.raises(TypeError, match="unhashable"):
        hash(make())


@every_type
def test_it_has_no_dictionary(make: Callable[[], Secret]) -> None:
    """`vars` finds nothing, and nothing can be put beside the secret."""
    with pytest.raises(TypeError):
        vars(make())


@every_type
def test_closing_overwrites_the_buffer(make: Callable[[], Secret]) -> None:
    """After `close` the bytes are gone from the buffer, `reveal` raises, and closing again does nothing."""
    secret = make()
    buffer = secret._buffer

    secret.close()
    secret.close()

    assert bytes(len(CONTENT)) == bytes(buffer)
    with pytest.raises(ValueError, match="closed"):
        secret.reveal()


@every_type
def test_leaving_the_block_closes_it(make: Callable[[], Secret]) -> None:
    """As a context manager it is open inside the block and closed behind it, also when the block raises."""
    secret = make()

    def use() -> None:
        with secret as inside:
            assert inside.reveal() == CONTENT
            raise KeyError

    with pytest.raises(KeyError):
        use()

    with pytest.raises(ValueError, match="closed"):
        secret.reveal()


def test_the_callers_buffer_is_not_shared() -> None:
    """A secret keeps its own copy, so that clearing the caller's buffer does not change it."""
    buffer = bytearray(CONTENT)

    secret = Seed(buffer)
    buffer[:] = bytes(len(buffer))

    assert secret.reveal() == CONTENT


def test_secrets_are_equal_by_type_and_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal content of equal type is equal, compared in constant time; other types are never equal."""
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr("hmac.compare_digest", compare)

    assert Seed(CONTENT) == Seed(CONTENT)
    assert Seed(CONTENT) != Seed(CONTENT[:-1] + b"x")
    assert Seed(CONTENT) != Mnemonic(CONTENT)
    assert Seed(CONTENT) != CONTENT

    assert len(compared) == 2


def test_a_private_key_carries_its_public_key() -> None:
    """The public key may be read without revealing anything."""
    assert PrivateKey(CONTENT, b"public").public_key == b"public"


@pytest.mark.parametrize(("words", "passphrase"), [("a b", ""), ("", ""), ("3:a", "b:c"), ("é", "\ud800"), ("a\0", "\n")])
def test_a_phrase_gives_its_parts_back(words: str, passphrase: str) -> None:
    """Whatever the text is, it is split where it was joined."""
    assert Phrase.of(words, passphrase).parts() == (words, passphrase)
