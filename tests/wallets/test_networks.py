"""Networks: those of the table by their names, and every other EVM network by its chain id."""

import pytest

from wallets.chains import CHAINS, MAX_CHAIN_ID, chain_for, find_chain
from wallets.chains.evm import Evm
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError, UnsupportedNetworkError

KEY = private_key(Curve.SECP256K1, b"\x46" * 32)
CHAIN_5 = bytes.fromhex("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080058080")


@pytest.mark.parametrize("network", CHAINS)
def test_the_networks_of_the_table(network: str) -> None:
    """Each is found by its name."""
    assert chain_for(network) is CHAINS[network]


@pytest.mark.parametrize("chain_id", [2, 5, 1337, MAX_CHAIN_ID])
def test_an_evm_network_by_its_chain_id(chain_id: int) -> None:
    """It has the addresses of every EVM network, and signs what names its own chain id."""
    chain = chain_for(f"evm:{chain_id}")

    assert isinstance(chain, Evm)
    assert (chain.network, chain.chain_id) == (f"evm:{chain_id}", chain_id)
    assert chain.address(KEY.public_key, DerivationScheme.STANDARD) == CHAINS["eth"].address(KEY.public_key, DerivationScheme.STANDARD)
    if chain_id == 5:
        assert chain.decode(CHAIN_5).intent.network == "evm:5"
    else:
        with pytest.raises(MalformedTransactionError, match=f"but evm:{chain_id} has {chain_id}"):
            chain.decode(CHAIN_5)


def test_no_fee_is_said_to_be_bounded_where_nothing_is_known() -> None:
    """A network that nobody has described may charge beside the gas."""
    intent = chain_for("evm:5").decode(CHAIN_5).intent

    assert intent.max_fee is None
    assert intent.details["max_execution_fee"] == str(20 * 10**9 * 21_000)


@pytest.mark.parametrize(
    "network",
    ["evm:0", "evm:01", "evm:-1", "evm:+5", "evm:", "evm:x", "evm: 5", "evm:5\n", "EVM:5", "evm:\uff15", f"evm:{MAX_CHAIN_ID + 1}", "evm"],
)
def test_what_names_no_network(network: str) -> None:
    """A chain id is written in plain digits, and is no larger than signatures can hold."""
    assert find_chain(network) is None
    with pytest.raises(UnsupportedNetworkError, match="evm:<chain id>"):
        chain_for(network)


@pytest.mark.parametrize("chain", [chain for chain in CHAINS.values() if isinstance(chain, Evm)], ids=lambda chain: chain.network)
def test_a_network_has_one_name(chain: Evm) -> None:
    """What has a row has no second name, which would be a second account of the same key in the books."""
    assert find_chain(f"evm:{chain.chain_id}") is None
