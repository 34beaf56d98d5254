"""Secrets: nothing prints, pickles or copies them, and closing overwrites them."""

import copy
import gc
import json
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import Any

import orjson
import pytest

from wallets.secret import ExtendedPublicKey, Mnemonic, Phrase, PrivateKey, Secret, Seed, SymmetricKey

CONTENT = b"correct horse battery staple 123"
SECRETS: list[Callable[[], Secret]] = [
    lambda: Phrase(CONTENT),
    lambda: Mnemonic(CONTENT),
    lambda: Seed(bytearray(CONTENT)),
    lambda: PrivateKey(CONTENT, b"public"),
    lambda: ExtendedPublicKey(CONTENT),
    lambda: SymmetricKey(CONTENT),
]
every_type = pytest.mark.parametrize("make", SECRETS, ids=["Phrase", "Mnemonic", "Seed", "PrivateKey", "ExtendedPublicKey", "SymmetricKey"])


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
@pytest.mark.parametrize("hook", ["__reduce__", "__getstate__"])
def test_its_state_cannot_be_asked_for(make: Callable[[], Secret], hook: str) -> None:
    """What pickling asks for is refused to whoever asks directly; since Python 3.11 every object would give its slots away."""
    with pytest.raises(TypeError, match="must not be pickled"):
        getattr(make(), hook)()


@every_type
def test_a_dataclass_that_holds_it_does_not_give_it_away(make: Callable[[], Secret]) -> None:
    """`asdict` and `astuple` refuse, and the representation is redacted."""

    @dataclass
    class Holder:
        secret: Secret

    for convert in (asdict, astuple):
        with pytest.raises(TypeError, match="must not be copied"):
            convert(Holder(make()))
    assert "correct" not in repr(Holder(make()))


@every_type
def test_a_traceback_with_local_variables_does_not_show_it(make: Callable[[], Secret]) -> None:
    """A crash report that shows the variables of each frame shows the type's name."""

    def fail(secret: Secret) -> None:
        with secret.revealed() as view:
            raise KeyError(secret, view)

    with pytest.raises(KeyError) as caught:
        fail(make())
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())

    assert "redacted" in report
    assert "secret = <" in report
    assert not any(part in report for part in ("correct", CONTENT.hex(), repr(CONTENT), str(CONTENT)))


@every_type
@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview, list, len, json.dumps, orjson.dumps, pprint.pformat])
def test_nothing_takes_it_for_bytes(make: Callable[[], Secret], convert: Callable[[Any], Any]) -> None:
    """No conversion reaches the content: each refuses, or shows the redacted text."""
    try:
        converted = convert(make())
    except TypeError:
        return

    assert "redacted" in converted


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
def test_a_secret_that_nobody_closes_is_overwritten_when_it_goes(make: Callable[[], Secret]) -> None:
    """The last reference takes the content with it."""
    secret = make()
    buffer = secret._buffer

    del secret

    assert bytes(len(CONTENT)) == bytes(buffer)


def test_a_secret_that_cannot_be_made_leaves_no_trouble_behind() -> None:
    """A constructor that fails is the caller's error alone (warnings are errors here)."""
    with pytest.raises(TypeError):
        Seed("text")  # type: ignore[arg-type]  # what is to be refused
    gc.collect()


@every_type
def test_a_view_shows_it_without_a_copy_and_ends_with_its_block(make: Callable[[], Secret]) -> None:
    """Inside the block the view is the buffer and cannot be written to; behind it, it cannot be read; a closed secret gives none."""
    with make() as secret:
        with secret.revealed() as view:
            assert view == CONTENT
            assert view.obj is secret._buffer
            assert view.readonly
        with pytest.raises(ValueError, match="released"):
            bytes(view)
    with pytest.raises(ValueError, match="closed"), secret.revealed():
        pass


def test_a_view_keeps_its_secret() -> None:
    """A secret that nothing else refers to lives as long as its view: it must not read zeros, which would be a wrong key."""
    with Seed(CONTENT).revealed() as view:
        gc.collect()

        assert view == CONTENT


@pytest.mark.parametrize(
    ("content", "parts"),
    [(b"a b c", (b"a b c", b"")), (b"a b c\nd e", (b"a b c", b"d e")), (b"a b c\nd\ne", (b"a b c", b"d\ne")), (b"a\n", (b"a", b""))],
)
def test_a_mnemonic_gives_its_parts(content: bytes, parts: tuple[bytes, bytes]) -> None:
    """The phrase is what stands before the first newline, the passphrase what comes after it, and the views end with their block."""
    with Mnemonic(content).revealed_parts() as views:
        assert parts == tuple(map(bytes, views))
    for view in views:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


def test_a_lent_key_is_another() -> None:
    """Closing the one leaves the other alone."""
    key = PrivateKey(CONTENT, b"public")

    lent = key.lend()
    key.close()

    assert (lent.reveal(), lent.public_key) == (CONTENT, b"public")
    with pytest.raises(ValueError, match="closed"):
        key.lend()


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
