"""List the chains. Adding one is a file beside this and a row here."""

from wallets.chains.base import Chain
from wallets.chains.evm import Evm
from wallets.errors import UnsupportedNetworkError

_ROWS: tuple[Chain, ...] = (
    Evm("eth", "Ethereum", chain_id=1),
    Evm("bsc", "BNB Smart Chain", chain_id=56, symbol="BNB"),
    Evm("polygon", "Polygon", chain_id=137, symbol="POL"),
    Evm("arbitrum", "Arbitrum One", chain_id=42161),
    Evm("optimism", "OP Mainnet", chain_id=10),
    Evm("base", "Base", chain_id=8453),
    Evm("avalanche", "Avalanche C-Chain", chain_id=43114, symbol="AVAX"),
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
