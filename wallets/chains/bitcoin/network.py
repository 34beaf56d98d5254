"""Say what is different between Bitcoin and the networks that are made like it."""

from dataclasses import dataclass

from wallets.chains.bitcoin.script import Forms, witness_program

_SPENDING = 32 + 4 + 1 + 107 + 4
"""Bytes that it takes to spend an output by a signature script (Bitcoin Core, GetDustThreshold)."""
_SPENDING_BY_WITNESS = 32 + 4 + 1 + 107 // 4 + 4


@dataclass(frozen=True, slots=True)
class Network:
    """One network. Fees are base units a virtual byte, `relay_fee_rate` a thousand of them.

    `dust_fee_rate` is what it is reckoned to cost to spend an output: one of less is dust. `least_output`: what any output must have.
    `message_prefix` stands before messages that are signed as before BIP-322. `has_mweb`: it has extension blocks (MWEB), which are not
    supported and must not be taken for anything else.
    """

    name: str
    forms: Forms
    coin_type: int
    max_money: int
    relay_fee_rate: int
    high_fee_rate: int
    message_prefix: bytes
    dust_fee_rate: int = 3
    least_output: int = 0
    has_mweb: bool = False

    @property
    def has_segwit(self) -> bool:
        """Whether transactions may have witnesses."""
        return bool(self.forms.hrp)

    def dust(self, script: bytes) -> int:
        """Return what an output to this script must have, so that nodes relay it."""
        is_witness = self.has_segwit and witness_program(script) is not None
        size = 8 + 1 + len(script) + (_SPENDING_BY_WITNESS if is_witness else _SPENDING)
        return max(self.least_output, self.dust_fee_rate * size)
