"""The wallet that every question uses, which is known here too, and what it signs."""

import json
from functools import cache

from benchmarks.house import Target
from serve_app.samples import sample
from wallets.chains import CHAINS
from wallets.chains.base import Chain
from wallets.curves import private_key
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.hashes import sha256
from wallets.mnemonic import parse, to_seed
from wallets.secret import PrivateKey, Seed

WORDS = "abandon " * 11 + "about"
"""BIP-39's first test vector."""

SCHEME = DerivationScheme.STANDARD

RECIPIENTS = 8_192
"""More than any cache of addresses in the service keeps (4,096): paid in turn, each is new to it again."""


@cache
def seed() -> Seed:
    """Return the wallet's seed."""
    with parse(WORDS) as mnemonic:
        return to_seed(mnemonic)


def path(chain: Chain, index: int = 0) -> DerivationPath:
    """Return the path of an account."""
    return DerivationPath.parse(chain.path(SCHEME).format(index=index))


def key(chain: Chain, index: int = 0) -> PrivateKey:
    """Return the key of an account."""
    return derive(seed(), path(chain, index), chain.curve, SCHEME)


@cache
def strangers(network: str) -> tuple[bytes, ...]:
    """Return the public keys of those who are paid; on each network others, though several write addresses alike."""
    return tuple(private_key(CHAINS[network].curve, sha256(f"{network} {number}".encode())).public_key for number in range(RECIPIENTS))


@cache
def transactions(network: str) -> tuple[bytes, ...]:
    """Return unsigned transfers from the first account, each to another recipient."""
    chain = CHAINS[network]
    sender = chain.address(key(chain).public_key, SCHEME)
    recipients = (chain.address(public_key, SCHEME) for public_key in strangers(network))
    return tuple(sample(chain, sender, recipient) for recipient in recipients)


def sign_bodies(network: str) -> tuple[str, ...]:
    """Return what is posted to have each of the transactions signed."""
    return tuple(json.dumps({"network": network, "index": 0, "unsigned_tx": each.hex()}) for each in transactions(network))


def import_wallet(target: Target) -> str:
    """Have the service take over the wallet once more, and return the new wallet's id."""
    return str(target.client.post("/api/v1/wallets/import", {"label": "benchmark", "mnemonic": WORDS})["id"])
