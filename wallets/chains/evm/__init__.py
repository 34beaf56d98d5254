"""Ethereum and the networks that are made like it: `eth`, and each other one by its chain id."""

from collections.abc import Mapping
from dataclasses import dataclass

from wallets.chains.base import NamesNoSigner
from wallets.chains.evm.address import address_of, checksummed, parse_address
from wallets.chains.evm.digest import DigestMessage
from wallets.chains.evm.intent import read_intent
from wallets.chains.evm.message import personal_message, typed_message
from wallets.chains.evm.payload import LEGACY, EvmPayload, decode_payload
from wallets.chains.refusal import refuse
from wallets.chains.rlp import encode_bytes, encode_list, encode_uint
from wallets.curves import Curve, sign_secp256k1
from wallets.derivation import DerivationScheme
from wallets.encoding import unhex
from wallets.hashes import keccak256
from wallets.model import Intent, SignedTransaction
from wallets.secret import PrivateKey

_PATH = "m/44'/60'/0'/0/{index}"

_ABSURD_FEE = 10**18
"""What nodes refuse to pass on as they are installed: a fee above one ether (go-ethereum, `RPCTxFeeCap`)."""


@dataclass(frozen=True, slots=True)
class Evm:
    """One EVM network. `has_data_fee`: it charges for publishing the data beside the gas, which no field of a transaction bounds.

    `absurd_fee` is more wei than an ordinary transaction costs.
    """

    network: str
    title: str
    symbol: str
    chain_id: int
    has_data_fee: bool = False
    absurd_fee: int = _ABSURD_FEE
    curve: Curve = Curve.SECP256K1
    hex_prefix: str = "0x"
    decimals: int = 18
    variant_name: str = ""
    variants: tuple[str, ...] = ()
    message_formats: tuple[str, ...] = ()

    def path(self, _scheme: DerivationScheme, _variant: str = "", /) -> str:
        """Return the account path: the same for every EVM network, so that one key has one address on all of them."""
        return _PATH

    def address(self, public_key: bytes, _scheme: DerivationScheme, _variant: str = "", /) -> str:
        """Return the EIP-55 address of a 33-byte compressed public key."""
        return address_of(public_key)

    def forms(self, _address: str, /) -> Mapping[str, str]:
        """Return nothing: an address has one form."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """Return the EIP-55 text of 40 hex digits, `0x` optional; nothing where mixed case does not fit its checksum."""
        address = parse_address(text)
        return frozenset() if address is None else frozenset({checksummed(address)})

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex."""
        return unhex(text)

    def decode(self, unsigned_tx: bytes, _variant: str = "", /) -> "EvmTransaction":
        """Decode an unsigned transaction of this network; see `wallets.chains.evm.payload` for its forms.

        Raises:
            MalformedTransactionError: It is none, is not canonical, is signed already, or names another chain id.
        """
        payload = decode_payload(unsigned_tx)
        if payload.chain_id not in {self.chain_id, None}:
            reason = f"the transaction is for chain id {payload.chain_id}, but {self.network} has {self.chain_id}"
            refuse("chain_id", payload.chain_id_offset, reason)
        digest = keccak256(payload.preimage)
        return EvmTransaction(payload, digest, read_intent(self, payload, digest), self.chain_id)

    def read_message(self, message: bytes, _variant: str = "", _format: str = "", /) -> DigestMessage:
        """Read a message for `personal_sign` (EIP-191).

        Raises:
            MalformedMessageError: It reads as a transaction.
        """
        return personal_message(self.network, message)

    def read_typed_data(self, value: Mapping[str, object]) -> DigestMessage:
        """Read typed data (EIP-712).

        Raises:
            MalformedMessageError: It is none, or for another chain.
        """
        return typed_message(self.network, self.chain_id, value)


def evm(network: str, *, title: str, symbol: str, chain_id: int, has_data_fee: bool = False, absurd_fee: int = _ABSURD_FEE) -> Evm:
    """Make the row of an EVM network. `absurd_fee` is another one than Ethereum's where the native asset is worth far less than ether."""
    return Evm(network, title, symbol, chain_id, has_data_fee, absurd_fee)


@dataclass(frozen=True, slots=True)
class EvmTransaction(NamesNoSigner):
    """An unsigned EVM transaction, and the Keccak-256 that is signed of it. It names no signer: whoever signs it is the sender.

    `chain_id` is that of the network it is read for, also where the payload names none.
    """

    payload: EvmPayload
    digest: bytes
    intent: Intent
    chain_id: int

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """Sign; `signature` is r||s||y parity, 65 bytes, and `tx_id` the Keccak-256 of the signed transaction without its blobs.

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        payload = self.payload
        signature = sign_secp256k1(key, self.digest)
        r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
        head = b"" if payload.type == LEGACY else bytes([payload.type])
        signed = encode_list(payload.items + encode_uint(self._v(signature[64])) + encode_bytes(r) + encode_bytes(s))
        raw = head + (encode_list(signed + payload.sidecar) if payload.sidecar else signed)
        return SignedTransaction(raw, "0x" + keccak256(head + signed).hex(), signature)

    def _v(self, y_parity: int) -> int:
        """Return what stands before r and s (EIP-2718, EIP-155, and before that)."""
        if self.payload.type != LEGACY:
            return y_parity
        return 27 + y_parity if self.payload.chain_id is None else self.payload.chain_id * 2 + 35 + y_parity
