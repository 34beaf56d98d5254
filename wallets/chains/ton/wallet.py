"""Know the wallet contracts: their code and state, the payload their owner signs, the message that carries it.

A version of the contract is one object here. v5r1 differs in its state, in an operation code before its payload, in its action list and
in standing before the signature: each of these is a method below.
"""

from dataclasses import dataclass
from typing import Protocol

from wallets.chains.ton.boc import Builder, Cell, Slice, decode
from wallets.chains.ton.message import OutMessage, read_message

V4R2_WALLET_ID = 698983191
"""The default subwallet of workchain 0, on the main and the test network: 0x29a9a317, the first bytes of the zero state's hash."""
V4R2_CODE_HASH = bytes.fromhex("feb5ff6820e2ff0d9483e7e0d62c817d846789fb4ae580c878866d959dabd5c0")

_SIMPLE_SEND = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What a payload asks the wallet contract to do, until `valid_until` (seconds since 1970), as its `seqno`-th order."""

    valid_until: int
    seqno: int
    messages: tuple[OutMessage, ...]


class WalletContract(Protocol):
    """A version of the wallet contract."""

    def state_init(self, public_key: bytes) -> Cell:
        """Return the initial state, whose hash is the address."""
        ...

    def read(self, payload: Cell) -> Order:
        """Read what the owner signs.

        Raises:
            MalformedTransactionError: It is not exactly one payload of this contract.
        """
        ...

    def body(self, payload: Cell, signature: bytes) -> Cell:
        """Put the 64-byte signature to the payload."""
        ...


class WalletV4R2:
    """Wallet v4, revision 2 (`ton-blockchain/wallet-contract`). Its plugins are not supported."""

    def __init__(self) -> None:
        self._code = decode(_V4R2_CODE).root

    def state_init(self, public_key: bytes) -> Cell:
        """See `WalletContract.state_init`: code, and data of seqno, subwallet, public key and no plugins."""
        data = Builder().uint(0, 32).uint(V4R2_WALLET_ID, 32).octets(public_key).uint(0, 1).cell()
        # No split depth, not special, code, data, no library.
        return Builder().uint(0b00110, 5).ref(self._code).ref(data).cell()

    def read(self, payload: Cell) -> Order:
        """See `WalletContract.read`: subwallet, valid_until, seqno, operation, then a mode and a reference for each of 1 to 4 messages."""
        reader = Slice(payload, "payload")
        if reader.uint(32) != V4R2_WALLET_ID:
            reader.fail(f"this is no payload of a v4r2 wallet with the wallet id {V4R2_WALLET_ID}")
        valid_until, seqno = reader.uint(32), reader.uint(32)
        if reader.uint(8) != _SIMPLE_SEND:
            reader.fail("only simple sends are signed: the operation installs or removes a plugin")
        if not reader.remaining_refs:
            reader.fail("there is no message to send")
        messages: list[OutMessage] = []
        while reader.remaining_refs:
            messages.append(read_message(reader.uint(8), reader.ref(), f"message {len(messages) + 1}"))
        reader.end()
        return Order(valid_until, seqno, tuple(messages))

    def body(self, payload: Cell, signature: bytes) -> Cell:
        """See `WalletContract.body`: the signature stands before the payload."""
        return Builder().octets(signature).rest(Slice(payload, "payload")).cell()


# The contract's code as published, which its hash proves (see the tests): a bag of 20 cells.
_V4R2_CODE = bytes.fromhex(
    "b5ee9c72410214010002d4000114ff00f4a413f4bcf2c80b010201200203020148040504f8f28308d71820d31fd31fd31f02f823bbf264ed44d0d31fd31fd3ff"
    "f404d15143baf2a15151baf2a205f901541064f910f2a3f80024a4c8cb1f5240cb1f5230cbff5210f400c9ed54f80f01d30721c0009f6c519320d74a96d307d4"
    "02fb00e830e021c001e30021c002e30001c0039130e30d03a4c8cb1f12cb1fcbff1011121302e6d001d0d3032171b0925f04e022d749c120925f04e002d31f21"
    "8210706c7567bd22821064737472bdb0925f05e003fa403020fa4401c8ca07cbffc9d0ed44d0810140d721f404305c810108f40a6fa131b3925f07e005d33fc8"
    "258210706c7567ba923830e30d03821064737472ba925f06e30d06070201200809007801fa00f40430f8276f2230500aa121bef2e0508210706c7567831eb170"
    "80185004cb0526cf1658fa0219f400cb6917cb1f5260cb3f20c98040fb0006008a5004810108f45930ed44d0810140d720c801cf16f400c9ed540172b08e2382"
    "1064737472831eb17080185005cb055003cf1623fa0213cb6acb1fcb3fc98040fb00925f03e20201200a0b0059bd242b6f6a2684080a06b90fa0218470d40808"
    "47a4937d29910ce6903e9ff9837812801b7810148987159f31840201580c0d0011b8c97ed44d0d70b1f8003db29dfb513420405035c87d010c00b23281f2fff2"
    "74006040423d029be84c600201200e0f0019adce76a26840206b90eb85ffc00019af1df6a26840106b90eb858fc0006ed207fa00d4d422f90005c8ca0715cbff"
    "c9d077748018c8cb05cb0222cf165005fa0214cb6b12ccccc973fb00c84014810108f451f2a7020070810108d718fa00d33fc8542047810108f451f2a782106e"
    "6f746570748018c8cb05cb025006cf165004fa0214cb6a12cb1fcb3fc973fb0002006c810108d718fa00d33f305224810108f459f2a782106473747270748018"
    "c8cb05cb025005cf165003fa0213cb6acb1f12cb3fc973fb00000af400c9ed54696225e5"
)
