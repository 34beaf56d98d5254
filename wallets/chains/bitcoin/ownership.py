"""Tell which inputs and outputs are the wallet's: those of the account that signs, and those of accounts that they say they are of.

What a PSBT says is a claim. It is believed once the account is derived and is paid by that very script; a script that is known to be the
wallet's is so wherever it stands, with a claim or without.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wallets.chains.base import Own
from wallets.chains.bitcoin.fields import (
    INPUT_BIP32_DERIVATION,
    INPUT_TAP_BIP32_DERIVATION,
    OUTPUT_BIP32_DERIVATION,
    OUTPUT_TAP_BIP32_DERIVATION,
    Field,
)
from wallets.chains.bitcoin.psbt import Map, Psbt
from wallets.chains.bitcoin.script import Forms, address_of
from wallets.derivation import DerivationPath

MAX_INPUT_CLAIMS = 100
"""Inputs whose accounts are derived to see whether they are the wallet's: each account costs as much as three signatures."""
MAX_OUTPUT_CLAIMS = 20
"""Outputs whose accounts are."""

_MAX_PATH_STEPS = 10


@dataclass(frozen=True, slots=True)
class Claim:
    """What an input or output says: that `script` pays the key at this path, which is that of `account`, index and variant, if of any."""

    script: bytes
    path: str
    account: tuple[int, str] | None


Claims = Mapping[int, Claim]
"""Claims by the numbers of the inputs or outputs that make them."""

Paths = Mapping[str, str]
"""The paths of a network's accounts by variant, with `{index}` in each."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The scripts that pay the wallet, as far as that is proven, and what is to be said of claims that are not."""

    scripts: frozenset[bytes]
    warnings: tuple[str, ...] = ()


def input_claims(psbt: Psbt, spent: Iterable[bytes], paths: Paths) -> Claims:
    """Return what the inputs claim that one key signs; `spent` are the scripts of what they spend."""
    return _claims(psbt.inputs, spent, (INPUT_BIP32_DERIVATION, INPUT_TAP_BIP32_DERIVATION), paths)


def output_claims(psbt: Psbt, paths: Paths) -> Claims:
    """Return what the outputs of one key claim."""
    scripts = [output.script for output in psbt.transaction.outputs]
    return _claims(psbt.outputs, scripts, (OUTPUT_BIP32_DERIVATION, OUTPUT_TAP_BIP32_DERIVATION), paths)


def ownership(forms: Forms, script: bytes, inputs: Claims, outputs: Claims, own: Own) -> Ownership:
    """Return what is the wallet's when the account that `script` pays signs; `own` derives others.

    An input that lies gets no warning: the inputs of others say in the same way who shall sign them.
    """
    scripts = {script}
    _, unseen_inputs = _prove(forms, inputs, MAX_INPUT_CLAIMS, own, scripts)
    lies, unseen_outputs = _prove(forms, outputs, MAX_OUTPUT_CLAIMS, own, scripts)
    warnings = [_lie(number, outputs[number]) for number in lies]
    if unseen_outputs:
        warnings.append(f"{len(unseen_outputs)} more outputs are said to be change; they were not looked at and are not believed")
    unknown = sum([script not in scripts for script in unseen_inputs])
    if unknown:
        warnings.insert(0, f"{unknown} more inputs are said to be the wallet's; they were not looked at, and net_outflow is without them")
    return Ownership(frozenset(scripts), tuple(warnings))


def _prove(forms: Forms, claims: Claims, most: int, own: Own, scripts: set[bytes]) -> tuple[list[int], list[bytes]]:
    """Add what is proven to `scripts`; return the numbers of claims that are not true, and the scripts of those that were not looked at."""
    lies: list[int] = []
    unseen: list[bytes] = []
    left = most
    for number, claim in claims.items():
        if claim.script in scripts:
            continue
        if not left:
            unseen.append(claim.script)
            continue
        left -= 1
        if claim.account is not None and own(*claim.account) == address_of(forms, claim.script):
            scripts.add(claim.script)
        else:
            lies.append(number)
    return lies, unseen


def _lie(number: int, claim: Claim) -> str:
    if claim.account is None:
        return f"output {number} is said to be change at {claim.path}, which is no account of this service: not believed"
    return f"output {number} is said to be change at {claim.path}, and is not this wallet's"


def _claims(maps: Sequence[Map], scripts: Iterable[bytes], fields: tuple[Field, Field], paths: Paths) -> Claims:
    found = [(number, script, _claimed_path(each, *fields)) for number, (each, script) in enumerate(zip(maps, scripts, strict=True))]
    return {number: _claim(script, path, paths) for number, script, path in found if path is not None}


def _claimed_path(found: Map, ecdsa: Field, schnorr: Field) -> bytes | None:
    """Return the path that a map says its one key is derived at, four bytes a step."""
    legacy, taproot = found.all(ecdsa), found.all(schnorr)
    if len(legacy) + len(taproot) != 1:
        return None
    # Of taproot the hashes of leaves come first, of which a key that spends alone has none; then, as ever, the master key's fingerprint.
    words = legacy[0][1].raw[4:] if legacy else taproot[0][1].raw[5:]
    if taproot and (taproot[0][1].raw[:1] != b"\0" or len(words) % 4):
        return None
    return words


def _claim(script: bytes, words: bytes, paths: Paths) -> Claim:
    # A path may fill the whole PSBT, so that it is not read before its length is known to be one of an account's or nearly.
    if len(words) > 4 * _MAX_PATH_STEPS:
        return Claim(script, f"a path of {len(words) // 4} steps", None)
    steps = tuple([int.from_bytes(words[at : at + 4], "little") for at in range(0, len(words), 4)])
    text = str(DerivationPath(steps))
    for variant, path in paths.items():
        if steps and text == path.format(index=steps[-1]):
            return Claim(script, text, (steps[-1], variant))
    return Claim(script, text, None)
