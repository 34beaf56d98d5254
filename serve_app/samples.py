"""Build one harmless unsigned transaction per network, for `demo` and the banner: a small transfer between two accounts of one wallet."""

import time
from collections.abc import Callable

from wallets.chains.base import Chain
from wallets.chains.bitcoin import Bitcoin
from wallets.chains.bitcoin.psbt import MAGIC
from wallets.chains.bitcoin.reader import write_counted
from wallets.chains.bitcoin.script import script_for
from wallets.chains.bitcoin.transaction import Input, Output, Transaction
from wallets.chains.evm import Evm
from wallets.chains.protobuf import encode_bytes as protobuf_bytes
from wallets.chains.protobuf import encode_uint as protobuf_uint
from wallets.chains.rlp import encode_bytes, encode_list, encode_uint
from wallets.chains.solana import Solana
from wallets.chains.ton import Ton
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, encode
from wallets.chains.ton.wallet import WALLET_ID
from wallets.chains.tron import Tron
from wallets.encoding import unbase58, unbase58check
from wallets.hashes import double_sha256

LIFETIME_SECONDS = 6 * 60 * 60
"""How long a node would take it, where the network has such a bound: longer than benchmarks last, less than the day that Tron allows."""

_EVM_1559 = 2
_GWEI = 10**9
_TRANSFER_GAS = 21_000
_BITCOIN_AMOUNT = 10**6
_BITCOIN_FEE = 30_000
_SYSTEM_PROGRAM = bytes(32)
_SYSTEM_TRANSFER = 2
_PAY_FEES_SEPARATELY = 1

Now = Callable[[], float]


def sample(chain: Chain, sender: str, recipient: str, *, now: Now = time.time) -> bytes:
    """Return an unsigned transfer of 1 base unit, with made-up block references, which therefore no node takes.

    Bitcoin's spends a made-up coin and sends the least of a whole coin's hundredths that nodes relay, since less would be dust.

    Raises:
        ValueError: There is no sample for this family of networks.
    """
    if isinstance(chain, Evm):
        return _evm(chain.chain_id, recipient)
    if isinstance(chain, Tron):
        return _tron(sender, recipient, int(now() * 1000))
    if isinstance(chain, Solana):
        return _solana(sender, recipient)
    if isinstance(chain, Ton):
        return _ton(recipient, int(now()))
    if isinstance(chain, Bitcoin):
        return _bitcoin(chain, sender, recipient)
    msg = f"there is no sample transaction for {chain.network}"
    raise ValueError(msg)


def _evm(chain_id: int, recipient: str) -> bytes:
    """EIP-1559: chain id, nonce, tip, fee cap, gas limit, to, value, data, access list."""
    numbers = (chain_id, 0, _GWEI, 30 * _GWEI, _TRANSFER_GAS)
    items = b"".join(map(encode_uint, numbers)) + encode_bytes(bytes.fromhex(recipient[2:])) + encode_uint(1) + encode_bytes(b"")
    return bytes([_EVM_1559]) + encode_list(items + encode_list(b""))


def _tron(sender: str, recipient: str, now_milliseconds: int) -> bytes:
    """A `raw_data` with one TransferContract (1)."""
    transfer = protobuf_bytes(1, unbase58check(sender)) + protobuf_bytes(2, unbase58check(recipient)) + protobuf_uint(3, 1)
    parameter = protobuf_bytes(1, b"type.googleapis.com/protocol.TransferContract") + protobuf_bytes(2, transfer)
    contract = protobuf_uint(1, 1) + protobuf_bytes(2, parameter)
    return (
        protobuf_bytes(1, bytes.fromhex("8a1f"))
        + protobuf_bytes(4, bytes.fromhex("5e4b0c1d2f3a4968"))
        + protobuf_uint(8, now_milliseconds + LIFETIME_SECONDS * 1000)
        + protobuf_bytes(11, contract)
        + protobuf_uint(14, now_milliseconds)
    )


def _solana(sender: str, recipient: str) -> bytes:
    """A legacy message: one signer; sender, recipient and system program; one transfer of a lamport."""
    header = bytes([1, 0, 1])
    keys = bytes([3]) + unbase58(sender) + unbase58(recipient) + _SYSTEM_PROGRAM
    data = _SYSTEM_TRANSFER.to_bytes(4, "little") + (1).to_bytes(8, "little")
    blockhash = bytes(range(1, 33))
    return header + keys + blockhash + bytes([1, 2, 2, 0, 1, len(data)]) + data


def _bitcoin(chain: Bitcoin, sender: str, recipient: str) -> bytes:
    """A PSBT of version 0 with the whole transaction that is spent."""
    source, target = (script_for(chain.rules.forms, address) for address in (sender, recipient))
    made_up = Transaction(2, (Input(bytes(range(32)) + bytes(4)),), (Output(3 * _BITCOIN_AMOUNT, source),), 0).raw()
    outputs = (Output(_BITCOIN_AMOUNT, target), Output(2 * _BITCOIN_AMOUNT - _BITCOIN_FEE, source))
    transaction = Transaction(2, (Input(double_sha256(made_up) + bytes(4)),), outputs, 0)
    maps = [transaction.raw(), made_up]
    return MAGIC + b"".join(b"\1\0" + write_counted(each) + b"\0" for each in maps) + b"\0" * len(outputs)


def _ton(recipient: str, now: int) -> bytes:
    """The cell that a v4r2 wallet verifies, with one internal message of a nanoton in it."""
    destination = Address.parse(recipient)
    message = Builder().uint(0b0100, 4).uint(0b00, 2)  # internal, no instant routing, not to bounce, not bounced; no source
    message.uint(0b100, 3).uint(destination.workchain & 0xFF, 8).octets(destination.account)
    message.uint(1, 4).uint(1, 8)  # one byte of value: 1
    message.uint(0, 1 + 4 + 4 + 64 + 32 + 1 + 1)  # no other currencies, fees, times, state; an empty body
    order = Builder().uint(WALLET_ID, 32).uint(now + LIFETIME_SECONDS, 32).uint(0, 32).uint(0, 8)
    return encode(order.uint(_PAY_FEES_SEPARATELY, 8).ref(message.cell()).cell())
