"""Sign messages: by transactions that are on no chain (BIP-322), and by compact signatures behind a prefix (BIP-137, as before it).

BIP-322's signature is that of `to_sign`, which spends the one output of `to_spend`: a transaction that holds the message's hash and spends
what cannot be, so that neither is ever on a chain. Native segwit accounts answer with the witness alone (simple), others with the whole
of `to_sign` (full). BIP-137's digest is of bytes that begin with the prefix. Where a digest of a transaction has its first input's id, or
the hash of all of them, 20 of these bytes would have to stand: nobody finds a transaction with such a hash.
"""

from base64 import b64encode
from dataclasses import dataclass
from enum import StrEnum

from wallets.chains.base import NamesNoSigner, reads_as_transaction
from wallets.chains.bitcoin.digest import ALL, Digests
from wallets.chains.bitcoin.network import Network
from wallets.chains.bitcoin.psbt import MAGIC
from wallets.chains.bitcoin.reader import Reader, write_counted
from wallets.chains.bitcoin.script import OP_RETURN, Kind, script_of
from wallets.chains.bitcoin.transaction import Input, Output, Transaction, Unlocking, read_previous
from wallets.chains.bitcoin.unlock import sign_input
from wallets.chains.message_text import message_intent, shown_message, written_bytes
from wallets.curves import sign_secp256k1
from wallets.errors import MalformedMessageError, UnsupportedMessageError
from wallets.hashes import double_sha256, hash160, tagged_hash
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

PROOF = Output(0, bytes([OP_RETURN]))
"""The one output of every `to_sign` (BIP-322)."""

_TAG = "BIP0322-signed-message"
_NOWHERE = bytes(32) + b"\xff" * 4
_HEADERS = {Kind.LEGACY: 31, Kind.NESTED: 35, Kind.SEGWIT: 39}
"""What BIP-137's first byte counts from: compressed keys alone."""
_NATIVE = frozenset({Kind.SEGWIT, Kind.TAPROOT})


class Format(StrEnum):
    """How a message is signed, as requests name it."""

    BIP_322 = "bip322"
    BIP_137 = "bip137"


def formats_of(network: Network) -> tuple[str, ...]:
    """Return the formats that accounts of a network may choose; without segwit there is but the old one."""
    return (Format.BIP_322.value, Format.BIP_137.value) if network.has_segwit else (Format.BIP_137.value,)


@dataclass(frozen=True, slots=True)
class BitcoinMessage(NamesNoSigner):
    """A message to sign, for an account that is paid as `kind` says."""

    message: bytes
    kind: Kind
    format: Format
    prefix: bytes
    intent: Intent

    def sign(self, key: PrivateKey) -> SignedMessage:
        """Sign; `extra` has the text that verifiers take, in which BIP-322 puts `smp` (simple) or `ful` (full) before the base64.

        `signature` is what that is the base64 of: a witness, a transaction, or 65 bytes header||r||s (BIP-137).

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        if self.format is Format.BIP_137:
            digest = double_sha256(write_counted(self.prefix) + write_counted(self.message))
            compact = sign_secp256k1(key, digest)
            return _signed("", bytes([_HEADERS[self.kind] + compact[64]]) + compact[:64], digest)
        to_sign, digests = proof_of(self.message, script_of(self.kind, key.public_key))
        unlocking, _ = sign_input(0, self.kind, ALL, digests, key)
        digest = digests.taproot(0, ALL) if self.kind is Kind.TAPROOT else digests.ecdsa(0, self.kind, hash160(key.public_key))
        if self.kind in _NATIVE:
            return _signed("smp", unlocking.raw_witness, digest)
        return _signed("ful", to_sign.raw([unlocking]), digest)


def read_message(network: Network, kind: Kind, message: bytes, chosen: str) -> BitcoinMessage:
    """Read a message for an account that is paid as `kind` says; `chosen` is one of its network's formats, "" for the kind's usual one.

    Raises:
        MalformedMessageError: It reads as a transaction or a PSBT, by itself or in hex or base64.
        UnsupportedMessageError: The format is not for this kind.
    """
    if any(reads_as_transaction(reading, _decode) for reading in (message, *written_bytes(message))):
        raise MalformedMessageError("the message is a transaction; transactions are signed by /sign alone")
    picked = Format(chosen) if chosen else Format.BIP_137 if kind is Kind.LEGACY else Format.BIP_322
    if picked is Format.BIP_137 and kind not in _HEADERS:
        raise UnsupportedMessageError("taproot accounts sign messages by bip322 alone: bip137 recovers a key, and has no header for theirs")
    intent = message_intent(network.name, picked.value.replace("bip", "bip-"), message, shown_message(message))
    return BitcoinMessage(message, kind, picked, network.message_prefix, intent)


def proof_of(message: bytes, script: bytes) -> tuple[Transaction, Digests]:
    """Return the transaction whose signature is a message's, and its digests; `script` is what pays the account (BIP-322)."""
    challenge = Output(0, script)
    to_spend = Transaction(0, (Input(_NOWHERE, sequence=0),), (challenge,), 0)
    holding = Unlocking(b"\0" + write_counted(tagged_hash(_TAG, message)))
    spent = double_sha256(to_spend.raw([holding]))
    to_sign = Transaction(0, (Input(spent + bytes(4), sequence=0),), (PROOF,), 0)
    return to_sign, Digests(to_sign, [challenge])


def _signed(variant: str, raw: bytes, digest: bytes) -> SignedMessage:
    return SignedMessage(raw, digest, {"signature_text": variant + b64encode(raw).decode()})


def _decode(data: bytes) -> None:
    """Return if bytes begin as a PSBT, or are a transaction, signed or not."""
    if not data.startswith(MAGIC):
        read_previous(Reader(data, "message"), 0)
