"""Say which transactions exclude each other: of those with the same nonce of the same account a network carries out one.

That is so on EVM networks (an account's nonce, on each chain id), on TON (the wallet contract's `seqno`), and on Solana where a durable
nonce is used. Tron and other Solana transactions have none: they end by themselves within a day, or minutes. Bitcoin's inputs exclude
each other too, but replacing is the usual way to raise a fee there, and a PSBT comes several times on its way to all of its signers.
"""

import hashlib

from wallets.chains.base import Signable
from wallets.chains.evm import EvmTransaction
from wallets.chains.solana import SolanaTransaction
from wallets.chains.solana.intent import DURABLE_NONCE
from wallets.chains.ton import TonTransaction
from wallets.errors import NonceUsedError
from wallets.once import NonceUse


def nonce_use(subject: Signable[object], network: str, address: str, *, is_replacement: bool = False) -> NonceUse | None:
    """Return which nonce a transaction uses up when `address` signs it for a network; None where there is none.

    What goes with a transaction and is not signed (blobs, signatures of others) does not make it another.
    """
    if isinstance(subject, EvmTransaction):
        # One that names no chain is taken by all; it uses up the nonce of the one that it is signed for, as those that name it do.
        return NonceUse(f"evm:{subject.chain_id}", address, str(subject.payload.nonce), subject.digest, is_replacement)
    if isinstance(subject, TonTransaction):
        return NonceUse(network, address, str(subject.order.seqno), subject.payload.hash, is_replacement)
    if isinstance(subject, SolanaTransaction) and DURABLE_NONCE in subject.intent.details:
        message = subject.message
        account = message.account(message.instructions[0].accounts[0])
        nonce = str(subject.intent.details[DURABLE_NONCE])
        return NonceUse(network, account, nonce, hashlib.sha256(message.raw).digest(), is_replacement)
    return None


def refusal(use: NonceUse, places: tuple[int, ...] = ()) -> NonceUsedError:
    """Return the error for a nonce that another transaction has used, at these places of a batch."""
    msg = f"another transaction was signed with nonce {use.nonce} of {use.address}; one that shall replace it says so by `replace`"
    return NonceUsedError(msg, places)
