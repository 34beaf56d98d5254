"""List the chains. Adding one is a file beside this and a row here."""

from dataclasses import replace

from wallets.chains.base import Chain
from wallets.chains.evm import evm
from wallets.chains.solana import Solana
from wallets.chains.ton import Ton
from wallets.chains.tron import Tron
from wallets.errors import InvalidRequestError, UnsupportedNetworkError
from wallets.model import Account

_ROWS: tuple[Chain, ...] = (
    evm("eth", title="Ethereum", symbol="ETH", chain_id=1),
    evm("bsc", title="BNB Smart Chain", symbol="BNB", chain_id=56),
    evm("polygon", title="Polygon PoS", symbol="POL", chain_id=137),
    evm("arbitrum", title="Arbitrum One", symbol="ETH", chain_id=42161),
    evm("optimism", title="OP Mainnet", symbol="ETH", chain_id=10, has_data_fee=True),
    evm("base", title="Base", symbol="ETH", chain_id=8453, has_data_fee=True),
    evm("avalanche", title="Avalanche C-Chain", symbol="AVAX", chain_id=43114),
    Tron(),
    Solana(),
    Ton(),
)

CHAINS: dict[str, Chain] = {chain.network: chain for chain in _ROWS}


def chain_for(network: str) -> Chain:
    """Return the network's chain.

    Raises:
        UnsupportedNetworkError: It is not in the table.
    """
    chain = CHAINS.get(network)
    if chain is None:
        msg = f"unknown network; known are {', '.join(CHAINS)}"
        raise UnsupportedNetworkError(msg)
    return chain


def resolve(account: Account) -> tuple[Chain, Account]:
    """Return the account's chain, and the account with the usual variant's name as "".

    Raises:
        InvalidRequestError: The network has no such variant.
        UnsupportedNetworkError: The network is not in the table.
    """
    chain = chain_for(account.network)
    if not account.variant:
        return chain, account
    if account.variant not in chain.variants:
        raise InvalidRequestError(_unknown_variant(chain))
    return chain, replace(account, variant="") if account.variant == chain.variants[0] else account


def _unknown_variant(chain: Chain) -> str:
    if not chain.variants:
        return f"{chain.network} has one kind of address only"
    return f"unknown {chain.variant_name}; {chain.network} has {', '.join(chain.variants)}"
