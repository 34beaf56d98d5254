"""List the fields of a PSBT: what each is called, where it may stand, and how long key and value are (BIP-174, BIP-370, BIP-371)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_NONE = (0,)
_KEYS = (33, 65)
_X_ONLY = (32,)
_SCHNORR = (64, 65)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field looks like. `key` are the lengths that what stands behind the type may have, and `value` those of the value; None: any.

    `version` is the one version of PSBT that has it; None: both. With `words`, the value is one or more numbers of four bytes.
    """

    name: str
    key: Collection[int] | None = _NONE
    value: Collection[int] | None = None
    version: int | None = None
    words: bool = False


GLOBAL: Mapping[int, Shape] = MappingProxyType(
    {
        0x00: Shape("unsigned_tx", version=0),
        0x01: Shape("xpub", key=(78,), words=True),
        0x02: Shape("tx_version", value=(4,), version=2),
        0x03: Shape("fallback_locktime", value=(4,), version=2),
        0x04: Shape("input_count", version=2),
        0x05: Shape("output_count", version=2),
        0x06: Shape("tx_modifiable", value=(1,), version=2),
        0xFB: Shape("version", value=(4,)),
    }
)

INPUT: Mapping[int, Shape] = MappingProxyType(
    {
        0x00: Shape("non_witness_utxo"),
        0x01: Shape("witness_utxo"),
        0x02: Shape("partial_sig", key=_KEYS),
        0x03: Shape("sighash_type", value=(4,)),
        0x04: Shape("redeem_script"),
        0x05: Shape("witness_script"),
        0x06: Shape("bip32_derivation", key=_KEYS, words=True),
        0x07: Shape("final_scriptsig"),
        0x08: Shape("final_scriptwitness"),
        0x09: Shape("por_commitment"),
        0x0A: Shape("ripemd160", key=(20,)),
        0x0B: Shape("sha256", key=(32,)),
        0x0C: Shape("hash160", key=(20,)),
        0x0D: Shape("hash256", key=(32,)),
        0x0E: Shape("previous_txid", value=(32,), version=2),
        0x0F: Shape("output_index", value=(4,), version=2),
        0x10: Shape("sequence", value=(4,), version=2),
        0x11: Shape("required_time_locktime", value=(4,), version=2),
        0x12: Shape("required_height_locktime", value=(4,), version=2),
        0x13: Shape("tap_key_sig", value=_SCHNORR),
        0x14: Shape("tap_script_sig", key=(64,), value=_SCHNORR),
        0x15: Shape("tap_leaf_script", key=range(33, 33 + 32 * 128 + 1, 32)),
        0x16: Shape("tap_bip32_derivation", key=_X_ONLY),
        0x17: Shape("tap_internal_key", value=_X_ONLY),
        0x18: Shape("tap_merkle_root", value=(32,)),
    }
)

OUTPUT: Mapping[int, Shape] = MappingProxyType(
    {
        0x00: Shape("redeem_script"),
        0x01: Shape("witness_script"),
        0x02: Shape("bip32_derivation", key=_KEYS, words=True),
        0x03: Shape("amount", value=(8,), version=2),
        0x04: Shape("script", version=2),
        0x05: Shape("tap_internal_key", value=_X_ONLY),
        0x06: Shape("tap_tree"),
        0x07: Shape("tap_bip32_derivation", key=_X_ONLY),
    }
)

STAYS_WHEN_FINAL = frozenset({0x00, 0x01, 0x0E, 0x0F, 0x10, 0x11, 0x12})
"""The known fields of an input that stay when it is final: everything else was for those who had to sign (BIP-174, Input Finalizer)."""
