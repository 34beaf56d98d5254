"""Hold secrets in types that cannot be printed, pickled or copied.

`reveal()` is the only way out, and greppable. `close()` overwrites the buffer. Python cannot promise that no copy remains (the
interpreter, the allocator and the curve libraries make their own): we bound how long a secret lives, we do not claim to wipe memory.
"""

import hmac
from typing import NoReturn, Self, final


class Secret:
    """Keep bytes that must not leave this process."""

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._buffer = bytearray(value)

    def reveal(self) -> bytes:
        """Return the bytes. Use inside the expression that needs them; never bind them to a name that outlives it.

        Raises:
            ValueError: The secret has been closed.
        """
        if not self._buffer:
            msg = "this secret has been closed"
            raise ValueError(msg)
        return bytes(self._buffer)

    def close(self) -> None:
        """Overwrite and forget the bytes. Closing twice does nothing."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer = bytearray()

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

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self._refuse("pickled")

    def _refuse(self, verb: str) -> NoReturn:
        msg = f"a {type(self).__name__} must not be {verb}"
        raise TypeError(msg)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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

    def __init__(self, value: bytes | bytearray, public_key: bytes) -> None:
        super().__init__(value)
        self.public_key = public_key
