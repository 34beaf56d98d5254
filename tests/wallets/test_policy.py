"""Policies: what names another account is refused, and a forgotten list of policies opens no door."""

from dataclasses import dataclass, field, replace

import pytest

from wallets.chains import CHAINS
from wallets.chains.base import Own
from wallets.errors import PolicyViolationError
from wallets.model import Intent, SignedTransaction
from wallets.policy import AllOf, NamesItsChain, NamesOurAccount
from wallets.secret import PrivateKey


@dataclass(frozen=True)
class Transaction:
    """A transaction that names these signers, and is never signed here."""

    signers: frozenset[str] = frozenset()
    intent: Intent = field(default_factory=lambda: Intent("eth", "transfer"))

    def intent_for(self, address: str, _own: Own | None = None, /) -> Intent:
        """See `UnsignedTransaction.intent_for`."""
        return replace(self.intent, sender=address)

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """Refuse: a policy must not sign."""
        raise NotImplementedError


class Refuses:
    """A policy that refuses with its own words."""

    def check(self, subject: object, address: str) -> None:
        """See `Policy.check`."""
        msg = f"not by {address}: {subject}"
        raise PolicyViolationError(msg)


class Counts:
    """A policy that lets everything pass and counts."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, str]] = []

    def check(self, subject: object, address: str) -> None:
        """See `Policy.check`."""
        self.calls.append((subject, address))


def test_no_policy_refuses_everything() -> None:
    """Made of nothing, it refuses."""
    with pytest.raises(PolicyViolationError, match="no policy is configured"):
        AllOf().check(Transaction(), "us")


def test_every_policy_is_asked() -> None:
    """What all let pass passes, and each saw the transaction and the address."""
    first, second, transaction = Counts(), Counts(), Transaction()

    AllOf(first, second).check(transaction, "us")

    assert [(transaction, "us")] == first.calls == second.calls


def test_one_refusal_is_enough() -> None:
    """What one refuses is refused, with its reason."""
    with pytest.raises(PolicyViolationError, match="not by us"):
        AllOf(Counts(), Refuses()).check(Transaction(), "us")


@pytest.mark.parametrize("signers", [frozenset(), frozenset({"us"}), frozenset({"us", "them"})])
def test_what_names_us_or_nobody_passes(signers: frozenset[str]) -> None:
    """A format that names nobody passes, and one that names us among others."""
    NamesOurAccount().check(Transaction(signers), "us")


def test_what_names_only_others_is_refused() -> None:
    """A transaction of somebody else is refused, and the message says who is who."""
    with pytest.raises(PolicyViolationError, match="this account, us, is not among the transaction's signers: them, you"):
        NamesOurAccount().check(Transaction(frozenset({"you", "them"})), "us")


def test_a_transaction_of_every_chain_is_refused() -> None:
    """A legacy transaction names its chain (EIP-155), unless the operator has dropped this policy."""
    fields = "098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
    before, after = (CHAINS["eth"].decode(bytes.fromhex(text)) for text in (f"e9{fields}", f"ec{fields}018080"))

    NamesItsChain().check(after, "us")
    with pytest.raises(PolicyViolationError, match="append chain_id, 0, 0"):
        NamesItsChain().check(before, "us")
