"""Address, decode and sign on Solana: legacy and version 0 transactions.

Signatures are ed25519 over the message; the message's bytes go into the signed transaction as they came. Sources: the Solana
documentation, "Transactions" and "Versioned Transactions"; SLIP-0010 and SLIP-0044 (501) for the path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from wallets.chains.base import Own, no_typed_data
from wallets.chains.solana.intent import read_intent
from wallets.chains.solana.message import KEY_BYTES, MAX_TRANSACTION_BYTES, SIGNATURE_BYTES, Message, Reader, read_message
from wallets.chains.solana.offchain import SolanaMessage, read_offchain
from wallets.curves import Curve, sign_ed25519, verify_ed25519
from wallets.derivation import DerivationScheme
from wallets.encoding import base58, unbase58, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.model import Intent, SignedTransaction
from wallets.secret import PrivateKey

_PATHS = MappingProxyType(
    {
        DerivationScheme.STANDARD: "m/44'/501'/{index}'/0'",  # SLIP-0010
        DerivationScheme.V1_0_8: "m/44'/501'/0'/0/{index}",  # BIP-32 on secp256k1
    }
)
_EMPTY_SLOT = bytes(SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True)
class SolanaTransaction:
    """A message and the signature slots before it, 64 bytes each, zero where nobody has signed yet."""

    message: Message
    slots: tuple[bytes, ...]
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """See `UnsignedTransaction.signers`: the accounts whose signatures the message requires."""
        return frozenset(map(base58, self.message.signers))

    def intent_for(self, _address: str, _own: Own | None = None, /) -> Intent:
        """See `UnsignedTransaction.intent_for`."""
        return self.intent

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """See `UnsignedTransaction.sign`: fill this key's slot, leave the others.

        Where others still have to sign, the transaction is not complete yet. The transaction id is its first signature, the fee payer's:
        None where that is not ours.

        Raises:
            MalformedTransactionError: The key is not among the signers, or its slot is filled.
        """
        if key.public_key not in self.message.signers:
            msg = "this account is not among the transaction's signers"
            raise MalformedTransactionError(msg)
        position = self.message.signers.index(key.public_key)
        if self.slots[position] != _EMPTY_SLOT:
            msg = "this account has already signed the transaction"
            raise MalformedTransactionError(msg)
        signature = sign_ed25519(key, self.message.raw)
        slots = (*self.slots[:position], signature, *self.slots[position + 1 :])
        # The number of slots is below 128 (the message header has seven bits for it), so its compact-u16 is one byte.
        raw = bytes([len(slots)]) + b"".join(slots) + self.message.raw
        return SignedTransaction(raw, base58(signature) if position == 0 else None, signature)


@dataclass(frozen=True, slots=True)
class Solana:
    """Solana. An address is the base58 of the 32-byte public key."""

    network: str = "sol"
    title: str = "Solana"
    curve: Curve = Curve.ED25519
    hex_prefix: str = ""
    symbol: str = "SOL"
    decimals: int = 9
    variant_name: str = ""
    variants: tuple[str, ...] = ()
    message_formats: tuple[str, ...] = ()

    def path(self, scheme: DerivationScheme, _variant: str = "", /) -> str:
        """See `Chain.path`."""
        return _PATHS[scheme]

    def address(self, public_key: bytes, _scheme: DerivationScheme, _variant: str = "", /) -> str:
        """See `Chain.address`."""
        return base58(public_key)

    def forms(self, _address: str, /) -> Mapping[str, str]:
        """See `Chain.forms`."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """See `Chain.normalize`."""
        try:
            key = unbase58(text)
        except InvalidRequestError:
            return frozenset()
        return frozenset({text}) if len(key) == KEY_BYTES else frozenset()

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex."""
        return unhex(text)

    def decode(self, unsigned_tx: bytes, _variant: str = "", /) -> SolanaTransaction:
        """See `Chain.decode`.

        A transaction begins with its number of signatures, a legacy message with the number it requires: the same small number, so the
        first byte cannot tell them apart. Both readings are therefore tried, each whole to the last byte, and exactly one must succeed.
        Guessing instead would let somebody who grinds a signature craft bytes that mean one thing to us and another to a node.
        """
        _check_size(len(unsigned_tx))
        reasons = []
        found = []
        for read in (_read_transaction, _read_bare_message):
            try:
                found.append(read(unsigned_tx))
            except MalformedTransactionError as error:
                reasons.append(str(error))
        if len(found) == 2:
            msg = "the bytes can be read both as a transaction and as a message"
            raise MalformedTransactionError(msg)
        if not found:
            msg = f"neither a transaction ({reasons[0]}) nor a message ({reasons[1]})"
            raise MalformedTransactionError(msg)
        message, slots = found[0]
        return SolanaTransaction(message, slots, read_intent(message))

    def read_message(self, message: bytes, _variant: str = "", _format: str = "", /) -> SolanaMessage:
        """See `Chain.read_message`: an off-chain message."""
        return read_offchain(self.network, message, self.decode)

    def read_typed_data(self, _value: Mapping[str, object], /) -> NoReturn:
        """See `Chain.read_typed_data`."""
        no_typed_data(self.title)


def _read_transaction(raw: bytes) -> tuple[Message, tuple[bytes, ...]]:
    reader = Reader(raw, "transaction")
    count = reader.compact_u16()
    if count * SIGNATURE_BYTES > reader.remaining:
        reader.fail(f"{count} signatures do not fit")
    slots = tuple(reader.take(SIGNATURE_BYTES) for _ in range(count))
    message = read_message(reader.rest())
    if count != message.signer_count:
        reader.fail(f"{count} signature slots, but {message.signer_count} signatures are required")
    _check_signatures(message, slots)
    return message, slots


def _read_bare_message(raw: bytes) -> tuple[Message, tuple[bytes, ...]]:
    message = read_message(raw)
    _check_size(1 + SIGNATURE_BYTES * message.signer_count + len(raw))
    return message, (_EMPTY_SLOT,) * message.signer_count


def _check_size(signed_bytes: int) -> None:
    """Refuse what is too large when it is signed, and at first what is so already: more bytes are more work."""
    if signed_bytes > MAX_TRANSACTION_BYTES:
        msg = f"the signed transaction would have {signed_bytes} bytes or more; a node takes {MAX_TRANSACTION_BYTES}"
        raise MalformedTransactionError(msg)


def _check_signatures(message: Message, slots: tuple[bytes, ...]) -> None:
    """Verify what others have signed: with a wrong signature among them no node takes the transaction, whatever we add."""
    for number, (signer, slot) in enumerate(zip(message.signers, slots, strict=True), start=1):
        if slot != _EMPTY_SLOT and not verify_ed25519(signer, slot, message.raw):
            msg = f"signature {number} is not that of {base58(signer)} on this message; leave empty slots zero"
            raise MalformedTransactionError(msg)
