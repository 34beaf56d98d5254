"""What is timed is what the service does: each network's transactions are signable, all differ, and every step runs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from benchmarks import machine, primitives, wallet
from benchmarks.house import House
from benchmarks.primitives import MULTIPLE, QUESTION, calls, measure
from benchmarks.results import Results
from benchmarks.session import SHORT, Session
from wallets.chains import CHAINS
from wallets.policy import NamesOurAccount


@pytest.fixture(autouse=True)
def _few_recipients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a few transactions only."""
    monkeypatch.setattr(wallet, "RECIPIENTS", 3)
    for made in (wallet.strangers, wallet.transactions):
        made.cache_clear()
    yield
    for made in (wallet.strangers, wallet.transactions):
        made.cache_clear()


@pytest.mark.parametrize("network", list(CHAINS))
def test_the_transactions_of_a_network_are_signable_and_differ(network: str) -> None:
    """Each is decoded, passes the policy and is signed by the wallet's first account, and pays another recipient."""
    chain, transactions = CHAINS[network], wallet.transactions(network)
    key = wallet.key(chain)
    decoded = [chain.decode(each) for each in transactions]

    for each in decoded:
        NamesOurAccount().check(each, chain.address(key.public_key, wallet.SCHEME))
    signed = {each.sign(key).raw for each in decoded}

    assert len(signed) == len({each.intent.transfers[0].recipient for each in decoded}) == 3


def test_networks_that_write_addresses_alike_pay_others() -> None:
    """What one network has put into a cache of addresses does not make the next one's cheaper."""
    recipients = [
        CHAINS[network].decode(each).intent.transfers[0].recipient for network in ("eth", "bsc") for each in wallet.transactions(network)
    ]

    assert len(set(recipients)) == len(recipients)


@pytest.mark.parametrize("network", list(CHAINS))
def test_every_step_runs(network: str) -> None:
    """Each step can be called again and again; only Solana leaves hashing to its curve."""
    steps = calls(CHAINS[network])

    for call in steps.values():
        assert call() is not None
        assert call() is not None
    assert ("hash" in steps) is (network != "sol")


def test_the_whole_is_told_as_a_multiple_of_the_curves_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each round, of what both took in it: a machine that is slower for a while is so for both."""
    monkeypatch.setattr(primitives, "CHAINS", {"btc": CHAINS["btc"]})
    results, case = Results(machine.facts("short")), {"network": "btc"}

    measure(Session(cast("House", None), replace(SHORT, batches=2), results, lambda _: None))

    whole, bare, multiple = (results.get(QUESTION, case, name) for name in ("decode, sign, verify", "curve sign", MULTIPLE))
    assert whole is not None
    assert bare is not None
    assert multiple is not None
    assert multiple.samples == [ours / theirs for ours, theirs in zip(whole.samples, bare.samples, strict=True)]
    assert multiple.unit == "times"
