"""List the fields of a PSBT: what each is called, where it may stand, and how long key and value are (BIP-174, BIP-370, BIP-371)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_NONE = (0,)
_KEYS = (33, 65)
_X_ONLY = (32,)
_SCHNORR = (64, 65)


@dataclass(frozen=True, slots=True)
class Field:
    """A kind of field: its type, which is all of the key of most, and what it looks like.

    `key` are the lengths that what stands behind the type may have, and `value` those of the value; None: any. `version` is the one version
    of PSBT that has it; None: both. With `words`, the value is one or more numbers of four bytes.
    """

    type: bytes
    name: str
    key: Collection[int] | None = _NONE
    value: Collection[int] | None = None
    version: int | None = None
    words: bool = False


def _by_type(*fields: Field) -> Mapping[int, Field]:
    return MappingProxyType({field.type[0]: field for field in fields})


UNSIGNED_TX = Field(b"\x00", "unsigned_tx", version=0)
TX_VERSION = Field(b"\x02", "tx_version", value=(4,), version=2)
FALLBACK_LOCKTIME = Field(b"\x03", "fallback_locktime", value=(4,), version=2)
INPUT_COUNT = Field(b"\x04", "input_count", version=2)
OUTPUT_COUNT = Field(b"\x05", "output_count", version=2)
TX_MODIFIABLE = Field(b"\x06", "tx_modifiable", value=(1,), version=2)
VERSION = Field(b"\xfb", "version", value=(4,))

GLOBAL = _by_type(
    UNSIGNED_TX,
    Field(b"\x01", "xpub", key=(78,), words=True),
    TX_VERSION,
    FALLBACK_LOCKTIME,
    INPUT_COUNT,
    OUTPUT_COUNT,
    TX_MODIFIABLE,
    VERSION,
)

NON_WITNESS_UTXO = Field(b"\x00", "non_witness_utxo")
WITNESS_UTXO = Field(b"\x01", "witness_utxo")
PARTIAL_SIG = Field(b"\x02", "partial_sig", key=_KEYS)
SIGHASH_TYPE = Field(b"\x03", "sighash_type", value=(4,))
REDEEM_SCRIPT = Field(b"\x04", "redeem_script")
WITNESS_SCRIPT = Field(b"\x05", "witness_script")
INPUT_BIP32_DERIVATION = Field(b"\x06", "bip32_derivation", key=_KEYS, words=True)
FINAL_SCRIPTSIG = Field(b"\x07", "final_scriptsig")
FINAL_SCRIPTWITNESS = Field(b"\x08", "final_scriptwitness")
PREVIOUS_TXID = Field(b"\x0e", "previous_txid", value=(32,), version=2)
OUTPUT_INDEX = Field(b"\x0f", "output_index", value=(4,), version=2)
SEQUENCE = Field(b"\x10", "sequence", value=(4,), version=2)
REQUIRED_TIME_LOCKTIME = Field(b"\x11", "required_time_locktime", value=(4,), version=2)
REQUIRED_HEIGHT_LOCKTIME = Field(b"\x12", "required_height_locktime", value=(4,), version=2)
TAP_KEY_SIG = Field(b"\x13", "tap_key_sig", value=_SCHNORR)
INPUT_TAP_BIP32_DERIVATION = Field(b"\x16", "tap_bip32_derivation", key=_X_ONLY)

INPUT = _by_type(
    NON_WITNESS_UTXO,
    WITNESS_UTXO,
    PARTIAL_SIG,
    SIGHASH_TYPE,
    REDEEM_SCRIPT,
    WITNESS_SCRIPT,
    INPUT_BIP32_DERIVATION,
    FINAL_SCRIPTSIG,
    FINAL_SCRIPTWITNESS,
    Field(b"\x09", "por_commitment"),
    Field(b"\x0a", "ripemd160", key=(20,)),
    Field(b"\x0b", "sha256", key=(32,)),
    Field(b"\x0c", "hash160", key=(20,)),
    Field(b"\x0d", "hash256", key=(32,)),
    PREVIOUS_TXID,
    OUTPUT_INDEX,
    SEQUENCE,
    REQUIRED_TIME_LOCKTIME,
    REQUIRED_HEIGHT_LOCKTIME,
    TAP_KEY_SIG,
    Field(b"\x14", "tap_script_sig", key=(64,), value=_SCHNORR),
    Field(b"\x15", "tap_leaf_script", key=range(33, 33 + 32 * 128 + 1, 32)),
    INPUT_TAP_BIP32_DERIVATION,
    Field(b"\x17", "tap_internal_key", value=_X_ONLY),
    Field(b"\x18", "tap_merkle_root", value=(32,)),
)

OUTPUT_BIP32_DERIVATION = Field(b"\x02", "bip32_derivation", key=_KEYS, words=True)
OUTPUT_AMOUNT = Field(b"\x03", "amount", value=(8,), version=2)
OUTPUT_SCRIPT = Field(b"\x04", "script", version=2)
OUTPUT_TAP_BIP32_DERIVATION = Field(b"\x07", "tap_bip32_derivation", key=_X_ONLY)

OUTPUT = _by_type(
    Field(b"\x00", "redeem_script"),
    Field(b"\x01", "witness_script"),
    OUTPUT_BIP32_DERIVATION,
    OUTPUT_AMOUNT,
    OUTPUT_SCRIPT,
    Field(b"\x05", "tap_internal_key", value=_X_ONLY),
    Field(b"\x06", "tap_tree"),
    OUTPUT_TAP_BIP32_DERIVATION,
)

STAYS_WHEN_FINAL = _by_type(
    NON_WITNESS_UTXO,
    WITNESS_UTXO,
    PREVIOUS_TXID,
    OUTPUT_INDEX,
    SEQUENCE,
    REQUIRED_TIME_LOCKTIME,
    REQUIRED_HEIGHT_LOCKTIME,
)
"""The known fields of an input that stay when it is final: everything else was for those who had to sign (BIP-174, Input Finalizer)."""
STAYS_UNTIL_ALL_ARE_FINAL = MappingProxyType({**STAYS_WHEN_FINAL, **_by_type(INPUT_BIP32_DERIVATION, INPUT_TAP_BIP32_DERIVATION)})
"""Those that stay while others have to sign: an account of the same wallet could not tell that the input is the wallet's, too."""
