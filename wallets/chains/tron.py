"""Tron. What is signed is a transaction's `raw_data`, by its SHA-256; it comes alone or in a `Transaction` without signatures."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

from wallets.chains.base import Own
from wallets.chains.contract_calls import read_call
from wallets.chains.contract_calls.meaning import NEW_CONTRACT, ZERO_ADDRESS, CallMeaning, fee_warnings, recipient_warnings, with_value
from wallets.chains.evm.digest import DigestMessage
from wallets.chains.message_text import SHOWN_BYTES, shown_text
from wallets.chains.protobuf import Field, Kind, Record, decode, encode_bytes, message
from wallets.chains.refusal import refuse
from wallets.chains.tron_contracts import CONTRACTS, TRON_ADDRESSES, TYPE_URL, address_text, contract_address_text, plain_text
from wallets.chains.tron_messages import personal_message, typed_message
from wallets.curves import Curve, sign_secp256k1, uncompressed
from wallets.derivation import DerivationScheme
from wallets.encoding import unbase58check, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.hashes import keccak256, sha256
from wallets.model import Intent, SignedTransaction, Transfer
from wallets.secret import PrivateKey

NETWORK = "tron"

MAX_BYTES = 500 * 1024
"""What a node takes of one transaction (java-tron, TRANSACTION_MAX_BYTE_SIZE)."""

_PATH = "m/44'/195'/0'/0/{index}"
_HEX_ADDRESS = re.compile(r"(?:0x)?(41[0-9a-fA-F]{40})")

MAX_LIFETIME_MILLISECONDS = 24 * 60 * 60 * 1000
"""How far ahead of a node's time a transaction may expire (java-tron, MAXIMUM_TIME_UNTIL_EXPIRATION)."""
CLOCK_TOLERANCE_MILLISECONDS = 60 * 1000
"""How far ahead of ours the clock may be that wrote `timestamp`. Nodes do not read it; a right one is never of tomorrow."""

_ABSURD_FEE_LIMIT = 5_000 * 10**6
"""In sun. Tools write up to 1,500 TRX for the creation of a contract; nodes take up to 15,000 (`getMaxFeeLimit`)."""
_BURNS_ENERGY = {"TriggerSmartContract", "CreateSmartContract"}

_SHOWN_CHARACTERS = 256
_SHOWN_FIELDS = 200
"""What is longer is cut where it is shown, and says so: an intent must stay readable, and small enough to be audited."""

_ANY = message("Any", Field(1, "type_url", Kind.STRING, required=True), Field(2, "value", Kind.BYTES, required=True))
_CONTRACT = message(
    "Contract",
    Field(1, "type", Kind.INT32),
    Field(2, "parameter", Kind.MESSAGE, required=True, message=_ANY),
    Field(5, "permission_id", Kind.INT32),
)
_RAW_DATA = message(
    "raw_data",
    Field(1, "ref_block_bytes", Kind.BYTES, required=True),
    Field(3, "ref_block_num", Kind.INT64),
    Field(4, "ref_block_hash", Kind.BYTES, required=True),
    Field(8, "expiration", Kind.INT64, required=True),
    Field(10, "memo", Kind.BYTES, read=plain_text),
    Field(11, "contract", Kind.MESSAGE, required=True, message=_CONTRACT),  # repeated in the format, but nodes take exactly one
    Field(14, "timestamp", Kind.INT64),
    Field(18, "fee_limit", Kind.INT64),
)


def _refuse_signed(_: bytes) -> NoReturn:
    msg = "the transaction is signed already, or has been executed; send it without signature and result"
    raise ValueError(msg)


_TRANSACTION = message(
    "Transaction",
    Field(1, "raw_data", Kind.BYTES, required=True),
    Field(2, "signature", Kind.BYTES, read=_refuse_signed),
    Field(5, "ret", Kind.BYTES, read=_refuse_signed),
)
_REF_BLOCK_BYTES_FIELD = bytes([1 << 3 | 2, 2])
"""How a raw_data starts: the two bytes of the reference block's number. No Transaction does, since no raw_data has two bytes."""

_WARNINGS = {
    "AccountPermissionUpdateContract": "changes which keys may sign for the account",
    "ShieldedTransferContract": "who gets what of the shielded part cannot be seen in the transaction",
}


@dataclass(frozen=True, slots=True)
class Tron:
    """The Tron main network."""

    network: str = NETWORK
    title: str = "Tron"
    symbol: str = "TRX"
    curve: Curve = Curve.SECP256K1
    hex_prefix: str = ""
    decimals: int = 6
    variant_name: str = ""
    variants: tuple[str, ...] = ()
    message_formats: tuple[str, ...] = ()

    def path(self, _scheme: DerivationScheme, _variant: str = "", /) -> str:
        """Return the account path, the same in both schemes."""
        return _PATH

    def address(self, public_key: bytes, _scheme: DerivationScheme, _variant: str = "", /) -> str:
        """Return the base58check address (`T...`) of a 33-byte compressed public key."""
        return _address_of(public_key)

    def forms(self, _address: str, /) -> Mapping[str, str]:
        """Return nothing: an address has one form."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """Return the base58check text of an address written so, or in hex with 41 first."""
        match = _HEX_ADDRESS.fullmatch(text)
        try:
            return frozenset({address_text(bytes.fromhex(match[1]) if match else unbase58check(text))})
        except (InvalidRequestError, ValueError):
            return frozenset()

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex."""
        return unhex(text)

    def decode(self, unsigned_tx: bytes, _variant: str = "", /) -> "TronTransaction":
        """Decode raw_data, or a Transaction without signatures, with exactly one contract of a known type.

        When it is, is not looked at: nodes take it from `intent.valid_from` until `intent.expires_at`.

        Raises:
            MalformedTransactionError: It is none, is not canonical, or is signed already.
        """
        if len(unsigned_tx) > MAX_BYTES:
            msg = f"the transaction has {len(unsigned_tx)} bytes; nodes take at most {MAX_BYTES}"
            raise MalformedTransactionError(msg)
        start, end = _raw_data_bounds(unsigned_tx)
        raw_data = decode(_RAW_DATA, unsigned_tx, start, end)
        for name, length in (("ref_block_bytes", 2), ("ref_block_hash", 8)):
            if len(raw_data.data(name)) != length:
                refuse(name, start, f"{length} bytes are expected")
        name, contract, fields = _contract(raw_data, unsigned_tx)
        return TronTransaction(unsigned_tx[start:end], _intent(unsigned_tx[start:end], raw_data, name, contract, fields))

    def read_message(self, message: bytes, _variant: str = "", _format: str = "", /) -> DigestMessage:
        """See `Chain.read_message`: TIP-191."""
        return personal_message(self.network, message, self.decode)

    def read_typed_data(self, value: Mapping[str, object]) -> DigestMessage:
        """See `Chain.read_typed_data`: TIP-712."""
        return typed_message(self.network, value)


@dataclass(frozen=True, slots=True)
class TronTransaction:
    """An unsigned Tron transaction. It names its sender, `owner_address`, also where another permission of that account signs."""

    raw_data: bytes
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """Return the owner's address."""
        assert self.intent.sender is not None
        return frozenset({self.intent.sender})

    def intent_for(self, _address: str, _own: Own | None = None, /) -> Intent:
        """See `UnsignedTransaction.intent_for`."""
        return self.intent

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """Sign; `raw` is a Transaction with raw_data as it came, `signature` r||s||27 or 28, `tx_id` the SHA-256 of raw_data.

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        digest = sha256(self.raw_data)
        signature = sign_secp256k1(key, digest)
        # Nodes take the recovery id as 0 or 1 (java-tron's and tronpy's way) and as 27 or 28. TronWeb writes the latter, and so do we: it
        # is also what contracts that verify a signature with `ecrecover` want.
        signature = signature[:64] + bytes([27 + signature[64]])
        return SignedTransaction(encode_bytes(1, self.raw_data) + encode_bytes(2, signature), digest.hex(), signature)


@lru_cache(maxsize=4096)
def _address_of(public_key: bytes) -> str:
    return contract_address_text(keccak256(uncompressed(public_key))[-20:])


def _raw_data_bounds(unsigned_tx: bytes) -> tuple[int, int]:
    """Return where raw_data starts and ends: the whole input, or the whole of the field that a Transaction without signatures is."""
    end = len(unsigned_tx)
    if unsigned_tx.startswith(_REF_BLOCK_BYTES_FIELD):
        return 0, end
    if not unsigned_tx.startswith(_REF_BLOCK_BYTES_FIELD[:1]):
        refuse("transaction", 0, "it starts neither like a raw_data nor like a Transaction")
    return end - len(decode(_TRANSACTION, unsigned_tx).data("raw_data")), end


def _contract(raw_data: Record, unsigned_tx: bytes) -> tuple[str, Record, Record]:
    """Return the type's name, the one contract and the fields of its own message, whose type the contract names twice."""
    contract = raw_data.record("contract")
    kind = CONTRACTS.get(contract.number("type"))
    if kind is None:
        refuse("contract", contract.offset, f"type {contract.number('type')} is not signed here")
    parameter = contract.record("parameter")
    if parameter.text("type_url") != TYPE_URL + kind.name:
        refuse("parameter", parameter.offset, f"its type_url must be {TYPE_URL}{kind.name}, as the contract's type is")
    return kind.name, contract, decode(kind, unsigned_tx, parameter.end - len(parameter.data("value")), parameter.end)


def _intent(raw: bytes, raw_data: Record, name: str, contract: Record, fields: Record) -> Intent:
    meaning = _meaning(name, fields)
    details: dict[str, str | int] = {"type": name, "payload_hash": sha256(raw).hex()}
    if contract.number("permission_id"):
        details["permission_id"] = contract.number("permission_id")
    if raw_data.text("memo"):
        details["memo"] = _short(raw_data.text("memo"))
    for key in ("fee_limit", "timestamp"):
        if raw_data.number(key):
            details[key] = raw_data.number(key)
    return Intent(
        NETWORK,
        meaning.kind,
        sender=fields.text("owner_address"),
        transfers=meaning.transfers,
        contract=fields.text("contract_address") or None,
        method=meaning.method,
        expires_at=raw_data.number("expiration") // 1000,
        valid_from=_valid_from(raw_data.number("expiration"), raw_data.number("timestamp")),
        details={**details, **meaning.details},
        warnings=meaning.warnings + _fee_warnings(name, fields, raw_data.number("fee_limit")),
    )


def _fee_warnings(name: str, fields: Record, fee_limit: int) -> tuple[str, ...]:
    """Return what is odd about the energy that may be burnt by a contract; nothing else burns any, whatever its limit.

    For a call with data the limit is no measure of the fee: wallets write a round number there, 150 TRX or more, of which the call then
    burns a part, or nothing where TRX are staked for it. Only a limit that is absurd is odd.
    """
    if name not in _BURNS_ENERGY:
        return ()
    is_value_alone = name == "TriggerSmartContract" and not fields.data("data")
    return fee_warnings(fields.number("call_value") if is_value_alone else 0, fee_limit, _ABSURD_FEE_LIMIT)


def _valid_from(expiration: int, timestamp: int) -> int:
    """Return from when on nodes take it, and its timestamp is not in the future; in seconds since 1970, rounded up."""
    return max(0, -(-max(expiration - MAX_LIFETIME_MILLISECONDS, timestamp - CLOCK_TOLERANCE_MILLISECONDS) // 1000))


def _meaning(name: str, fields: Record) -> CallMeaning:
    read = _MEANINGS.get(name)
    if read is not None:
        return read(fields)
    warnings = (_WARNINGS[name],) if name in _WARNINGS else ()
    return CallMeaning(_kind(name), transfers=_sent(name, fields), details=_shown(fields), warnings=warnings)


def _sent(name: str, fields: Record) -> tuple[Transfer, ...]:
    """Return what goes to one recipient by a contract that is no plain transfer."""
    recipient, amount = _RECIPIENTS.get(name, ("", ""))
    return (Transfer(fields.text(recipient), fields.number(amount)),) if fields.text(recipient) else ()


def _transfer(fields: Record) -> CallMeaning:
    recipient = fields.text("to_address")
    return CallMeaning("transfer", transfers=(Transfer(recipient, fields.number("amount")),), warnings=_recipient_warnings(recipient))


def _token_transfer(fields: Record) -> CallMeaning:
    recipient, asset = fields.text("to_address"), _trc10(fields.text("asset_name"))
    transfers = (Transfer(recipient, fields.number("amount"), asset),)
    return CallMeaning("token_transfer", transfers=transfers, warnings=_recipient_warnings(recipient))


def _creation(fields: Record) -> CallMeaning:
    tokens = _trc10_sent(NEW_CONTRACT, fields)
    creation = CallMeaning("contract_creation", transfers=tokens, details=_shown(fields))
    return with_value(creation, NEW_CONTRACT, fields.record("new_contract").number("call_value"))


def _call(fields: Record) -> CallMeaning:
    """Say what a TriggerSmartContract does: TRX and TRC-10 that go along, and the TRC-20 method if it is one."""
    contract = fields.text("contract_address")
    tokens = _trc10_sent(contract, fields)
    data = fields.data("data")
    call = read_call(data, contract, TRON_ADDRESSES) if data else CallMeaning("contract_call")
    return with_value(replace(call, transfers=tokens + call.transfers), contract, fields.number("call_value"))


def _trc10_sent(contract: str, fields: Record) -> tuple[Transfer, ...]:
    amount = fields.number("call_token_value")
    return (Transfer(contract, amount, _trc10(str(fields.number("token_id")))),) if amount else ()


def _shown(fields: Record) -> dict[str, str | int]:
    """Return a contract's fields for people, without the owner (the sender) and a new contract's ABI (no node acts on it)."""
    leaves = [(path, value) for path, value in fields.leaves() if path != "owner_address" and not path.startswith("new_contract.abi.")]
    shown = {path: _short(value) for path, value in leaves[:_SHOWN_FIELDS]}
    if len(leaves) > _SHOWN_FIELDS:
        shown["more_fields"] = len(leaves) - _SHOWN_FIELDS
    return shown


def _short(value: int | str | bytes) -> int | str:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= SHOWN_BYTES else f"{len(value)} bytes, SHA-256 {sha256(value).hex()}"
    return shown_text(value, _SHOWN_CHARACTERS) if isinstance(value, str) else value


def _kind(name: str) -> str:
    """Write `FreezeBalanceV2Contract` as `freeze_balance_v2`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Contract")).lower()


def _trc10(token: str) -> str:
    return f"trc10:{token}"


_MEANINGS: Mapping[str, Callable[[Record], CallMeaning]] = {
    "TransferContract": _transfer,
    "TransferAssetContract": _token_transfer,
    "TriggerSmartContract": _call,
    "CreateSmartContract": _creation,
}
_RECIPIENTS = {
    "ParticipateAssetIssueContract": ("to_address", "amount"),
    "ShieldedTransferContract": ("transparent_to_address", "to_amount"),
}


def _recipient_warnings(recipient: str) -> tuple[str, ...]:
    return recipient_warnings(ZERO_ADDRESS) if recipient == contract_address_text(ZERO_ADDRESS) else ()
