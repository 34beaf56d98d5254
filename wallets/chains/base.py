"""Say what a chain and its unsigned transaction must be able to do."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NoReturn, Protocol, TypeVar

from wallets.curves import Curve
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError, UnsupportedMessageError
from wallets.model import Intent, SignedMessage, SignedTransaction
from wallets.secret import PrivateKey

Own = Callable[[int, str], str]
"""Derive the address of another account of the wallet, by index and variant."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Signable(Protocol[T_co]):
    """What was decoded whole and is therefore signable: a transaction or a message."""

    @property
    def signers(self) -> frozenset[str]:
        """The addresses whose signatures it names; empty where the format names none (EVM, TON)."""
        ...

    @property
    def intent(self) -> Intent:
        """What it does, whoever signs it."""
        ...

    def intent_for(self, address: str, own: Own | None = None, /) -> Intent:
        """Return what it does when `address` signs it: with the sender where the format names none, and what is odd for that sender.

        A transaction that says of a recipient that it is another account of the wallet is believed if `own` derives the same.
        """
        ...

    def sign(self, key: PrivateKey, /) -> T_co:
        """Sign with `key` and verify the signature with its public key.

        Raises:
            MalformedTransactionError: The transaction does not fit this key (a wallet contract's state, a signer's slot).
            SignatureFaultError: The signature does not verify: a fault, never the client's doing.
        """
        ...


class NamesNoSigner:
    """What both parts of `Signable` are where the format names nobody: the signature tells who the sender is."""

    __slots__ = ()
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """See `Signable.signers`."""
        return frozenset()

    def intent_for(self, address: str, _own: Own | None = None, /) -> Intent:
        """See `Signable.intent_for`."""
        return replace(self.intent, sender=address)


UnsignedTransaction = Signable[SignedTransaction]
UnsignedMessage = Signable[SignedMessage]


class Chain(Protocol):
    """What one network means. Arguments go by position: one that a network does not need, it names with `_` before it."""

    @property
    def network(self) -> str:
        """Its name in the API: `eth`."""
        ...

    @property
    def title(self) -> str:
        """Its name for people: `Ethereum`."""
        ...

    @property
    def curve(self) -> Curve:
        """The curve its keys are on."""
        ...

    @property
    def variant_name(self) -> str:
        """What the API calls the choice between several kinds of address: `version` (TON), `type` (Bitcoin); "" where there is none."""
        ...

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of these kinds, the usual one first. Everywhere but in what a client writes and reads, that one's name is ""."""
        ...

    def path(self, scheme: DerivationScheme, variant: str = "", /) -> str:
        """Return the path of an account, with `{index}` in it: `m/44'/60'/0'/0/{index}`."""
        ...

    @property
    def hex_prefix(self) -> str:
        """What stands before hex on the way out: `0x` or nothing."""
        ...

    @property
    def symbol(self) -> str:
        """The native asset: `ETH`."""
        ...

    @property
    def decimals(self) -> int:
        """Base units are 10^-decimals of the native asset."""
        ...

    def address(self, public_key: bytes, scheme: DerivationScheme, variant: str = "", /) -> str:
        """Return the address as wallets show it and as is safe for a deposit."""
        ...

    def forms(self, address: str, /) -> Mapping[str, str]:
        """Return every named form of one of its own addresses where there are several (TON); else empty."""
        ...

    def normalize(self, text: str, /) -> frozenset[str]:
        """Return the texts under which `address` may have written what `text` names; empty if it is no address of this network."""
        ...

    def unwrap(self, text: str, /) -> bytes:
        """Return the bytes of an `unsigned_tx` as a client writes it: hex, and what else the network is used to.

        Raises:
            MalformedTransactionError: It is neither.
        """
        ...

    def decode(self, unsigned_tx: bytes, variant: str = "", /) -> UnsignedTransaction:
        """Decode the whole input, in the one canonical encoding, for an account of this variant.

        Raises:
            MalformedTransactionError: Anything else, with what is wrong and at which byte offset. No other exception escapes.
        """
        ...

    @property
    def message_formats(self) -> tuple[str, ...]:
        """The names of its ways to sign a message, where there is a choice; the usual one may be another for each variant."""
        ...

    def read_message(self, message: bytes, variant: str = "", message_format: str = "", /) -> UnsignedMessage:
        """Read a message of at least one byte, in the network's own way to sign what is no transaction, or in one of its ways.

        Raises:
            MalformedMessageError: It is not what that signs, or could be read as a transaction. No other exception escapes.
            UnsupportedMessageError: The network, or this variant, has no such way.
        """
        ...

    def read_typed_data(self, value: Mapping[str, object], /) -> UnsignedMessage:
        """Read a message of fields with types, as it came out of JSON.

        Raises:
            MalformedMessageError: It is not exactly that, with what is wrong and where. No other exception escapes.
            UnsupportedMessageError: The network has no such way.
        """
        ...


def reads_as_transaction(data: T, decode: Callable[[T], object]) -> bool:
    """Tell whether a network's `decode` takes something, usually bytes, which is then no message."""
    try:
        decode(data)
    except MalformedTransactionError:
        return False
    return True


def no_typed_data(title: str) -> NoReturn:
    """Raise `UnsupportedMessageError` for a network without typed data."""
    msg = f"typed data of {title} is not signed here"
    raise UnsupportedMessageError(msg)
