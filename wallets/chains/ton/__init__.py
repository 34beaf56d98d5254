"""Address, decode and sign on TON, for the wallet contracts v3r2, v4r2 and v5r1 in the base workchain.

A client sends the bag of the one cell that the contract verifies, or says in JSON what shall be in it (`wallets.chains.ton.request`); it
gets the bag of the external message that a node takes.
Sources: the TON documentation, TEP-2 (addresses), TEP-467 (normalised message hash), `ton-blockchain/wallet-contract` and its v5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NoReturn

from wallets.chains.base import NamesNoSigner, Own, no_typed_data
from wallets.chains.contract_calls.meaning import ZERO_ADDRESS, recipient_warnings
from wallets.chains.ton.address import WORKCHAINS, Address
from wallets.chains.ton.boc import Builder, Cell, decode, encode
from wallets.chains.ton.message import Effect, Kind, effect_of
from wallets.chains.ton.request import write_payload
from wallets.chains.ton.sign_data import TonMessage, read_sign_data
from wallets.chains.ton.wallet import WALLETS, Order, WalletContract
from wallets.curves import Curve, sign_ed25519
from wallets.derivation import DerivationScheme
from wallets.encoding import unbase64, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.model import Intent, SignedTransaction
from wallets.secret import PrivateKey

MAX_UNSIGNED_BYTES = 60_000
"""A node takes external messages of 65,535 bytes: what is left is more than signature, header, code and longer references need."""
MAX_UNSIGNED_DEPTH = 511
"""A node takes external messages 512 deep, and the payload is one deeper in it."""

_PATHS = MappingProxyType(
    {
        DerivationScheme.STANDARD: "m/44'/607'/{index}'",  # SLIP-0010
        DerivationScheme.V1_0_8: "m/44'/607'/0'/0/{index}",  # BIP-32 on secp256k1
    }
)
_BASE_WORKCHAIN = 0
_BASE64_MAGIC = "te6cc"
"""How a bag of cells begins in base64."""
_SHOWN_MESSAGES = 50
_SHOWN_WARNINGS = 100
"""What is more than that is counted: an intent must stay readable, and small enough to be audited. Every transfer is listed."""
_KINDS = tuple(Kind)
_NOBODY = [Address(workchain, bytes(32)) for workchain in WORKCHAINS]
_ZERO_ADDRESSES = frozenset([text for each in _NOBODY for text in (each.bounceable, each.non_bounceable)])


@dataclass(frozen=True, slots=True)
class TonTransaction(NamesNoSigner):
    """A payload for the wallet contract."""

    contract: WalletContract
    payload: Cell
    order: Order
    effects: tuple[Effect, ...]
    intent: Intent

    def intent_for(self, address: str, _own: Own | None = None, /) -> Intent:
        """See `UnsignedTransaction.intent_for`: it warns where what is left of an attached value does not come back to the sender."""
        wallet = Address.parse(address)
        warnings = tuple(
            f"{name} returns what is left of its value to {effect.response_destination.non_bounceable}, which is not this wallet"
            for name, effect in zip(_message_names(self.effects), self.effects, strict=True)
            if effect.response_destination not in {None, wallet}
        )
        return replace(self.intent, sender=address, warnings=self.intent.warnings + warnings)

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """See `UnsignedTransaction.sign`: the external message to this key's wallet, with its initial state while `seqno` is 0.

        The id is the normalised hash (TEP-467), in hexadecimal: explorers and indexes find the transaction by it.
        """
        state = self.contract.state_init(key.public_key)
        wallet = Address(_BASE_WORKCHAIN, state.hash)
        signature = sign_ed25519(key, self.payload.hash)
        body = self.contract.body(self.payload, signature)
        normalized = _external(wallet, None, body)
        message = normalized if self.order.seqno else _external(wallet, state, body)
        return SignedTransaction(encode(message), normalized.hash.hex(), signature)


@dataclass(frozen=True, slots=True)
class Ton:
    """TON. Addresses are shown non-bounceable, as wallets do; those taken over from 1.0.8 stay bounceable."""

    network: str = "ton"
    title: str = "TON"
    curve: Curve = Curve.ED25519
    hex_prefix: str = ""
    symbol: str = "TON"
    decimals: int = 9
    variant_name: str = "version"
    variants: tuple[str, ...] = tuple(contract.name for contract in WALLETS.values())
    message_formats: tuple[str, ...] = ()

    def path(self, scheme: DerivationScheme, _variant: str = "", /) -> str:
        """See `Chain.path`."""
        return _PATHS[scheme]

    def address(self, public_key: bytes, scheme: DerivationScheme, variant: str = "") -> str:
        """See `Chain.address`."""
        address = Address(_BASE_WORKCHAIN, WALLETS[variant].state_init(public_key).hash)
        return address.bounceable if scheme is DerivationScheme.V1_0_8 else address.non_bounceable

    def forms(self, address: str) -> Mapping[str, str]:
        """See `Chain.forms`."""
        parsed = Address.parse(address)
        return {
            "bounceable": parsed.bounceable,
            "non_bounceable": parsed.non_bounceable,
            "raw": parsed.raw,
            "testnet_bounceable": parsed.testnet_bounceable,
            "testnet_non_bounceable": parsed.testnet_non_bounceable,
        }

    def normalize(self, text: str) -> frozenset[str]:
        """See `Chain.normalize`."""
        try:
            address = Address.parse(text)
        except InvalidRequestError:
            return frozenset()
        return frozenset({address.bounceable, address.non_bounceable})

    def unwrap(self, text: str) -> bytes:
        """See `Chain.unwrap`: hex; or base64, as TON's own tools write bags of cells; or a request in JSON."""
        if text.startswith(_BASE64_MAGIC):
            return unbase64(text)
        return text.encode("utf-8", "replace") if text.startswith("{") else unhex(text)

    def decode(self, unsigned_tx: bytes, variant: str = "") -> TonTransaction:
        """See `Chain.decode`: the bag of a payload, or a request, whose payload is then read as if it had come so."""
        contract = WALLETS[variant]
        if unsigned_tx.startswith(b"{"):
            # Read back at once: a checksum would find nothing, and takes a fifth of the time.
            unsigned_tx = encode(write_payload(unsigned_tx, contract), has_crc=False)
        if len(unsigned_tx) > MAX_UNSIGNED_BYTES:
            msg = f"unsigned_tx has {len(unsigned_tx)} bytes; signed it would be more than a node takes above {MAX_UNSIGNED_BYTES}"
            raise MalformedTransactionError(msg)
        payload = decode(unsigned_tx).root
        if payload.depth > MAX_UNSIGNED_DEPTH:
            msg = f"the payload is {payload.depth} cells deep; a node takes {MAX_UNSIGNED_DEPTH}"
            raise MalformedTransactionError(msg)
        order = contract.read(payload)
        names = _message_names(order.messages)
        effects = tuple(effect_of(message, name) for message, name in zip(order.messages, names, strict=True))
        return TonTransaction(contract, payload, order, effects, _intent(self.network, contract, payload, order, effects))

    def read_message(self, message: bytes, variant: str = "", _format: str = "", /) -> TonMessage:
        """See `Chain.read_message`: TON Connect's `signData`."""
        return read_sign_data(message, variant, network=self.network, workchain=_BASE_WORKCHAIN)

    def read_typed_data(self, _value: Mapping[str, object], /) -> NoReturn:
        """See `Chain.read_typed_data`."""
        no_typed_data(self.title)


def _external(wallet: Address, state: Cell | None, body: Cell) -> Cell:
    """Make the external message: no source, no import fee, state and body as references, so that without a state it is normalised."""
    builder = Builder().uint(0b10, 2).uint(0b00, 2).uint(0b100, 3).uint(wallet.workchain, 8).octets(wallet.account).uint(0, 4)
    if state is None:
        builder.uint(0b0, 1)
    else:
        builder.uint(0b11, 2).ref(state)
    return builder.uint(0b1, 1).ref(body).cell()


def _message_names(messages: Sequence[object]) -> list[str]:
    return [f"message {number}" for number in range(1, len(messages) + 1)]


def _intent(network: str, contract: WalletContract, payload: Cell, order: Order, effects: Sequence[Effect]) -> Intent:
    kind = min((effect.kind for effect in effects), key=_KINDS.index)
    main = next(effect for effect in effects if effect.kind is kind)
    return Intent(
        network=network,
        kind=kind,
        transfers=tuple(transfer for effect in effects for transfer in effect.transfers),
        contract=main.contract,
        method=main.method,
        expires_at=order.valid_until,
        details={
            "wallet": contract.name,
            "payload_hash": payload.hash.hex(),
            "seqno": order.seqno,
            "messages": len(effects),
            **_message_details(effects),
        },
        warnings=_cut([*_lost(effects), *(warning for effect in effects for warning in effect.warnings)]),
    )


def _lost(effects: Sequence[Effect]) -> tuple[str, ...]:
    recipients = {transfer.recipient for effect in effects for transfer in effect.transfers}
    return () if recipients.isdisjoint(_ZERO_ADDRESSES) else recipient_warnings(ZERO_ADDRESS)


def _message_details(effects: Sequence[Effect]) -> dict[str, str | int]:
    """Return what each message adds, under its number where there are several."""
    if len(effects) == 1:
        return dict(effects[0].details)
    shown = enumerate(effects[:_SHOWN_MESSAGES], start=1)
    details = {f"{name}_{number}": value for number, effect in shown for name, value in effect.details.items()}
    more = len(effects) - _SHOWN_MESSAGES
    return details | {"more_messages": more} if more > 0 else details


def _cut(warnings: Sequence[str]) -> tuple[str, ...]:
    more = len(warnings) - _SHOWN_WARNINGS
    return (*warnings[:_SHOWN_WARNINGS], f"{more} more warnings are not shown") if more > 0 else tuple(warnings)
