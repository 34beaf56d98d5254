"""Make inputs valid: with signatures of our own, and with those of others once they are verified."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from wallets.chains.bitcoin.coin import Coin
from wallets.chains.bitcoin.digest import ALL, DEFAULT, Digests
from wallets.chains.bitcoin.fields import (
    FINAL_SCRIPTSIG,
    FINAL_SCRIPTWITNESS,
    INPUT,
    PARTIAL_SIG,
    SIGHASH_TYPE,
    TAP_KEY_SIG,
)
from wallets.chains.bitcoin.psbt import Map, Psbt, Value
from wallets.chains.bitcoin.reader import write_counted
from wallets.chains.bitcoin.script import Kind, taproot_tweak, witness
from wallets.chains.bitcoin.transaction import Unlocking
from wallets.chains.refusal import refuse
from wallets.curves import sign_schnorr, sign_secp256k1, verify_schnorr, verify_secp256k1
from wallets.hashes import hash160
from wallets.secret import PrivateKey

_MAX_WITNESS_ITEMS = 10_000
"""Of all inputs together: more than those of 100 items each that nodes relay, and so few that reading them takes no time."""


def read_unlockings(psbt: Psbt, coins: Sequence[Coin], digests: Digests) -> tuple[Unlocking | None, ...]:
    """Return what makes each input valid, if that is there: final, or as the one signature that is needed.

    The signatures of single keys are verified; what others need to spend by scripts is kept as it is.

    Raises:
        MalformedTransactionError: A signature is not that of the key on this transaction, or what is final is no script or witness.
    """
    unlockings, left = [], _MAX_WITNESS_ITEMS
    for index, coin in enumerate(coins):
        unlocking = _read_unlocking(index, coin, psbt.inputs[index], digests, left)
        unlockings.append(unlocking)
        left -= 0 if unlocking is None else len(unlocking.witness)
    return tuple(unlockings)


def _read_unlocking(index: int, coin: Coin, found: Map, digests: Digests, most_items: int) -> Unlocking | None:
    script, stack = found.get(FINAL_SCRIPTSIG), found.get(FINAL_SCRIPTWITNESS)
    if script is not None or stack is not None:
        unlocking = Unlocking(script.raw if script else b"", _read_stack(found, stack, most_items) if stack else ())
        offset = (stack or script or Value(b"", 0)).offset
        if coin.kind is not None and not _is_unlocked(index, coin, unlocking, digests):
            refuse(f"{found.name} final signature", offset, "it is not that of the key on this transaction")
        return unlocking
    if coin.kind is Kind.TAPROOT:
        return _taproot_signature(index, coin, found, digests)
    return _ecdsa_signature(index, coin, found, digests) if coin.kind else None


def _read_stack(found: Map, value: Value, most: int) -> tuple[bytes, ...]:
    reader = found.reader(FINAL_SCRIPTWITNESS, value)
    count = reader.size()
    if count > most:
        reader.fail(f"it has {count} items; the witnesses of all inputs may have {_MAX_WITNESS_ITEMS}")
    items = tuple([reader.counted() for _ in range(count)])
    reader.end_here()
    return items


def _taproot_signature(index: int, coin: Coin, found: Map, digests: Digests) -> Unlocking | None:
    value = found.get(TAP_KEY_SIG)
    if value is None:
        return None
    unlocking = Unlocking(witness=(value.raw,))
    if not _is_unlocked(index, coin, unlocking, digests):
        found.refuse(TAP_KEY_SIG, value, "it is not that of the key on this transaction")
    return unlocking


def _ecdsa_signature(index: int, coin: Coin, found: Map, digests: Digests) -> Unlocking | None:
    unlocking = None
    for public_key, value in found.all(PARTIAL_SIG):
        unlocking = _ecdsa_unlocking(coin.kind, coin.key, value.raw, public_key)
        if not _is_unlocked(index, coin, unlocking, digests):
            found.refuse(PARTIAL_SIG, value, "it is not that of the key on this transaction")
    return unlocking


def _ecdsa_unlocking(kind: Kind | None, key_hash: bytes, signature: bytes, public_key: bytes) -> Unlocking:
    if kind is Kind.LEGACY:
        return Unlocking(script=write_counted(signature) + write_counted(public_key))
    script = write_counted(witness(0, key_hash)) if kind is Kind.NESTED else b""
    return Unlocking(script, (signature, public_key))


def _is_unlocked(index: int, coin: Coin, unlocking: Unlocking, digests: Digests) -> bool:
    """Tell whether the signature of a single key is there and right."""
    if coin.kind is Kind.TAPROOT:
        return not unlocking.script and _is_taproot_unlocked(index, coin, unlocking.witness, digests)
    items = _pushed(unlocking.script) if coin.kind is Kind.LEGACY else unlocking.witness
    if len(items) != 2 or unlocking != _ecdsa_unlocking(coin.kind, coin.key, *items):
        return False
    signature, public_key = items
    is_compressed = coin.kind is Kind.LEGACY or len(public_key) == 33
    return (
        is_compressed
        and hash160(public_key) == coin.key
        and signature[-1:] == bytes([ALL])
        and verify_secp256k1(public_key, read_der(signature[:-1]), digests.ecdsa(index, coin.kind, coin.key))
    )


def _is_taproot_unlocked(index: int, coin: Coin, stack: Sequence[bytes], digests: Digests) -> bool:
    if len(stack) != 1:  # by a script, or with an annex: not ours to judge
        return bool(stack)
    signature, hash_type = stack[0][:64], stack[0][64:] or bytes([DEFAULT])
    is_right_type = len(stack[0]) == 64 or hash_type == bytes([ALL])
    return is_right_type and verify_schnorr(coin.key, signature, digests.taproot(index, hash_type[0]))


def _pushed(script: bytes) -> tuple[bytes, ...]:
    """Return what a signature script pushes, each in at most 75 bytes; nothing where it does anything else."""
    items: list[bytes] = []
    position = 0
    while position < len(script):
        end = position + 1 + script[position]
        if not 1 <= script[position] <= 75 or end > len(script) or len(items) == 2:
            return ()
        items.append(script[position + 1 : end])
        position = end
    return tuple(items)


def hash_type_of(found: Map) -> int:
    """Return what the signature of an input shall hold for: what its map says, of which others than 0 and 1 are refused, or the usual."""
    told = found.get(SIGHASH_TYPE)
    return DEFAULT if told is None else told.number


def sign_input(index: int, kind: Kind, hash_type: int, digests: Digests, key: PrivateKey) -> tuple[Unlocking, bytes]:
    """Sign an input that spends what a key is paid in this way; return what makes it valid, and the signature in it.

    `hash_type` is 0 or 1, which is another signature by taproot alone.

    Raises:
        SignatureFaultError: The signature does not verify.
    """
    if kind is Kind.TAPROOT:
        signature = sign_schnorr(key, digests.taproot(index, hash_type), taproot_tweak(key.public_key))
        signature += bytes([hash_type]) if hash_type else b""
        return Unlocking(witness=(signature,)), signature
    key_hash = hash160(key.public_key)
    signature = write_der(sign_secp256k1(key, digests.ecdsa(index, kind, key_hash))[:64]) + bytes([ALL])
    return _ecdsa_unlocking(kind, key_hash, signature, key.public_key), signature


def finalized(found: Map, unlocking: Unlocking, stays: Collection[int]) -> Map:
    """Return an input's map with what makes it valid, and of the fields that are known with those that stay (BIP-174, Input Finalizer)."""
    kept = {key: value for key, value in found.values.items() if key[0] in stays or key[0] not in INPUT}
    if unlocking.script:
        kept[FINAL_SCRIPTSIG.type] = Value(unlocking.script, 0)
    if unlocking.witness:
        kept[FINAL_SCRIPTWITNESS.type] = Value(unlocking.raw_witness, 0)
    return replace(found, values=kept)


def write_der(signature: bytes) -> bytes:
    """Write r||s as DER, as ECDSA signatures stand in transactions."""
    numbers = b"".join([_der_integer(int.from_bytes(part)) for part in (signature[:32], signature[32:])])
    return bytes([0x30, len(numbers)]) + numbers


def read_der(raw: bytes) -> bytes:
    """Read a signature in DER, strictly (BIP-66), as r||s; nothing where it is none."""
    if len(raw) < 8 or raw[0] != 0x30 or raw[2] != 0x02 or raw[1] != len(raw) - 2 or raw[3] > 33 or len(raw) < 6 + raw[3]:
        return b""
    end = 4 + raw[3]
    r, s = int.from_bytes(raw[4:end]), int.from_bytes(raw[end + 2 :])
    fits = r < 1 << 256 and s < 1 << 256
    signature = r.to_bytes(32) + s.to_bytes(32) if fits else b""
    return signature if fits and write_der(signature) == raw else b""


def _der_integer(number: int) -> bytes:
    # The highest bit is the sign, so a number that has it set gets a zero byte before it.
    raw = number.to_bytes(number.bit_length() // 8 + 1)
    return bytes([0x02, len(raw)]) + raw
