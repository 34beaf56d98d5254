"""Say what a transaction does: whom it pays, what comes back, what it costs, and what is odd about it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from wallets.chains.base import Own
from wallets.chains.bitcoin.coin import Coin
from wallets.chains.bitcoin.network import Network
from wallets.chains.bitcoin.ownership import Ownership, Paths, input_claims, output_claims, ownership
from wallets.chains.bitcoin.psbt import LOCK_TIME_THRESHOLD, Psbt
from wallets.chains.bitcoin.script import OP_RETURN, Kind, address_of, is_unspendable_taproot, script_for, witness_program
from wallets.chains.bitcoin.transaction import FINAL_SEQUENCE, Output, Transaction, Unlocking
from wallets.hashes import sha256
from wallets.model import Intent, Transfer

MAX_SHOWN = 10
"""Of warnings of a kind, and of outputs that carry data; of the others it is told how many there are."""

_MAX_SHOWN_BYTES = 80
_OLD_DATA_CARRIER = 83
"""Bytes of a script with data that every node relays (Bitcoin Core before version 30)."""
_REPLACEABLE = FINAL_SEQUENCE - 1
_RELATIVE_LOCK_OFF = 1 << 31
_USUAL_VERSIONS = frozenset({1, 2, 3})
_SIGNED_SIZES: Mapping[Kind | None, tuple[int, int]] = {
    Kind.LEGACY: (107, 0),
    Kind.NESTED: (23, 108),
    Kind.SEGWIT: (0, 108),
    Kind.TAPROOT: (0, 67),
}
"""What a signature adds to an input, at most: bytes of the script, and of the witness."""


@dataclass(frozen=True)
class Picture:
    """What is known of a transaction without knowing who signs it."""

    network: Network
    psbt: Psbt
    payload_hash: bytes
    unsigned_tx_id: str
    coins: tuple[Coin, ...]
    paths: Paths
    signed_inputs: int
    """How many inputs have what makes them valid."""
    size: int | None
    """Virtual bytes when it is signed, at most; None where an input is spent in a way that is not known."""

    @property
    def transaction(self) -> Transaction:
        """The transaction."""
        return self.psbt.transaction

    @cached_property
    def total_in(self) -> int:
        """What all inputs have."""
        return sum([coin.output.amount for coin in self.coins])

    @cached_property
    def fee(self) -> int:
        """What the miner gets."""
        return self.total_in - sum([output.amount for output in self.transaction.outputs])

    @cached_property
    def details(self) -> dict[str, str | int]:
        """What is told of it beside whom it pays."""
        return _details(self)

    @cached_property
    def oddities(self) -> tuple[str, ...]:
        """What is odd about it, but for its fee."""
        return (*_output_warnings(self), *_version_warnings(self.transaction))


def signed_size(unsigned: bytes, coins: Sequence[Coin], unlockings: Sequence[Unlocking | None]) -> int | None:
    """Return how many virtual bytes the signed transaction has at most (BIP-141), if that is known of every input."""
    scripts = witnesses = bare = 0
    for coin, unlocking in zip(coins, unlockings, strict=True):
        if unlocking is not None:
            script, stack = len(unlocking.script), len(unlocking.raw_witness) if unlocking.witness else 0
        elif coin.kind in _SIGNED_SIZES:
            script, stack = _SIGNED_SIZES[coin.kind]
        else:
            return None
        scripts, witnesses, bare = scripts + script, witnesses + stack, bare + (not stack)
    if witnesses:
        witnesses += 2 + bare  # marker and flag; beside those that have a witness, an input without one has an empty one
    return len(unsigned) + scripts + (witnesses + 3) // 4


def describe(picture: Picture) -> Intent:
    """Return what it does, whoever signs it: every output is somebody else's."""
    return _intent(picture, (), None, ())


def describe_for(picture: Picture, address: str, own: Own | None) -> Intent:
    """Return what it does to the wallet when `address` signs it.

    `change` are the outputs that pay the wallet, `net_outflow` is what its inputs have beyond them; see `ownership` for which these are.
    """
    ours = _ownership(picture, address, own)
    spent = [coin.output.amount for coin in picture.coins if coin.output.script in ours.scripts]
    returned = {number: output.amount for number, output in enumerate(picture.transaction.outputs) if output.script in ours.scripts}
    details = {"own_inputs": len(spent)}
    if returned:
        details["change"] = sum(returned.values())
        details["change_outputs"] = len(returned)
    details["net_outflow"] = sum(spent) - details.get("change", 0)
    intent = _intent(picture, returned.keys(), address, _shown(ours.warnings))
    return replace(intent, details={**intent.details, **details})


def _ownership(picture: Picture, address: str, own: Own | None) -> Ownership:
    forms = picture.network.forms
    script = script_for(forms, address)
    if own is None:
        return Ownership(frozenset({script}))
    inputs = input_claims(picture.psbt, [coin.output.script for coin in picture.coins], picture.paths)
    return ownership(forms, script, inputs, output_claims(picture.psbt, picture.paths), own)


def _shown(warnings: Sequence[str]) -> tuple[str, ...]:
    more = len(warnings) - MAX_SHOWN
    return (*warnings[:MAX_SHOWN], f"{more} more of this kind") if more > 0 else tuple(warnings)


def _intent(picture: Picture, own: Collection[int], sender: str | None, warnings: Sequence[str]) -> Intent:
    outputs = picture.transaction.outputs
    others = [(number, output) for number, output in enumerate(outputs) if number not in own]
    transfers = tuple([Transfer(_recipient(picture, output), output.amount) for _, output in others if not _is_data(output)])
    return Intent(
        picture.network.name,
        "transfer" if transfers else "self_transfer",
        sender=sender,
        transfers=transfers,
        max_fee=picture.fee,
        details=picture.details,
        warnings=(*_fee_warnings(picture, transfers), *picture.oddities, *warnings),
    )


def _is_data(output: Output) -> bool:
    """Tell whether an output carries data and no value."""
    return output.script[:1] == bytes([OP_RETURN]) and not output.amount


def _recipient(picture: Picture, output: Output) -> str:
    address = address_of(picture.network.forms, output.script)
    if address is not None:
        return address
    if len(output.script) <= _MAX_SHOWN_BYTES:
        return f"script {output.script.hex()}"
    return f"script of {len(output.script)} bytes, SHA-256 {sha256(output.script).hex()}"


def _details(picture: Picture) -> dict[str, str | int]:
    transaction = picture.transaction
    details: dict[str, str | int] = {
        "psbt_version": picture.psbt.version,
        "unsigned_tx_id": picture.unsigned_tx_id,
        "payload_hash": picture.payload_hash.hex(),
        "version": transaction.version,
        "inputs": len(transaction.inputs),
        "signed_inputs": picture.signed_inputs,
        "outputs": len(transaction.outputs),
        "input_total": picture.total_in,
        "replaceable": "yes" if any(each.sequence < _REPLACEABLE for each in transaction.inputs) else "no",
    }
    if picture.size is not None:
        details["max_vsize"] = picture.size
        details["min_fee_rate"] = _rate(picture.fee, picture.size)
    return details | _locks(transaction) | _data(transaction.outputs)


def _rate(fee: int, size: int) -> str:
    """Return base units a virtual byte, rounded down to hundredths."""
    hundredths = fee * 100 // size
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _locks(transaction: Transaction) -> dict[str, str | int]:
    details: dict[str, str | int] = {}
    if transaction.lock_time and any(each.sequence < FINAL_SEQUENCE for each in transaction.inputs):
        details["lock_height" if transaction.lock_time < LOCK_TIME_THRESHOLD else "lock_time"] = transaction.lock_time
    relative = sum([each.sequence < _RELATIVE_LOCK_OFF for each in transaction.inputs]) if transaction.version >= 2 else 0
    if relative:
        details["relative_locks"] = relative
    return details


def _data(outputs: Sequence[Output]) -> dict[str, str | int]:
    found = [(number, output.script) for number, output in enumerate(outputs) if output.script[:1] == bytes([OP_RETURN])]
    details: dict[str, str | int] = {
        f"data_{number}": script[1:].hex()
        if len(script) <= _OLD_DATA_CARRIER
        else f"{len(script) - 1} bytes, SHA-256 {sha256(script[1:]).hex()}"
        for number, script in found[:MAX_SHOWN]
    }
    return details | {"data_outputs": len(found)} if found else details


def _fee_warnings(picture: Picture, transfers: Sequence[Transfer]) -> Iterator[str]:
    network, fee = picture.network, picture.fee
    amount = sum([transfer.amount for transfer in transfers]) or picture.total_in - fee
    if fee * 10 > amount:
        yield f"the fee, {fee}, is more than 10 % of the amount, {amount}"
    if picture.size is None:
        return
    if fee > network.high_fee_rate * picture.size:
        yield f"the fee is at least {_rate(fee, picture.size)} for a virtual byte, far more than is usual"
    if fee * 1000 < network.relay_fee_rate * picture.size:
        yield f"the fee may be less than nodes relay: {_rate(fee, picture.size)} for a virtual byte"


def _version_warnings(transaction: Transaction) -> Iterator[str]:
    if transaction.version not in _USUAL_VERSIONS:
        yield f"nodes do not relay transactions of version {transaction.version}"


def _output_warnings(picture: Picture) -> Iterator[str]:
    numbers: dict[str, list[int]] = {}
    for number, output in enumerate(picture.transaction.outputs):
        for problem in _problems(picture.network, output):
            numbers.setdefault(problem, []).append(number)
    for problem, found in numbers.items():
        more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
        yield f"output {', '.join(map(str, found[:MAX_SHOWN]))}{more} {problem}"


def _problems(network: Network, output: Output) -> Iterator[str]:
    if output.script[:1] == bytes([OP_RETURN]):
        if output.amount:
            yield "burns its value: it carries data, which nobody can spend"
        if len(output.script) > _OLD_DATA_CARRIER:
            yield "carries more data than many nodes relay"
        return
    if output.amount < network.dust(output.script):
        yield "is dust: nodes may not relay it"
    program = witness_program(output.script)
    if address_of(network.forms, output.script) is None:
        yield "has no address: its script is none that wallets use"
    elif program is not None and (program[0] > 1 or (program[0] == 1 and len(program[1]) != 32)):
        yield "can be spent by anybody: its witness version has no rules yet"
    elif is_unspendable_taproot(output.script):
        yield "can be spent by nobody: its taproot key is no point of the curve"
