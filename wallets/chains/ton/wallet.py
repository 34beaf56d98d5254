"""Know the wallet contracts: their code and state, the payload their owner signs, the message that carries it.

A version of the contract is one object here. v3r2 and v4r2 are much the same; v5r1 differs in its state, in an operation code before its
payload, in its action list and in standing before the signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from wallets.chains.ton.boc import Builder, Cell, Slice, decode
from wallets.chains.ton.code import V3R2_CODE, V4R2_CODE, V5R1_CODE
from wallets.chains.ton.message import IGNORE_ERRORS, OutMessage, read_message

MAINNET = -239
"""The main network's id, as its configuration has it."""
TESTNET = -3
"""The test network's."""

WALLET_ID = 698983191
"""v3r2's and v4r2's usual subwallet in workchain 0, on the main and the test network: the first bytes of the zero state's hash."""
V5R1_WALLET_ID = 2147483409
"""v5r1's usual subwallet in workchain 0 of the main network: the network's id, xor 0x80000000."""
V5R1_TESTNET_WALLET_ID = 2147483645
"""The same of the test network."""

V4_MAX_MESSAGES = 4
V5_MAX_MESSAGES = 255

_SIMPLE_SEND = 0
_SIGNED_EXTERNAL = 0x7369676E
_SEND_MESSAGE = 0x0EC3C86D


@dataclass(frozen=True, slots=True)
class Order:
    """What a payload asks the wallet contract to do, until `valid_until` (seconds since 1970), as its `seqno`-th order."""

    valid_until: int
    seqno: int
    messages: tuple[OutMessage, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An order to be written: each message with its send mode."""

    valid_until: int
    seqno: int
    messages: Sequence[tuple[int, Cell]]


class WalletContract(Protocol):
    """A version of the wallet contract."""

    @property
    def name(self) -> str:
        """The version: `v4r2`."""
        ...

    @property
    def max_messages(self) -> int:
        """How many messages it sends at once."""
        ...

    @property
    def networks(self) -> frozenset[int]:
        """The ids of the networks that its address is for."""
        ...

    def state_init(self, public_key: bytes) -> Cell:
        """Return the initial state, whose hash is the address."""
        ...

    def read(self, payload: Cell) -> Order:
        """Read what the owner signs.

        Raises:
            MalformedTransactionError: It is not exactly one payload of this contract.
        """
        ...

    def write(self, draft: Draft) -> Cell:
        """Write a payload of 1 to `max_messages` messages, which `read` reads."""
        ...

    def body(self, payload: Cell, signature: bytes) -> Cell:
        """Put the 64-byte signature to the payload."""
        ...


class EarlyWallet:
    """Wallet v3 and v4, revision 2. The latter may have plugins, which are not supported."""

    def __init__(self, name: str, code: bytes, *, has_plugins: bool) -> None:
        self.name = name
        self.max_messages = V4_MAX_MESSAGES
        self.networks = frozenset({MAINNET, TESTNET})
        self._code = decode(code).root
        self._has_plugins = has_plugins

    def state_init(self, public_key: bytes) -> Cell:
        """See `WalletContract.state_init`: code, and data of seqno, subwallet, public key and, where there may be any, no plugins."""
        data = Builder().uint(0, 32).uint(WALLET_ID, 32).octets(public_key)
        return _state_init(self._code, data.uint(0, int(self._has_plugins)).cell())

    def read(self, payload: Cell) -> Order:
        """See `WalletContract.read`: subwallet, valid_until, seqno, v4's operation, then a mode and a reference for each message."""
        reader = Slice(payload, "payload")
        if reader.uint(32) != WALLET_ID:
            reader.fail(f"this is no payload of a {self.name} wallet with the wallet id {WALLET_ID}")
        valid_until, seqno = reader.uint(32), reader.uint(32)
        if self._has_plugins and reader.uint(8) != _SIMPLE_SEND:
            reader.fail("only simple sends are signed: the operation installs or removes a plugin")
        if not reader.remaining_refs:
            reader.fail("there is no message to send")
        messages = []
        while reader.remaining_refs:
            messages.append((reader.uint(8), reader.ref()))
        reader.end()
        return Order(valid_until, seqno, _read_messages(messages))

    def write(self, draft: Draft) -> Cell:
        """See `WalletContract.write`."""
        builder = Builder().uint(WALLET_ID, 32).uint(draft.valid_until, 32).uint(draft.seqno, 32)
        builder.uint(_SIMPLE_SEND, 8 * self._has_plugins)
        for mode, message in draft.messages:
            builder.uint(mode, 8).ref(message)
        return builder.cell()

    def body(self, payload: Cell, signature: bytes) -> Cell:
        """See `WalletContract.body`: the signature stands before the payload."""
        return Builder().octets(signature).rest(Slice(payload, "payload")).cell()


class WalletV5R1:
    """Wallet v5, revision 1. Its extensions are not supported."""

    def __init__(self, name: str, wallet_id: int, network: int) -> None:
        self.name = name
        self.max_messages = V5_MAX_MESSAGES
        self.networks = frozenset({network})
        self._wallet_id = wallet_id
        self._code = decode(V5R1_CODE).root

    def state_init(self, public_key: bytes) -> Cell:
        """See `WalletContract.state_init`: data of whether the key may sign, seqno, subwallet, public key and no extensions."""
        data = Builder().uint(1, 1).uint(0, 32).uint(self._wallet_id, 32).octets(public_key).uint(0, 1)
        return _state_init(self._code, data.cell())

    def read(self, payload: Cell) -> Order:
        """See `WalletContract.read`: operation, subwallet, valid_until, seqno, then a list of actions, and no extended ones."""
        reader = Slice(payload, "payload")
        if reader.uint(32) != _SIGNED_EXTERNAL:
            reader.fail(f"this is no payload of a {self.name} wallet for a message from outside")
        if reader.uint(32) != self._wallet_id:
            reader.fail(f"this is no payload of a {self.name} wallet with the wallet id {self._wallet_id}")
        valid_until, seqno = reader.uint(32), reader.uint(32)
        if not reader.bit():
            reader.fail("there is no message to send")
        actions = reader.ref()
        if reader.bit():
            reader.fail("only messages are signed: another action installs or removes an extension, or the key itself")
        reader.end()
        return Order(valid_until, seqno, _read_messages(_read_actions(actions)))

    def write(self, draft: Draft) -> Cell:
        """See `WalletContract.write`."""
        actions = Builder().cell()
        for mode, message in draft.messages:
            actions = Builder().uint(_SEND_MESSAGE, 32).uint(mode, 8).ref(actions).ref(message).cell()
        builder = Builder().uint(_SIGNED_EXTERNAL, 32).uint(self._wallet_id, 32).uint(draft.valid_until, 32).uint(draft.seqno, 32)
        return builder.uint(1, 1).ref(actions).uint(0, 1).cell()

    def body(self, payload: Cell, signature: bytes) -> Cell:
        """See `WalletContract.body`: the signature stands behind the payload."""
        return Builder().rest(Slice(payload, "payload")).octets(signature).cell()


def _state_init(code: Cell, data: Cell) -> Cell:
    """Write a StateInit: no split depth, not special, code, data, no library."""
    return Builder().uint(0b00110, 5).ref(code).ref(data).cell()


def _read_messages(messages: Sequence[tuple[int, Cell]]) -> tuple[OutMessage, ...]:
    return tuple(read_message(mode, cell, f"message {number}") for number, (mode, cell) in enumerate(messages, start=1))


def _read_actions(cell: Cell) -> list[tuple[int, Cell]]:
    """Read an OutList, each of whose cells refers to the actions before it, down to an empty one (`block.tlb`)."""
    found: list[tuple[int, Cell]] = []
    while True:
        reader = Slice(cell, f"action list, cell {len(found) + 1} from its end")
        if not (reader.remaining_bits or reader.remaining_refs):
            break
        if len(found) == V5_MAX_MESSAGES:
            reader.fail(f"a wallet sends at most {V5_MAX_MESSAGES} messages at once")
        cell = reader.ref()
        if reader.uint(32) != _SEND_MESSAGE:
            reader.fail("the action sends no message")
        mode = reader.uint(8)
        if not mode & IGNORE_ERRORS:
            reader.fail(f"send mode {mode} lacks the flag 2, without which the contract takes no message from outside")
        found.append((mode, reader.ref()))
        reader.end()
    if not found:
        reader.fail("there is no message to send")
    return found[::-1]


WALLETS: Mapping[str, WalletContract] = MappingProxyType(
    {
        "": EarlyWallet("v4r2", V4R2_CODE, has_plugins=True),
        "v5r1": WalletV5R1("v5r1", V5R1_WALLET_ID, MAINNET),
        "v3r2": EarlyWallet("v3r2", V3R2_CODE, has_plugins=False),
        "v5r1_testnet": WalletV5R1("v5r1_testnet", V5R1_TESTNET_WALLET_ID, TESTNET),
    }
)
"""The contract of each variant of an account. Only v5r1's address depends on the network."""
