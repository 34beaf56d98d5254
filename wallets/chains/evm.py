"""Ethereum and the networks that are like it: legacy (EIP-155), EIP-2930 and EIP-1559 transactions.

What is decoded is what is hashed for signing: the transaction without its signature. A legacy transaction without a chain id (before
EIP-155) is refused: its signature could be replayed on every other network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wallets.chains import rlp
from wallets.curves import Curve, sign_secp256k1, uncompressed
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedTransaction, Transfer
from wallets.secret import PrivateKey

_PATH = "m/44'/60'/0'/0/{index}"
_ZERO = "0x" + "00" * 20
_UNLIMITED = 2**255

_LEGACY = ("nonce", "gas_price", "gas_limit", "to", "value", "data", "chain_id", "zero", "zero")
_EIP_2930 = ("chain_id", "nonce", "gas_price", "gas_limit", "to", "value", "data", "access_list")
_EIP_1559 = ("chain_id", "nonce", "max_priority_fee_per_gas", "max_fee_per_gas", "gas_limit", "to", "value", "data", "access_list")
_FIELDS = {b"": _LEGACY, b"\x01": _EIP_2930, b"\x02": _EIP_1559}
_BITS = {
    "nonce": 64,
    "gas_limit": 64,
    "chain_id": 256,
    "gas_price": 256,
    "max_fee_per_gas": 256,
    "max_priority_fee_per_gas": 256,
    "value": 256,
}


def checksum(address: bytes) -> str:
    """Write 20 bytes with the checksum of EIP-55 in the case of the letters."""
    text = address.hex()
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(letter.upper() if nibble >= "8" else letter for letter, nibble in zip(text, digest, strict=False))


@dataclass(frozen=True, slots=True)
class EvmTransaction:
    """A decoded transaction: its EIP-2718 type, its fields without the signature, and what it does."""

    type: bytes
    fields: list[rlp.Item]
    chain_id: int
    intent: Intent
    signers: frozenset[str] = frozenset()

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """See `UnsignedTransaction.sign`."""
        signature = sign_secp256k1(key, keccak256(self.type + rlp.encode(self.fields)))
        r, s, parity = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
        if self.type:
            fields, v = self.fields, parity
        else:
            fields, v = self.fields[:6], self.chain_id * 2 + 35 + parity
        raw = self.type + rlp.encode([*fields, rlp.integer(v), rlp.integer(r), rlp.integer(s)])
        return SignedTransaction(raw, "0x" + keccak256(raw).hex(), signature)


@dataclass(frozen=True, slots=True)
class Evm:
    """One EVM network, told from the others by its chain id."""

    network: str
    title: str
    chain_id: int
    symbol: str = "ETH"
    decimals: int = 18
    hex_prefix: str = "0x"
    curve: Curve = Curve.SECP256K1

    @property
    def paths(self) -> Mapping[DerivationScheme, str]:
        """See `Chain.paths` (BIP-44, coin type 60 on every EVM network)."""
        return {DerivationScheme.STANDARD: _PATH, DerivationScheme.V1_0_8: _PATH}

    def address(self, public_key: bytes, scheme: DerivationScheme) -> str:  # noqa: ARG002  # the same under every scheme
        """See `Chain.address`."""
        return checksum(keccak256(uncompressed(public_key))[12:])

    def forms(self, address: str) -> Mapping[str, str]:  # noqa: ARG002  # there is one form
        """See `Chain.forms`."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """See `Chain.normalize`. Text in mixed case must have the right checksum (EIP-55)."""
        digits = text.removeprefix("0x")
        try:
            written = checksum(bytes.fromhex(digits)) if len(digits) == 40 else ""
        except ValueError:
            return frozenset()
        known = written and (digits in {digits.lower(), digits.upper()} or "0x" + digits == written)
        return frozenset({written}) if known else frozenset()

    def decode(self, unsigned_tx: bytes) -> EvmTransaction:
        """See `Chain.decode`."""
        kind = unsigned_tx[:1] if unsigned_tx[:1] < b"\x80" else b""
        if kind not in _FIELDS:
            msg = f"transactions of type 0x{kind.hex()} are not supported (byte 0); known are legacy, 0x01 and 0x02"
            raise MalformedTransactionError(msg)
        items = rlp.decode(unsigned_tx, len(kind))
        names = _FIELDS[kind]
        if not isinstance(items, list) or len(items) != len(names):
            raise MalformedTransactionError(_wrong_count(kind, items))
        values = {name: _value(name, item) for name, item in zip(names, items, strict=True)}
        if values["chain_id"] != self.chain_id:
            msg = f"the transaction is for chain id {values['chain_id']}, but {self.network} has {self.chain_id}"
            raise MalformedTransactionError(msg)
        return EvmTransaction(kind, items, self.chain_id, self._intent(values))

    def _intent(self, values: Mapping[str, object]) -> Intent:
        price, priority = values.get("max_fee_per_gas", values.get("gas_price")), values.get("max_priority_fee_per_gas", 0)
        gas, to, value, data = values["gas_limit"], values["to"], values["value"], values["data"]
        nonce = values["nonce"]
        assert isinstance(price, int)
        assert isinstance(priority, int)
        assert isinstance(gas, int)
        assert isinstance(value, int)
        assert isinstance(nonce, int)
        assert isinstance(to, bytes)
        assert isinstance(data, bytes)
        if priority > price:
            msg = "max_priority_fee_per_gas is above max_fee_per_gas"
            raise MalformedTransactionError(msg)
        intent = _effect(self.network, to, value, data)
        return replace(intent, max_fee=gas * price, details={**intent.details, "nonce": nonce})


def _effect(network: str, to: bytes, value: int, data: bytes) -> Intent:
    """Say what a call of `to` with `data` does, as far as it can be known from the bytes."""
    recipient = checksum(to) if to else ""
    moved = (Transfer(recipient, value),) if value and to else ()
    if not to:
        return Intent(network, "contract_creation", details={"value": value})
    if not data:
        warnings = ("the recipient is the zero address",) if recipient == _ZERO else ()
        return Intent(network, "transfer", transfers=(Transfer(recipient, value),), warnings=warnings)
    word = _erc20_words(data)
    if word is not None and data[:4].hex() == "a9059cbb":
        tokens = (*moved, Transfer(word[0], word[1], recipient))
        return Intent(network, "token_transfer", transfers=tokens, contract=recipient, method="transfer(address,uint256)")
    if word is not None and data[:4].hex() == "095ea7b3":
        warnings = ("the approval is unlimited",) if word[1] >= _UNLIMITED else ()
        details: dict[str, str | int] = {"spender": word[0], "allowance": word[1]}
        method = "approve(address,uint256)"
        return Intent(network, "contract_call", transfers=moved, contract=recipient, method=method, details=details, warnings=warnings)
    warnings = (f"the call 0x{data[:4].hex()} is unknown: what it does cannot be shown",)
    return Intent(network, "contract_call", transfers=moved, contract=recipient, warnings=warnings)


def _erc20_words(data: bytes) -> tuple[str, int] | None:
    """Return the address and the number of a call with exactly these two arguments (Solidity ABI)."""
    if len(data) != 68 or any(data[4:16]):
        return None
    return checksum(data[16:36]), int.from_bytes(data[36:])


def _value(name: str, item: rlp.Item) -> object:
    """Read one field.

    Raises:
        MalformedTransactionError: Of the wrong kind, or out of range.
    """
    if name == "access_list":
        return _access_list(item)
    if isinstance(item, list):
        msg = f"{name} is a list"
        raise MalformedTransactionError(msg)
    if name == "data":
        return item
    if name == "to":
        if len(item) not in {0, 20}:
            msg = f"to has {len(item)} bytes; an address has 20, a contract creation none"
            raise MalformedTransactionError(msg)
        return item
    if item[:1] == b"\0":
        msg = f"{name} is not canonical: a number has no leading zero bytes"
        raise MalformedTransactionError(msg)
    if name == "zero":
        if item:
            msg = "the transaction is signed already: the two items behind the chain id must be zero"
            raise MalformedTransactionError(msg)
        return 0
    number = int.from_bytes(item)
    if number.bit_length() > _BITS[name]:
        msg = f"{name} has more than {_BITS[name]} bits"
        raise MalformedTransactionError(msg)
    return number


def _access_list(item: rlp.Item) -> object:
    """Check an access list (EIP-2930): pairs of an address and a list of 32-byte keys."""
    fits = isinstance(item, list) and all(_is_access_entry(entry) for entry in item)
    if not fits:
        msg = "access_list is not a list of [20-byte address, [32-byte keys]]"
        raise MalformedTransactionError(msg)
    return item


def _is_access_entry(entry: rlp.Item) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    address, keys = entry
    if not isinstance(address, bytes) or len(address) != 20 or not isinstance(keys, list):
        return False
    return all(isinstance(key, bytes) and len(key) == 32 for key in keys)


def _wrong_count(kind: bytes, items: rlp.Item) -> str:
    if not isinstance(items, list):
        return "the transaction is not a list"
    if not kind and len(items) == 6:
        return "a legacy transaction without chain id (before EIP-155) could be replayed on other networks and is refused"
    if kind and len(items) == len(_FIELDS[kind]) + 3:
        return "the transaction is signed already"
    return f"the transaction has {len(items)} items instead of {len(_FIELDS[kind])}"
