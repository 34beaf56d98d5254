"""Write PSBTs of either version field by field, with made-up coins, for tests that need what no wallet writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from wallets.chains import CHAINS
from wallets.chains.bitcoin import Bitcoin, BitcoinTransaction
from wallets.chains.bitcoin.reader import write_counted, write_size
from wallets.chains.bitcoin.script import Kind, p2pkh, script_of, witness
from wallets.chains.bitcoin.transaction import Input, Output, Transaction, Unlocking
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.hashes import double_sha256, hash160
from wallets.mnemonic import parse, to_seed
from wallets.secret import PrivateKey, Seed

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "bitcoin.json").read_text())
MESSAGES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "bitcoin_messages.json").read_text())["messages"]
MAGIC = b"psbt\xff"
STRANGER = p2pkh(b"\x09" * 20)
FINGERPRINT = b"\x73\xc5\xda\x0a"
VARIANTS = {Kind.SEGWIT: "", Kind.TAPROOT: "taproot", Kind.NESTED: "nested", Kind.LEGACY: "legacy"}
KINDS = {variant: kind for kind, variant in VARIANTS.items()}


def chain(network: str = "btc") -> Bitcoin:
    """Return the network's row."""
    found = CHAINS[network]
    assert isinstance(found, Bitcoin)
    return found


def variant_of(vector: Mapping[str, Any]) -> str:
    """Return the variant of a vector's account as the domain knows it."""
    return "" if vector["type"] == "segwit" else str(vector["type"])


@cache
def _seed() -> Seed:
    return to_seed(parse(VECTORS["phrase"].strip()))


@dataclass(frozen=True)
class Party:
    """An account of the published phrase."""

    kind: Kind = Kind.SEGWIT
    index: int = 0
    network: str = "btc"

    @property
    def variant(self) -> str:
        """Its variant, as requests name it."""
        return VARIANTS[self.kind] if chain(self.network).variants else ""

    @property
    def path(self) -> DerivationPath:
        """Where its key is."""
        return DerivationPath.parse(chain(self.network).path(DerivationScheme.STANDARD, self.variant).format(index=self.index))

    @property
    def key(self) -> PrivateKey:
        """Its key."""
        return _key(self)

    @property
    def script(self) -> bytes:
        """What pays it."""
        return script_of(self.kind, self.key.public_key)

    @property
    def address(self) -> str:
        """Its address."""
        return chain(self.network).address(self.key.public_key, DerivationScheme.STANDARD, self.variant)

    @property
    def redeem_script(self) -> bytes:
        """What a nested account's script stands for."""
        return witness(0, hash160(self.key.public_key))

    def decode(self, raw: bytes) -> BitcoinTransaction:
        """Decode a PSBT for this account."""
        return chain(self.network).decode(raw, self.variant)


@cache
def _key(party: Party) -> PrivateKey:
    return derive(_seed(), party.path, chain(party.network).curve, DerivationScheme.STANDARD)


US = Party()


@dataclass(frozen=True)
class Spent:
    """An input: what it spends, and which fields tell of it."""

    script: bytes
    amount: int = 100_000
    salt: int = 1
    sequence: int = 0xFFFFFFFD
    number: int = 1
    has_whole: bool = True
    has_claim: bool = False
    has_witness: bool = False
    whole: bytes = b""
    fields: Sequence[tuple[bytes, bytes]] = field(default_factory=tuple)

    @property
    def output(self) -> Output:
        """The output that it spends."""
        return Output(self.amount, self.script)

    @property
    def previous(self) -> bytes:
        """The transaction that has the output: `whole`, or one as it could stand on the chain, whose own input is made up."""
        return self._made_up(b"\x07" * 71, b"\x08" * 33) if self.has_witness else self._stripped

    @property
    def input(self) -> Input:
        """It as transactions name it."""
        return Input(double_sha256(self._stripped) + self.number.to_bytes(4, "little"), self.sequence)

    @property
    def _stripped(self) -> bytes:
        return self.whole or self._made_up()

    def _made_up(self, *stack: bytes) -> bytes:
        others = [Output(7_000 + at, STRANGER) for at in range(self.number)]
        made_up = Input(bytes([self.salt]) * 32 + bytes(4))
        return Transaction(2, (made_up,), (*others, self.output, Output(1, STRANGER)), 0).raw([Unlocking(b"\x51", stack)])

    @property
    def map(self) -> dict[bytes, bytes]:
        """Its fields."""
        found = {b"\x00": self.previous} if self.has_whole else {}
        if self.has_claim:
            found[b"\x01"] = self.output.raw
        return found | dict(self.fields)


def spent(party: Party, amount: int = 100_000, **more: Any) -> Spent:
    """Return an input that spends what an account is paid, with the fields that wallets write for it."""
    fields = list(more.pop("fields", ()))
    if party.kind is Kind.NESTED:
        fields.append((b"\x04", party.redeem_script))
    more.setdefault("has_claim", party.kind is not Kind.LEGACY)
    return Spent(party.script, amount, fields=tuple(fields), **more)


Fields = Sequence[tuple[bytes, bytes]]


def write_map(fields: Fields) -> bytes:
    """Write a map."""
    return b"".join(write_counted(key) + write_counted(value) for key, value in fields) + b"\0"


def psbt(
    inputs: Sequence[Spent],
    outputs: Sequence[Output],
    *,
    version: int = 0,
    tx_version: int = 2,
    lock_time: int = 0,
    head: Fields = (),
    output_fields: Mapping[int, Fields] | None = None,
) -> bytes:
    """Write a PSBT; `head` and `output_fields` stand behind what must be there."""
    extra = output_fields or {}
    transaction = Transaction(tx_version, tuple(each.input for each in inputs), tuple(outputs), lock_time)
    if version == 0:
        first: dict[bytes, bytes] = {b"\x00": transaction.raw()}
        input_maps = [each.map for each in inputs]
        output_maps: list[dict[bytes, bytes]] = [{} for _ in outputs]
    else:
        first = {b"\x02": tx_version.to_bytes(4, "little"), b"\x03": lock_time.to_bytes(4, "little")}
        first |= {b"\x04": write_size(len(inputs)), b"\x05": write_size(len(outputs)), b"\xfb": (2).to_bytes(4, "little")}
        input_maps = [
            {**each.map, b"\x0e": each.input.outpoint[:32], b"\x0f": each.input.outpoint[32:], b"\x10": each.sequence.to_bytes(4, "little")}
            for each in inputs
        ]
        output_maps = [{b"\x03": each.amount.to_bytes(8, "little"), b"\x04": each.script} for each in outputs]
    ends = [[*found.items(), *extra.get(at, ())] for at, found in enumerate(output_maps)]
    maps = [[*first.items(), *head], *(list(found.items()) for found in input_maps), *ends]
    return MAGIC + b"".join(write_map(each) for each in maps)


def claim(party: Party, *, path: DerivationPath | None = None) -> tuple[bytes, bytes]:
    """Return the field by which an output says that it is the wallet's, at this account's path or another."""
    steps = b"".join(step.to_bytes(4, "little") for step in (path or party.path).steps)
    if party.kind is Kind.TAPROOT:
        return b"\x07" + party.key.public_key[1:], b"\0" + FINGERPRINT + steps
    return b"\x02" + party.key.public_key, FINGERPRINT + steps


def signer(party: Party, *, path: DerivationPath | None = None) -> tuple[bytes, bytes]:
    """Return the field by which an input says that the wallet's key at this account's path, or another, shall sign it."""
    key, value = claim(party, path=path)
    return {b"\x02": b"\x06", b"\x07": b"\x16"}[key[:1]] + key[1:], value


def transfer(party: Party = US, **more: Any) -> bytes:
    """Write a PSBT that spends one coin of an account, to a stranger and back."""
    return psbt([spent(party)], [Output(60_000, STRANGER), Output(39_000, party.script)], **more)
