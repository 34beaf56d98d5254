"""List the chains. Adding one is a file beside this and a row here.

EVM networks without a row are named by their chain id, `evm:5000`: whatever is true of them all is true of them.
"""

import re
from dataclasses import replace
from functools import lru_cache

from wallets.chains.base import Chain
from wallets.chains.bitcoin import bitcoin, dogecoin, litecoin
from wallets.chains.evm import Evm, evm
from wallets.chains.solana import Solana
from wallets.chains.ton import Ton
from wallets.chains.tron import Tron
from wallets.errors import InvalidRequestError, UnsupportedNetworkError
from wallets.model import Account

_ABSURD_FEE_OF_CHEAP_COINS = 100 * 10**18
"""What Avalanche's nodes refuse to pass on as they are installed (coreth, `defaultRpcTxFeeCap`): one coin is soon paid for a contract."""
_ABSURD_FEE_ANYWHERE = 10**6 * 10**18
"""For networks of which nothing is known: on some a transfer costs hundreds of coins that are worth next to nothing."""

_ROWS: tuple[Chain, ...] = (
    evm("eth", title="Ethereum", symbol="ETH", chain_id=1),
    evm("bsc", title="BNB Smart Chain", symbol="BNB", chain_id=56),
    evm("polygon", title="Polygon PoS", symbol="POL", chain_id=137, absurd_fee=_ABSURD_FEE_OF_CHEAP_COINS),
    evm("arbitrum", title="Arbitrum One", symbol="ETH", chain_id=42161),
    evm("optimism", title="OP Mainnet", symbol="ETH", chain_id=10, has_data_fee=True),
    evm("base", title="Base", symbol="ETH", chain_id=8453, has_data_fee=True),
    evm("avalanche", title="Avalanche C-Chain", symbol="AVAX", chain_id=43114, absurd_fee=_ABSURD_FEE_OF_CHEAP_COINS),
    evm("gnosis", title="Gnosis", symbol="XDAI", chain_id=100, absurd_fee=_ABSURD_FEE_OF_CHEAP_COINS),
    evm("linea", title="Linea", symbol="ETH", chain_id=59144),
    evm("sepolia", title="Ethereum Sepolia", symbol="ETH", chain_id=11155111),
    evm("holesky", title="Ethereum Holesky", symbol="ETH", chain_id=17000),
    Tron(),
    Solana(),
    Ton(),
    bitcoin("btc", title="Bitcoin"),
    bitcoin("btc_testnet", title="Bitcoin Testnet"),
    bitcoin("btc_signet", title="Bitcoin Signet"),
    bitcoin("btc_regtest", title="Bitcoin Regtest"),
    litecoin(),
    dogecoin(),
)

CHAINS: dict[str, Chain] = {chain.network: chain for chain in _ROWS}

MAX_CHAIN_ID = 2**63 - 37
"""The largest whose legacy signatures fit in 64 bits (EIP-2294)."""

_ROW_OF_CHAIN_ID = {chain.chain_id: chain.network for chain in _ROWS if isinstance(chain, Evm)}
_EVM_NAME = re.compile(r"evm:([1-9][0-9]{0,18})")


def find_chain(network: str) -> Chain | None:
    """Return the network's chain, or None if there is no such network.

    One that has a row has no other name: two names of a network would be two accounts of one key in the books.
    """
    return CHAINS.get(network) or _evm_chain(network)


@lru_cache(maxsize=1024)
def _evm_chain(network: str) -> Chain | None:
    match = _EVM_NAME.fullmatch(network)
    if match is None or int(match[1]) > MAX_CHAIN_ID or int(match[1]) in _ROW_OF_CHAIN_ID:
        return None
    # Many such networks charge for data beside the gas, so no fee is said to be bounded.
    title, chain_id = f"EVM chain {match[1]}", int(match[1])
    return evm(network, title=title, symbol="native", chain_id=chain_id, has_data_fee=True, absurd_fee=_ABSURD_FEE_ANYWHERE)


def chain_for(network: str) -> Chain:
    """Return the network's chain.

    Raises:
        UnsupportedNetworkError: There is no such network.
    """
    chain = find_chain(network)
    if chain is None:
        msg = f"unknown network; known are {', '.join(CHAINS)}, and evm:<chain id> for other EVM networks"
        raise UnsupportedNetworkError(msg)
    return chain


def resolve(account: Account) -> tuple[Chain, Account]:
    """Return the account's chain, and the account with the usual variant's name as "".

    Raises:
        InvalidRequestError: The network has no such variant.
        UnsupportedNetworkError: There is no such network.
    """
    chain = chain_for(account.network)
    if not account.variant:
        return chain, account
    return chain, replace(account, variant=usual_variant(chain, account.variant))


def usual_variant(chain: Chain, variant: str) -> str:
    """Return a variant of the chain, the usual one's name as "".

    Raises:
        InvalidRequestError: There is no such variant.
    """
    if variant and variant not in chain.variants:
        raise InvalidRequestError(_unknown_variant(chain))
    return "" if variant == next(iter(chain.variants), "") else variant


def _unknown_variant(chain: Chain) -> str:
    if not chain.variants:
        return f"{chain.network} has one kind of address only"
    return f"unknown {chain.variant_name}; {chain.network} has {', '.join(chain.variants)}"
