"""What do the steps of a signature cost by themselves, in CPU time, on each network?"""

import time
from collections.abc import Callable
from itertools import cycle

import coincurve
from nacl import bindings as sodium

from benchmarks import wallet
from benchmarks.session import MICROSECONDS, Session
from wallets.chains import CHAINS
from wallets.chains.base import Chain
from wallets.chains.bitcoin import Bitcoin
from wallets.chains.bitcoin.digest import Digests
from wallets.chains.bitcoin.script import Kind
from wallets.chains.evm import Evm
from wallets.chains.ton import Ton
from wallets.chains.ton.boc import Cell
from wallets.chains.ton.boc import decode as decode_boc
from wallets.chains.tron import Tron
from wallets.curves import Curve, recover_secp256k1, verify_ed25519
from wallets.derivation import derive
from wallets.hashes import keccak256, sha256
from wallets.secret import PrivateKey

QUESTION = "primitives"
MULTIPLE = "all of curve sign"
"""How many times what the curve library takes to sign is taken by all that a request needs."""

ALL = "decode, sign, verify"
"""All that a request needs of the domain."""

_BARE = "curve sign"

_BATCH_SECONDS = 0.002
_DIGEST = bytes(range(32))

Call = Callable[[], object]


def measure(session: Session) -> None:
    """Time batches of every call, in turns."""
    timed = [(chain.network, name, call, _calls_in(call)) for chain in CHAINS.values() for name, call in calls(chain).items()]
    for _ in range(session.scale.batches):
        spent = {(network, name): _seconds(call, count) / count * MICROSECONDS for network, name, call, count in timed}
        for (network, name), value in spent.items():
            session.results.add(QUESTION, {"network": network}, name, value, "us")
        for network in CHAINS:
            session.results.add(QUESTION, {"network": network}, MULTIPLE, spent[network, ALL] / spent[network, _BARE], "times")


def calls(chain: Chain) -> dict[str, Call]:
    """Return the steps: of the curve library alone, of ours, and all that a request needs of them together.

    Transactions and public keys are taken in turn, so many that no cache makes them cheaper than they are to the service. To derive starts
    at the seed; the service does so once for an account, while it is unlocked.
    """
    key, path, seed = wallet.key(chain), wallet.path(chain), wallet.seed()
    sign, verify = _curve_calls(chain.curve, key)
    unsigned = cycle(wallet.transactions(chain.network))
    public_keys = cycle(wallet.strangers(chain.network))
    return {
        _BARE: sign,
        "curve verify": verify,
        **_hash_call(chain, next(unsigned)),
        "decode": lambda: chain.decode(next(unsigned)),
        "derive": lambda: derive(seed, path, chain.curve, wallet.SCHEME),
        "address": lambda: chain.address(next(public_keys), wallet.SCHEME),
        ALL: lambda: chain.decode(next(unsigned)).sign(key),
    }


def _curve_calls(curve: Curve, key: PrivateKey) -> tuple[Call, Call]:
    """Return signing by the library alone, without our verification, and verification as we do it."""
    if curve is Curve.SECP256K1:
        secp256k1 = coincurve.PrivateKey(key.reveal())
        recoverable = secp256k1.sign_recoverable(_DIGEST, hasher=None)
        return lambda: secp256k1.sign_recoverable(_DIGEST, hasher=None), lambda: recover_secp256k1(recoverable, _DIGEST)
    secret_key = key.reveal() + key.public_key
    signature = sodium.crypto_sign(_DIGEST, secret_key)[:64]
    return lambda: sodium.crypto_sign(_DIGEST, secret_key), lambda: verify_ed25519(key.public_key, signature, _DIGEST)


def _hash_call(chain: Chain, unsigned_tx: bytes) -> dict[str, Call]:
    """Return how the network hashes what is signed; nothing for Solana, which leaves it to the curve."""
    if isinstance(chain, Evm):
        return {"hash": lambda: keccak256(unsigned_tx)}
    if isinstance(chain, Tron):
        return {"hash": lambda: sha256(unsigned_tx)}
    if isinstance(chain, Ton):
        root = decode_boc(unsigned_tx).root
        return {"hash": lambda: Cell(root.data, root.bit_length, root.refs)}
    if isinstance(chain, Bitcoin):
        return {"hash": _bitcoin_hash(chain, unsigned_tx)}
    return {}


def _bitcoin_hash(chain: Bitcoin, unsigned_tx: bytes) -> Call:
    """Return hashing all that the signature of the one input is made over."""
    picture = chain.decode(unsigned_tx).picture
    (coin,) = picture.coins
    if coin.kind is Kind.LEGACY:
        return lambda: Digests(picture.transaction, [coin.output]).legacy(0)
    return lambda: Digests(picture.transaction, [coin.output]).segwit(0, coin.key)


def _calls_in(call: Call) -> int:
    """Return how many calls a batch has: as many as take long enough to be timed well."""
    count = 1
    while _seconds(call, count) < _BATCH_SECONDS:
        count *= 2
    return count


def _seconds(call: Call, count: int) -> float:
    before = time.thread_time()
    for _ in range(count):
        call()
    return time.thread_time() - before
