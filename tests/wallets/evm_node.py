"""A chain of py-evm, on the rules of Prague, that mines what is sent to it."""

from typing import Any

from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague import PragueVM

CHAIN_ID = 1
ETHER = 10**18


class Node:
    """One chain with one account that has money."""

    def __init__(self, rich: bytes) -> None:
        vm = PragueVM.configure(consensus_class=NoProofConsensus)
        chain: Any = MiningChain.configure(__name__="Mined", vm_configuration=((0, vm),), chain_id=CHAIN_ID)
        header = {"coinbase": bytes(20), "difficulty": 0, "gas_limit": 30_000_000, "timestamp": 1, "extra_data": b"", "nonce": bytes(8)}
        account = {"balance": 100 * ETHER, "nonce": 0, "code": b"", "storage": {}}
        self._chain = chain.from_genesis(AtomicDB(), header, {rich: account})

    def mine(self, signed_tx: bytes) -> bool:
        """Read a transaction as it comes from the network, put it into a block of its own, and tell whether it succeeded (EIP-658).

        Raises:
            ValidationError: The chain does not take it (eth_utils).
        """
        transaction = self._chain.get_vm().get_transaction_builder().decode(signed_tx)
        _, (receipt,), _ = self._chain.mine_all([transaction])
        return bool(receipt.state_root == b"\1")

    @property
    def state(self) -> Any:
        """What accounts have now: `get_balance`, `get_nonce`, `get_code`, `get_storage`, by the address's 20 bytes."""
        return self._chain.get_vm().state

    def transaction_hash(self, signed_tx: bytes) -> str:
        """Return how the node names a transaction."""
        return "0x" + str(self._chain.get_vm().get_transaction_builder().decode(signed_tx).hash.hex())
