"""Find out what each input spends, and how much of that can be believed.

A signature of version 0 holds for the amount of its own input alone: whoever lies about the other inputs, and has each signed in turn with
another lie, makes the signer pay a fee that was never shown. So amounts are believed that are in the full previous transaction, whose id
the input names, and others only where the signature itself does not hold unless they are true: of the only input, or by taproot, which
signs all amounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wallets.chains.bitcoin.digest import ALL, DEFAULT
from wallets.chains.bitcoin.fields import (
    FINAL_SCRIPTSIG,
    NON_WITNESS_UTXO,
    REDEEM_SCRIPT,
    SIGHASH_TYPE,
    WITNESS_SCRIPT,
    WITNESS_UTXO,
)
from wallets.chains.bitcoin.psbt import Map, Psbt, Value
from wallets.chains.bitcoin.script import Kind, key_hash_of, script_hash_of, witness_program
from wallets.chains.bitcoin.transaction import Input, Output, read_previous
from wallets.chains.refusal import refuse
from wallets.hashes import hash160, sha256


@dataclass(frozen=True, slots=True)
class Coin:
    """What an input spends. `kind` is how one key spends it, None where it is otherwise; `key` that key's hash or, by taproot, its x."""

    output: Output
    is_proven: bool
    is_segwit: bool
    kind: Kind | None
    key: bytes


def read_coins(psbt: Psbt, signs: Kind, *, has_segwit: bool) -> tuple[Coin, ...]:
    """Return what each input spends, for an account that `signs` in this way.

    Raises:
        MalformedTransactionError: It is not there, is not what the input names, contradicts itself, or could be a lie.
    """
    inputs = zip(psbt.transaction.inputs, psbt.inputs, strict=True)
    coins = tuple([_read_coin(spent, found, has_segwit=has_segwit) for spent, found in inputs])
    _check_proofs(psbt, coins, signs)
    return coins


def _read_coin(spent: Input, found: Map, *, has_segwit: bool) -> Coin:
    full, claimed = found.get(NON_WITNESS_UTXO), found.get(WITNESS_UTXO)
    output = None if full is None else _previous_output(spent, found, full)
    if claimed is not None:
        if not has_segwit:
            found.refuse(WITNESS_UTXO, claimed, "the network has no segwit; give the whole transaction, non_witness_utxo")
        told = _read_output(found, claimed)
        if output is not None and output != told:
            found.refuse(WITNESS_UTXO, claimed, "it is not the output that non_witness_utxo has")
        output = told
    if output is None:
        refuse(found.name, found.offset, "it has neither non_witness_utxo nor witness_utxo")
    return _coin(output, found, is_proven=full is not None)


def _previous_output(spent: Input, found: Map, full: Value) -> Output:
    identity, output = read_previous(found.reader(NON_WITNESS_UTXO, full), spent.number)
    if identity != spent.outpoint[:32]:
        found.refuse(NON_WITNESS_UTXO, full, f"its id is {identity[::-1].hex()}, and {spent.tx_id} is spent")
    return output


def _read_output(found: Map, value: Value) -> Output:
    reader = found.reader(WITNESS_UTXO, value)
    output = Output(reader.uint(8), reader.counted())
    reader.end_here()
    return output


def _coin(output: Output, found: Map, *, is_proven: bool) -> Coin:
    redeem = _redeem_script(output, found)
    program = witness_program(redeem or output.script)
    _check_witness_script(program, found)
    kind, key = _kind(output.script, program, is_nested=bool(redeem))
    coin = Coin(output, is_proven, program is not None, kind, key)
    _check_hash_type(coin, found)
    return coin


def _kind(script: bytes, program: tuple[int, bytes] | None, *, is_nested: bool) -> tuple[Kind | None, bytes]:
    key_hash = key_hash_of(script)
    if key_hash is not None:
        return Kind.LEGACY, key_hash
    version, content = program or (-1, b"")
    if version == 0 and len(content) == 20:
        return Kind.NESTED if is_nested else Kind.SEGWIT, content
    if version == 1 and len(content) == 32 and not is_nested:
        return Kind.TAPROOT, content
    return None, b""


def _redeem_script(output: Output, found: Map) -> bytes:
    """Return the script that a p2sh output pays to, as far as it is told; of a final input it is the only thing that is pushed."""
    wanted, told = script_hash_of(output.script), found.get(REDEEM_SCRIPT)
    if told is not None:
        if wanted != hash160(told.raw):
            found.refuse(REDEEM_SCRIPT, told, "the output does not pay to it")
        return told.raw
    final = found.get(FINAL_SCRIPTSIG)
    if wanted is None or final is None or final.raw[:1] != bytes([len(final.raw) - 1 & 0xFF]) or wanted != hash160(final.raw[1:]):
        return b""
    return final.raw[1:]


def _check_witness_script(program: tuple[int, bytes] | None, found: Map) -> None:
    told = found.get(WITNESS_SCRIPT)
    if told is not None and program != (0, sha256(told.raw)):
        found.refuse(WITNESS_SCRIPT, told, "the output does not pay to it")


def _check_hash_type(coin: Coin, found: Map) -> None:
    """Refuse a signature that would hold for other outputs or inputs than those that are shown."""
    told = found.get(SIGHASH_TYPE)
    taken = {ALL, DEFAULT} if coin.kind is Kind.TAPROOT else {ALL}
    if told is not None and told.number not in taken:
        found.refuse(SIGHASH_TYPE, told, f"it is {told.number}; only signatures for all inputs and outputs are made")


def _check_proofs(psbt: Psbt, coins: Sequence[Coin], signs: Kind) -> None:
    signs_all_amounts = signs is Kind.TAPROOT or all(coin.kind is Kind.TAPROOT for coin in coins)
    for coin, found in zip(coins, psbt.inputs, strict=True):
        if coin.is_proven:
            continue
        if not coin.is_segwit:
            refuse(found.name, found.offset, "it has no non_witness_utxo, without which the amount is not known")
        if len(coins) > 1 and not signs_all_amounts:
            refuse(found.name, found.offset, "it has no non_witness_utxo, without which its amount, and so the fee, could be another")
