"""Decide whether what was decoded, a transaction or a message, may be signed by an account."""

from typing import Protocol

from wallets.chains.base import Signable
from wallets.chains.evm import EvmTransaction
from wallets.errors import PolicyViolationError, WrongSignerError

MAX_NAMED = 10
"""Signers that a refusal names."""


class Policy(Protocol):
    """May this be signed?"""

    def check(self, subject: Signable[object], address: str, /) -> None:
        """Return if `address` may sign it.

        Raises:
            PolicyViolationError: It may not; the message says why. A `WrongSignerError` where the transaction is another account's.
        """
        ...


class AllOf:
    """Let pass what every one of its policies lets pass. Made of none it refuses everything: a forgotten list must not open the door."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = policies

    def check(self, subject: Signable[object], address: str) -> None:
        """See `Policy.check`."""
        if not self._policies:
            msg = "no policy is configured"
            raise PolicyViolationError(msg)
        for policy in self._policies:
            policy.check(subject, address)


class NamesOurAccount:
    """Let pass what names `address` among its signers, and formats that name none: there the signature itself names us."""

    def check(self, subject: Signable[object], address: str) -> None:
        """See `Policy.check`."""
        signers = subject.signers
        if signers and address not in signers:
            named = ", ".join(sorted(signers)[:MAX_NAMED]) + (f" and {len(signers) - MAX_NAMED} more" if len(signers) > MAX_NAMED else "")
            msg = f"this account, {address}, is not among the transaction's signers: {named}"
            raise WrongSignerError(msg)


class NamesItsChain:
    """Refuse transactions that every chain would take: EVM ones without a chain id (before EIP-155)."""

    def check(self, subject: Signable[object], _address: str, /) -> None:
        """See `Policy.check`."""
        if isinstance(subject, EvmTransaction) and subject.payload.chain_id is None:
            msg = "a transaction without a chain id could be replayed on other chains: append chain_id, 0, 0 (EIP-155), or have it allowed"
            raise PolicyViolationError(msg)
