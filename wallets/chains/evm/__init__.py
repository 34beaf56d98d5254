"""Ethereum and the networks that are made like it: `eth`, and each other one by its chain id."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wallets.chains.evm.address import address_of, checksummed, parse_address
from wallets.chains.evm.message import EvmMessage, personal_message, typed_message
from wallets.chains.evm.payload import LEGACY, TYPE_NAMES, Authorization, EvmPayload, decode_payload
from wallets.chains.rlp import encode_list, encode_uint
from wallets.chains.token_calls import CallMeaning, read_call, recipient_warnings
from wallets.curves import Curve, sign_secp256k1
from wallets.derivation import DerivationScheme
from wallets.encoding import unhex
from wallets.errors import MalformedTransactionError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedTransaction, Transfer
from wallets.secret import PrivateKey

_PATH = "m/44'/60'/0'/0/{index}"
_GAS_PER_BLOB = 2**17  # EIP-4844
_WORD_HEADS = (bytes(12),)
_SHOWN_AUTHORIZATIONS = 10


@dataclass(frozen=True, slots=True)
class Evm:
    """One EVM network. `has_data_fee`: it charges for publishing the data beside the gas, which no field of a transaction bounds."""

    network: str
    title: str
    symbol: str
    chain_id: int
    has_data_fee: bool = False
    curve: Curve = Curve.SECP256K1
    hex_prefix: str = "0x"
    decimals: int = 18
    variant_name: str = ""
    variants: tuple[str, ...] = ()

    def path(self, scheme: DerivationScheme, variant: str = "") -> str:  # noqa: ARG002  # there is one
        """Return the account path: the same for every EVM network, so that one key has one address on all of them."""
        return _PATH

    def address(self, public_key: bytes, scheme: DerivationScheme, variant: str = "") -> str:  # noqa: ARG002  # written alike by all
        """Return the EIP-55 address of a 33-byte compressed public key."""
        return address_of(public_key)

    def forms(self, address: str) -> Mapping[str, str]:  # noqa: ARG002  # there are none
        """Return nothing: an address has one form."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """Return the EIP-55 text of 40 hex digits, `0x` optional; nothing where mixed case does not fit its checksum."""
        address = parse_address(text)
        return frozenset() if address is None else frozenset({checksummed(address)})

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex."""
        return unhex(text)

    def decode(self, unsigned_tx: bytes, variant: str = "") -> "EvmTransaction":  # noqa: ARG002  # there is one
        """Decode an unsigned transaction of this network; see `wallets.chains.evm.payload` for its forms.

        Raises:
            MalformedTransactionError: It is none, is not canonical, is signed already, or names another chain id.
        """
        payload = decode_payload(unsigned_tx)
        if payload.chain_id != self.chain_id:
            msg = f"the transaction is for chain id {payload.chain_id}, but {self.network} has {self.chain_id}"
            raise MalformedTransactionError(msg)
        return EvmTransaction(unsigned_tx, payload, _intent(self, payload))

    def read_message(self, message: bytes, variant: str = "") -> EvmMessage:  # noqa: ARG002  # there is one
        """Read a message for `personal_sign` (EIP-191).

        Raises:
            MalformedMessageError: It reads as a transaction.
        """
        return personal_message(self.network, message)

    def read_typed_data(self, value: Mapping[str, object]) -> EvmMessage:
        """Read typed data (EIP-712).

        Raises:
            MalformedMessageError: It is none, or for another chain.
        """
        return typed_message(self.network, self.chain_id, value)


def evm(network: str, *, title: str, symbol: str, chain_id: int, has_data_fee: bool = False) -> Evm:
    """Make the row of an EVM network."""
    return Evm(network, title, symbol, chain_id, has_data_fee)


@dataclass(frozen=True, slots=True)
class EvmTransaction:
    """An unsigned EVM transaction. It names no signer: whoever signs it is the sender."""

    unsigned_tx: bytes
    payload: EvmPayload
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """Return nothing: the format names no signer."""
        return frozenset()

    def intent_for(self, address: str) -> Intent:
        """See `UnsignedTransaction.intent_for`."""
        return replace(self.intent, sender=address)

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """Sign; `signature` is r||s||y parity, 65 bytes, and `tx_id` the Keccak-256 of the signed transaction.

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        signature = sign_secp256k1(key, keccak256(self.unsigned_tx))
        kind, y_parity = self.payload.type, signature[64]
        v = self.payload.chain_id * 2 + 35 + y_parity if kind == LEGACY else y_parity  # EIP-155, EIP-2718
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
        head = b"" if kind == LEGACY else bytes([kind])
        raw = head + encode_list(self.payload.items + encode_uint(v) + encode_uint(r) + encode_uint(s))
        return SignedTransaction(raw, "0x" + keccak256(raw).hex(), signature)


def _intent(chain: Evm, payload: EvmPayload) -> Intent:
    to = checksummed(payload.to) if payload.to else None
    meaning = _meaning(payload, to)
    max_fee = payload.gas_limit * payload.max_fee_per_gas + len(payload.blob_hashes) * _GAS_PER_BLOB * payload.max_fee_per_blob_gas
    details = {**_details(payload), **meaning.details}
    if chain.has_data_fee:
        details["max_execution_fee"] = str(max_fee)
    return Intent(
        chain.network,
        "set_code" if payload.authorizations else meaning.kind,
        transfers=meaning.transfers,
        max_fee=None if chain.has_data_fee else max_fee,
        contract=None if meaning.kind == "transfer" else to,
        method=meaning.method,
        details=details,
        warnings=meaning.warnings + _authorization_warnings(payload.authorizations),
    )


def _meaning(payload: EvmPayload, to: str | None) -> CallMeaning:
    native = (Transfer(to or "", payload.value),)
    if to is None:
        warnings = () if payload.data else ("neither a recipient nor code: an empty contract would be created",)
        details: dict[str, str | int] = {"data_bytes": len(payload.data), "value": str(payload.value)}
        return CallMeaning("contract_creation", details=details, warnings=warnings)
    if not payload.data:
        return CallMeaning("transfer", transfers=native, warnings=recipient_warnings(payload.to))
    call = read_call(payload.data, to, checksummed, address_heads=_WORD_HEADS)
    if not payload.value:
        return call
    return CallMeaning(call.kind, call.method, native + call.transfers, call.details, call.warnings + recipient_warnings(payload.to))


def _details(payload: EvmPayload) -> dict[str, str | int]:
    details: dict[str, str | int] = {
        "type": TYPE_NAMES[payload.type],
        "chain_id": payload.chain_id,
        "nonce": payload.nonce,
        "gas_limit": payload.gas_limit,
    }
    if payload.max_priority_fee_per_gas is None:
        details["gas_price"] = str(payload.max_fee_per_gas)
    else:
        details["max_fee_per_gas"] = str(payload.max_fee_per_gas)
        details["max_priority_fee_per_gas"] = str(payload.max_priority_fee_per_gas)
    if payload.access_list_entries:
        details["access_list_entries"] = payload.access_list_entries
    if payload.blob_hashes:
        details["blobs"] = len(payload.blob_hashes)
        details["max_fee_per_blob_gas"] = str(payload.max_fee_per_blob_gas)
    if payload.authorizations:
        details["authorizations"] = len(payload.authorizations)
    return details


def _authorization_warnings(items: tuple[Authorization, ...]) -> tuple[str, ...]:
    shown = tuple(_authorization_warning(item) for item in items[:_SHOWN_AUTHORIZATIONS])
    return (*shown, f"{len(items) - len(shown)} more authorizations") if len(items) > len(shown) else shown


def _authorization_warning(item: Authorization) -> str:
    place = "every chain" if item.chain_id == 0 else f"chain {item.chain_id}"
    return f"hands an account (its nonce {item.nonce}, on {place}) over to the code of {checksummed(item.address)}"
