"""List the chains. Adding one is a file beside this and a row here."""

from wallets.chains.base import Chain
from wallets.errors import UnsupportedNetworkError

_ROWS: tuple[Chain, ...] = ()

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
