"""Read what is signed by its fields and is no EIP-712: authorizations (EIP-7702) and user operations of ERC-4337 before version 0.8.

They come as typed data that names its `standard`. An authorization is hashed behind 0x05, which begins no transaction; a user operation's
hash is signed behind EIP-191's prefix, as account contracts verify it.
"""

from collections.abc import Mapping

from wallets.chains.evm.address import EVM_ADDRESSES, checksummed
from wallets.chains.evm.digest import EIP_191_PREFIX, DigestMessage, prefixed_digest
from wallets.chains.evm.intent import delegation_warning
from wallets.chains.evm.payload import Authorization
from wallets.chains.evm.typed_intent import own_call_effect
from wallets.chains.evm.typed_types import ATOMIC, Value, as_object, check_names, refuse
from wallets.chains.rlp import encode_bytes, encode_list, encode_uint
from wallets.hashes import keccak256
from wallets.model import Intent

EIP_7702 = "eip-7702"
ERC_4337 = "erc-4337"

_AUTHORIZATION_MAGIC = b"\x05"  # EIP-7702
_MAX_NONCE = 2**64 - 2
_ENTRY_POINTS = {"0.6": "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789", "0.7": "0x0000000071727De22E5E9d8BAf0edAc6f37da032"}
_SHARED = {"sender": "address", "nonce": "uint256", "callData": "bytes"}
_GAS = {"callGasLimit": "uint128", "verificationGasLimit": "uint128", "preVerificationGas": "uint256"}
_FEES = {"maxFeePerGas": "uint128", "maxPriorityFeePerGas": "uint128"}
_FACTORY = {"factory": "address", "factoryData": "bytes"}
_PAYMASTER = {
    "paymaster": "address",
    "paymasterVerificationGasLimit": "uint128",
    "paymasterPostOpGasLimit": "uint128",
    "paymasterData": "bytes",
}
_V0_6 = {**_SHARED, "initCode": "bytes", **dict.fromkeys([*_GAS, *_FEES], "uint256"), "paymasterAndData": "bytes"}


def read_request(network: str, chain_id: int, value: Mapping[str, object]) -> DigestMessage:
    """Read an object that names its `standard`.

    Raises:
        MalformedMessageError: The standard is not known, or the rest is not what it wants.
    """
    if value["standard"] == EIP_7702:
        return _authorization(network, chain_id, value)
    if value["standard"] == ERC_4337:
        return _user_operation(network, chain_id, value)
    return refuse("standard", f"{EIP_7702} and {ERC_4337} are known; typed data of EIP-712 names none")


def _authorization(network: str, chain_id: int, value: Mapping[str, object]) -> DigestMessage:
    check_names("typed_data", value, ["standard", "chainId", "address", "nonce"])
    theirs, nonce = _uint("chainId", value, 256), _uint("nonce", value, 64)
    if theirs not in {0, chain_id}:
        refuse("chainId", f"the authorization is for chain id {theirs}, but {network} has {chain_id}")
    if nonce > _MAX_NONCE:
        refuse("nonce", "it is larger than any account's can be (EIP-2681)")
    word, code = ATOMIC["address"]("address", value["address"])
    item = Authorization(theirs, word[12:], nonce)
    everywhere = ("names no chain: the authorization can be used on every chain",) if theirs == 0 else ()
    warnings = (delegation_warning(item), *everywhere)
    details: dict[str, str | int] = {"standard": EIP_7702, "chain_id": theirs, "nonce": nonce}
    preimage = _AUTHORIZATION_MAGIC + encode_list(encode_uint(theirs) + encode_bytes(item.address) + encode_uint(nonce))
    intent = Intent(network, "authorization", contract=str(code), details=details, warnings=warnings)
    return DigestMessage(keccak256(preimage), intent, v=0)


def _user_operation(network: str, chain_id: int, value: Mapping[str, object]) -> DigestMessage:
    check_names("typed_data", value, ["standard", "version", "entryPoint", "userOperation"])
    version = value["version"]
    if not isinstance(version, str) or version not in _ENTRY_POINTS:
        refuse("version", "0.6 and 0.7 are known; from 0.8 on a user operation is typed data of EIP-712")
    entry_word, entry_point = ATOMIC["address"]("entryPoint", value["entryPoint"])
    operation = as_object("userOperation", value["userOperation"])
    fields, packed, max_fee = _v0_6(operation) if version == "0.6" else _v0_7(operation)
    account, call_data = str(fields["sender"]), fields["callData"]
    assert isinstance(call_data, bytes)
    details: dict[str, str | int] = {
        "standard": ERC_4337,
        "version": version,
        "entry_point": str(entry_point),
        "account": account,
        "account_nonce": str(fields["nonce"]),
        **{name: text for name in ("factory", "paymaster") if (text := str(fields.get(name) or ""))},
    }
    effect = own_call_effect("user_operation", account, call_data, details, EVM_ADDRESSES)
    odd = () if entry_point == _ENTRY_POINTS[version] else (f"the entry point is not the one of version {version} in wide use",)
    intent = Intent(
        network,
        effect.kind,
        transfers=effect.transfers,
        max_fee=max_fee,
        contract=account,
        method=effect.method,
        details=effect.details,
        warnings=odd + effect.warnings,
    )
    operation_hash = keccak256(keccak256(packed) + entry_word + chain_id.to_bytes(32))
    return DigestMessage(prefixed_digest(EIP_191_PREFIX, operation_hash), intent)


Operation = tuple[Mapping[str, Value], bytes, int]
"""The fields of a user operation, the words that are hashed, and what it costs at most in wei."""


def _v0_6(operation: Mapping[str, object]) -> Operation:
    words, fields = _fields(operation, _V0_6)
    order = ("sender", "nonce", "initCode", "callData", *_GAS, *_FEES, "paymasterAndData")
    gas = _sum(fields, "callGasLimit", "preVerificationGas")
    # The entry point reserves the gas of verification three times where a paymaster pays (EntryPoint v0.6, _getRequiredPrefund).
    gas += _sum(fields, "verificationGasLimit") * (3 if fields["paymasterAndData"] else 1)
    parts = {"factory": "initCode", "paymaster": "paymasterAndData"}
    named = {**fields, **{who: _named(f"userOperation.{name}", fields[name]) for who, name in parts.items()}}
    return named, b"".join(words[name] for name in order), gas * _sum(fields, "maxFeePerGas")


def _v0_7(operation: Mapping[str, object]) -> Operation:
    """Read it as bundlers take it, and pack it as the entry point does."""
    optional = {name: kind for group in (_FACTORY, _PAYMASTER) if group.keys() & operation.keys() for name, kind in group.items()}
    words, fields = _fields(operation, {**_SHARED, **_GAS, **_FEES, **optional})
    init_code = _packed(words, fields, "factory", (), "factoryData")
    gas_limits = ("paymasterVerificationGasLimit", "paymasterPostOpGasLimit")
    paymaster = _packed(words, fields, "paymaster", gas_limits, "paymasterData")
    parts = (
        words["sender"],
        words["nonce"],
        keccak256(init_code),
        words["callData"],
        words["verificationGasLimit"][16:] + words["callGasLimit"][16:],
        words["preVerificationGas"],
        words["maxPriorityFeePerGas"][16:] + words["maxFeePerGas"][16:],
        keccak256(paymaster),
    )
    return fields, b"".join(parts), _sum(fields, *_GAS, *(gas_limits if paymaster else ())) * _sum(fields, "maxFeePerGas")


def _fields(operation: Mapping[str, object], kinds: Mapping[str, str]) -> tuple[dict[str, bytes], dict[str, Value]]:
    """Read the fields, and no other but a signature that is still empty; return their words and values."""
    rest = {name: item for name, item in operation.items() if name != "signature"}
    if operation.get("signature", "0x") != "0x":
        refuse("userOperation.signature", "it is signed already; leave it empty, or out")
    check_names("userOperation", rest, list(kinds))
    read = {name: ATOMIC[kind](f"userOperation.{name}", rest[name]) for name, kind in kinds.items()}
    return {name: word for name, (word, _) in read.items()}, {name: value for name, (_, value) in read.items()}


def _packed(words: Mapping[str, bytes], fields: Mapping[str, Value], who: str, gas_limits: tuple[str, ...], data: str) -> bytes:
    """Return an address, gas limits of 16 bytes each, and data, as they stand behind each other; nothing where there is no address."""
    if who not in fields:
        return b""
    tail = fields[data]
    assert isinstance(tail, bytes)
    return words[who][12:] + b"".join(words[name][16:] for name in gas_limits) + tail


def _named(path: str, packed: Value) -> Value:
    """Return the address that packed data begins with, if there is any data."""
    assert isinstance(packed, bytes)
    if 0 < len(packed) < 20:
        refuse(path, "an address and what belongs to it are expected, or nothing")
    return checksummed(packed[:20]) if packed else ""


def _sum(fields: Mapping[str, Value], *names: str) -> int:
    return sum(number for name in names if isinstance(number := fields[name], int))


def _uint(name: str, value: Mapping[str, object], bits: int) -> int:
    number = ATOMIC[f"uint{bits}"](name, value[name])[1]
    assert isinstance(number, int)
    return number
