"""Bitcoin and the networks that are made like it: addresses of one key, and partially signed transactions (PSBT).

A client sends a PSBT of version 0 or 2; it gets the PSBT back with what its account signs made final, and the network's transaction as
soon as every input is. Sources: BIP-44, 49, 84, 86 (accounts), BIP-173, 350 (addresses), BIP-174, 370, 371 (PSBT), BIP-141, 143 (segwit),
BIP-340, 341 (taproot), BIP-137, 322 (messages). Scripts of several keys are others' to sign: they are kept as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import NoReturn

from wallets.chains.base import Own, no_typed_data
from wallets.chains.bitcoin.coin import Coin, read_coins
from wallets.chains.bitcoin.digest import Digests
from wallets.chains.bitcoin.fields import STAYS_UNTIL_ALL_ARE_FINAL, STAYS_WHEN_FINAL
from wallets.chains.bitcoin.intent import Picture, describe, describe_for, signed_size
from wallets.chains.bitcoin.message import PROOF, BitcoinMessage, formats_of, read_message
from wallets.chains.bitcoin.network import Network
from wallets.chains.bitcoin.ownership import Paths
from wallets.chains.bitcoin.psbt import Psbt, read_psbt
from wallets.chains.bitcoin.script import Forms, Kind, address_of, script_for, script_of, witness_program
from wallets.chains.bitcoin.transaction import MAX_WEIGHT, Unlocking, tx_id_of, virtual_size
from wallets.chains.bitcoin.unlock import finalized, hash_type_of, read_unlockings, sign_input
from wallets.chains.refusal import refuse
from wallets.curves import Curve
from wallets.derivation import DerivationScheme
from wallets.encoding import unbase64_exactly, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.hashes import sha256
from wallets.model import Intent, SignedTransaction
from wallets.secret import PrivateKey

_BASE64_MAGIC = "cHNidP"
_PURPOSES: Mapping[Kind, int] = MappingProxyType({Kind.SEGWIT: 84, Kind.TAPROOT: 86, Kind.NESTED: 49, Kind.LEGACY: 44})
_VARIANTS: Mapping[str, Kind] = MappingProxyType(
    {"segwit": Kind.SEGWIT, "taproot": Kind.TAPROOT, "nested": Kind.NESTED, "legacy": Kind.LEGACY}
)
_MWEB_VERSIONS = frozenset({8, 9})
_MWEB_FIELDS = range(0x90, 0xA6)
_MAX_LEGACY_WORK = 12 << 20
"""Bytes that legacy inputs hash to be signed: more than as many inputs and outputs to addresses as are taken, and under 10 milliseconds."""


@dataclass(frozen=True, slots=True)
class BitcoinTransaction:
    """A PSBT, read for an account that is paid and spends as `kind` says. `unlockings` make its inputs valid, where that is there."""

    picture: Picture
    kind: Kind
    digests: Digests
    unlockings: tuple[Unlocking | None, ...]
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """Return the addresses whose outputs are spent."""
        addresses = [address_of(self.picture.network.forms, coin.output.script) for coin in self.picture.coins]
        return frozenset([address or "a script without an address" for address in addresses])

    def intent_for(self, address: str, own: Own | None = None) -> Intent:
        """See `UnsignedTransaction.intent_for`: what comes back to the wallet is `change`, and not among the transfers."""
        return describe_for(self.picture, address, own)

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """Sign every input that spends what the account is paid, make it final, and return the PSBT; when all are final, the transaction.

        `signature` is that of the first of these inputs, as it stands in the transaction: DER and the hash type, or BIP-340. `extra` has
        the PSBT in hexadecimal, and the virtual size of the transaction.

        Raises:
            MalformedTransactionError: The account has no input here, or has signed them already.
            SignatureFaultError: The signature does not verify.
        """
        script, psbt = script_of(self.kind, key.public_key), self.picture.psbt
        own = [number for number, coin in enumerate(self.picture.coins) if coin.output.script == script]
        missing = [number for number in own if self.unlockings[number] is None]
        if not missing:
            raise MalformedTransactionError("this account has already signed" if own else "this account has no input to sign")
        signed = {number: sign_input(number, self.kind, hash_type_of(psbt.inputs[number]), self.digests, key) for number in missing}
        unlockings = [signed[number][0] if number in signed else each for number, each in enumerate(self.unlockings)]
        stays = STAYS_WHEN_FINAL if all(unlockings) else STAYS_UNTIL_ALL_ARE_FINAL
        finished = psbt.with_inputs(
            [finalized(found, each, stays) if each else found for found, each in zip(psbt.inputs, unlockings, strict=True)]
        )
        return _signed(finished, unlockings, signed[missing[0]][1])


def _signed(psbt: Psbt, unlockings: Sequence[Unlocking | None], signature: bytes) -> SignedTransaction:
    final = [each for each in unlockings if each is not None]
    if len(final) < len(unlockings):
        return SignedTransaction(b"", None, signature, {"psbt": psbt.raw.hex()})
    raw, stripped = psbt.transaction.raw(final), psbt.transaction.raw([Unlocking(each.script) for each in final])
    return SignedTransaction(raw, tx_id_of(stripped), signature, {"psbt": psbt.raw.hex(), "vsize": virtual_size(raw, stripped)})


@dataclass(frozen=True)
class Bitcoin:
    """One of the networks. `kinds` are those of its accounts by variant, the usual one first."""

    title: str
    symbol: str
    rules: Network
    kinds: Mapping[str, Kind]
    curve: Curve = Curve.SECP256K1
    hex_prefix: str = ""
    decimals: int = 8

    @property
    def network(self) -> str:
        """See `Chain.network`."""
        return self.rules.name

    @property
    def variant_name(self) -> str:
        """See `Chain.variant_name`."""
        return "type" if self.variants else ""

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """See `Chain.variants`."""
        return tuple(self.kinds) if len(self.kinds) > 1 else ()

    def path(self, _scheme: DerivationScheme, variant: str = "", /) -> str:
        """See `Chain.path`."""
        return f"m/{_PURPOSES[self._kind(variant)]}'/{self.rules.coin_type}'/0'/0/{{index}}"

    def address(self, public_key: bytes, _scheme: DerivationScheme, variant: str = "", /) -> str:
        """See `Chain.address`."""
        address = address_of(self.rules.forms, script_of(self._kind(variant), public_key))
        assert address is not None
        return address

    def forms(self, _address: str, /) -> Mapping[str, str]:
        """See `Chain.forms`."""
        return {}

    def normalize(self, text: str) -> frozenset[str]:
        """See `Chain.normalize`: segwit addresses in either case, and old version bytes, as we write them."""
        try:
            address = address_of(self.rules.forms, script_for(self.rules.forms, text))
        except InvalidRequestError:
            return frozenset()
        return frozenset() if address is None else frozenset({address})

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex, or base64 as PSBTs are mostly written."""
        if not text.startswith(_BASE64_MAGIC):
            return unhex(text)
        raw = unbase64_exactly(text)
        if raw is None:
            raise MalformedTransactionError("unsigned_tx begins as a PSBT does in base64, and is not base64")
        return raw

    @cached_property
    def message_formats(self) -> tuple[str, ...]:
        """See `Chain.message_formats`."""
        return formats_of(self.rules)

    def read_message(self, message: bytes, variant: str = "", message_format: str = "", /) -> BitcoinMessage:
        """See `Chain.read_message`: BIP-322 or BIP-137."""
        return read_message(self.rules, self._kind(variant), message, message_format)

    def read_typed_data(self, _value: Mapping[str, object], /) -> NoReturn:
        """See `Chain.read_typed_data`."""
        no_typed_data(self.title)

    def decode(self, unsigned_tx: bytes, variant: str = "") -> BitcoinTransaction:
        """See `Chain.decode`: one PSBT, whose amounts are told so that an account of this variant can rely on them."""
        psbt, kind = read_psbt(unsigned_tx), self._kind(variant)
        if self.rules.has_mweb:
            _refuse_mweb(psbt)
        _refuse_messages(psbt)
        coins = read_coins(psbt, kind, has_segwit=self.rules.has_segwit)
        _check_amounts(self.rules, psbt, coins)
        unsigned = psbt.transaction.raw()
        if len(unsigned) * 4 > MAX_WEIGHT:
            refuse("psbt", 0, f"the transaction has {len(unsigned)} bytes without signatures; nodes take {MAX_WEIGHT // 4}")
        digests = Digests(psbt.transaction, [coin.output for coin in coins])
        _check_legacy_work(coins, digests)
        unlockings = read_unlockings(psbt, coins, digests)
        size = signed_size(unsigned, coins, unlockings)
        signed = sum([each is not None for each in unlockings])
        picture = Picture(self.rules, psbt, sha256(unsigned_tx), tx_id_of(unsigned), coins, self._paths, signed, size)
        return BitcoinTransaction(picture, kind, digests, unlockings, describe(picture))

    def _kind(self, variant: str) -> Kind:
        return self.kinds[variant] if variant else next(iter(self.kinds.values()))

    @cached_property
    def _paths(self) -> Paths:
        usual = self._kind("")
        names = ["" if kind is usual else variant for variant, kind in self.kinds.items()]
        return {name: self.path(DerivationScheme.STANDARD, name) for name in names}


def _check_amounts(rules: Network, psbt: Psbt, coins: Sequence[Coin]) -> None:
    inputs, outputs = [coin.output.amount for coin in coins], [output.amount for output in psbt.transaction.outputs]
    for found, amount in zip((*psbt.inputs, *psbt.outputs), (*inputs, *outputs), strict=True):
        if amount > rules.max_money:
            refuse(found.name, found.offset, f"its amount is {amount}; there are no more than {rules.max_money}")
    if len({each.outpoint for each in psbt.transaction.inputs}) < len(inputs):
        refuse("inputs", psbt.inputs[0].offset, "an output is spent twice")
    if sum(outputs) > sum(inputs):
        refuse("outputs", psbt.outputs[0].offset, f"they pay {sum(outputs)}, and the inputs have {sum(inputs)}")


def _check_legacy_work(coins: Sequence[Coin], digests: Digests) -> None:
    """Refuse a transaction whose old inputs take too long to verify or sign, each of which hashes all of the others and all outputs."""
    legacy = [number for number, coin in enumerate(coins) if coin.kind is Kind.LEGACY]
    work = digests.legacy_work(legacy)
    if work > _MAX_LEGACY_WORK:
        refuse(
            "psbt",
            0,
            f"its {len(legacy)} legacy inputs hash {work} bytes to be signed, each most of the transaction; {_MAX_LEGACY_WORK} are hashed",
        )


def _refuse_messages(psbt: Psbt) -> None:
    if psbt.transaction.outputs == (PROOF,):
        refuse("outputs", psbt.outputs[0].offset, "it is a message, as BIP-322 signs them; messages are signed by /sign-message alone")


def _refuse_mweb(psbt: Psbt) -> None:
    for found in (psbt.head, *psbt.inputs, *psbt.outputs):
        for key, value in found.values.items():
            if key[0] in _MWEB_FIELDS:
                refuse(found.name, value.offset, "it has a field of an extension block (MWEB), which is not supported")
    for found, output in zip(psbt.outputs, psbt.transaction.outputs, strict=True):
        program = witness_program(output.script)
        if program is not None and program[0] in _MWEB_VERSIONS:
            refuse(found.name, found.offset, "it pays into an extension block (MWEB), which is not supported")


def _prefix(name: str) -> bytes:
    return f"{name} Signed Message:\n".encode()


_MAIN = Network(
    "btc", Forms(0x00, 0x05, "bc"), 0, 21_000_000 * 10**8, relay_fee_rate=100, high_fee_rate=500, message_prefix=_prefix("Bitcoin")
)
_TEST_FORMS = Forms(0x6F, 0xC4, "tb")


def bitcoin(network: str, *, title: str) -> Bitcoin:
    """Make the row of Bitcoin's network of this name: `btc`, `btc_testnet`, `btc_signet`, `btc_regtest`."""
    forms = {"btc": _MAIN.forms, "btc_regtest": Forms(0x6F, 0xC4, "bcrt")}.get(network, _TEST_FORMS)
    rules = replace(_MAIN, name=network, forms=forms, coin_type=0 if network == "btc" else 1)
    return Bitcoin(title, "BTC", rules, _VARIANTS)


def litecoin() -> Bitcoin:
    """Make the row of Litecoin."""
    forms = Forms(0x30, 0x32, "ltc", old_p2sh=0x05)
    rules = Network(
        "ltc", forms, 2, 84_000_000 * 10**8, relay_fee_rate=1000, high_fee_rate=500, has_mweb=True, message_prefix=_prefix("Litecoin")
    )
    return Bitcoin("Litecoin", "LTC", rules, _VARIANTS)


def dogecoin() -> Bitcoin:
    """Make the row of Dogecoin, which has no segwit, and so one kind of account."""
    # Ten billion DOGE is what its nodes call a possible amount; there is no bound on how many will ever be made.
    rules = Network(
        "doge",
        Forms(0x1E, 0x16),
        3,
        10_000_000_000 * 10**8,
        relay_fee_rate=100_000,
        high_fee_rate=100_000,
        message_prefix=_prefix("Dogecoin"),
        least_output=1_000_000,
    )
    return Bitcoin("Dogecoin", "DOGE", rules, MappingProxyType({"legacy": Kind.LEGACY}))
