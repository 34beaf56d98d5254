"""Hold secrets in types that cannot be printed, pickled or copied.

`reveal()` and `revealed()` are the only ways out, and greppable. `close()` overwrites the buffer, as does the last reference that
goes. What Python cannot do, so that nobody relies on it:

- `bytes`, `str` and `int` cannot be overwritten. Whatever a library gives or wants as one of these (the phrase out of JSON, the seed out of
  hashlib, each HMAC on the way to a key, keys as the curve libraries take them) stays in freed memory until it is used again.
- The interpreter hides nothing from code that runs in it: `gc`, a debugger, and frames that an exception keeps can reach any buffer.

So we bound how long a secret lives and who can read the process (`deployments.hardening`); we do not claim to wipe memory.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Self, final


class Secret:
    """Keep bytes that must not leave this process."""

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray | memoryview) -> None:
        self._buffer = bytearray(value)

    def reveal(self) -> bytes:
        """Return a copy that cannot be overwritten. Use inside the expression that needs it; never bind it to a name that outlives it.

        Raises:
            ValueError: The secret has been closed.
        """
        return bytes(self._opened())

    def revealed(self) -> "Revealed":
        """Lend a read-only view for a `with` block, for whatever takes a buffer: no copy is made, and behind it the view is of no use.

        Raises:
            ValueError: The secret has been closed.
        """
        return Revealed(self, self._opened())

    def close(self) -> None:
        """Overwrite and forget the bytes. Closing twice does nothing."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer = bytearray()

    def __del__(self) -> None:
        if hasattr(self, "_buffer"):  # not where the constructor failed
            self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: redacted>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # a secret as a dictionary key would outlive its use

    def __copy__(self) -> NoReturn:
        self._refuse("copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse("copied")

    def __reduce__(self) -> NoReturn:
        self._refuse("pickled")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self._refuse("pickled")

    def __getstate__(self) -> NoReturn:
        # What object has of it since Python 3.11 would give the buffer away.
        self._refuse("pickled")

    def _opened(self) -> bytearray:
        if not self._buffer:
            msg = "this secret has been closed"
            raise ValueError(msg)
        return self._buffer

    def _refuse(self, verb: str) -> NoReturn:
        msg = f"a {type(self).__name__} must not be {verb}"
        raise TypeError(msg)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class Revealed:
    """A view that is lent for a `with` block. It keeps its secret, which would be overwritten if nothing else referred to it."""

    __slots__ = ("_secret", "_view")

    def __init__(self, secret: Secret, buffer: bytearray) -> None:
        self._secret = secret
        self._view = memoryview(buffer).toreadonly()

    def __enter__(self) -> memoryview:
        return self._view

    def __exit__(self, *_: object) -> None:
        self._view.release()


@final
class Phrase(Secret):
    """A phrase and its passphrase as somebody gave them, not checked yet."""

    __slots__ = ()

    @classmethod
    def of(cls, words: str, passphrase: str) -> Self:
        """Hold both. Whatever the text, `parts` gives it back."""
        return cls(f"{len(words)}:{words}{passphrase}".encode(errors="surrogatepass"))

    def parts(self) -> tuple[str, str]:
        """Return the words and the passphrase."""
        length, _, text = self.reveal().decode(errors="surrogatepass").partition(":")
        return text[: int(length)], text[int(length) :]


@final
class Mnemonic(Secret):
    """A BIP-39 phrase, and its passphrase if it has one, as UTF-8: the phrase alone, or phrase, newline, passphrase.

    The phrase alone is byte for byte what 1.0.8 stored, so its ciphertexts decrypt to this type.
    """

    __slots__ = ()

    @contextmanager
    def revealed_parts(self) -> Iterator[tuple[memoryview, memoryview]]:
        """Lend views of the phrase and of its passphrase, as `revealed` does; the passphrase is empty if there is none.

        Raises:
            ValueError: The mnemonic has been closed.
        """
        with self.revealed() as view:
            newline = self._buffer.find(b"\n")
            end = len(view) if newline < 0 else newline
            with view[:end] as phrase, view[end + 1 :] as passphrase:
                yield phrase, passphrase


@final
class Seed(Secret):
    """64 bytes that a mnemonic stretches to (BIP-39)."""

    __slots__ = ()


@final
class PrivateKey(Secret):
    """A 32-byte private key with the public key it belongs to.

    `public_key` is 33 bytes compressed for secp256k1 (SEC 1), 32 bytes for ed25519 (RFC 8032).
    """

    __slots__ = ("public_key",)

    def __init__(self, value: bytes | bytearray | memoryview, public_key: bytes) -> None:
        super().__init__(value)
        self.public_key = public_key

    def lend(self) -> "PrivateKey":
        """Return a key of the same content for one use, which its receiver closes: closing either leaves the other alone.

        Raises:
            ValueError: The key has been closed.
        """
        return PrivateKey(self._opened(), self.public_key)


@final
class ExtendedPublicKey(Secret):
    """An extended public key of BIP-32: 33 bytes of the compressed public key, then 32 bytes of the chain code.

    It signs nothing, and yet is kept as a secret is: it tells every address below it, and with one private key of a child that is not
    hardened it tells its own private key.
    """

    __slots__ = ()


@final
class SymmetricKey(Secret):
    """A 32-byte key that authenticates or encrypts what the service keeps."""

    __slots__ = ()
