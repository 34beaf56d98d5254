"""What is found wrong in a database of 1.0.8 is reported, and never guessed away."""

import json

import pytest

from tests.adapters.takeover_house import FakeV1Phrases, House
from tests.v1_house import NETWORKS, address
from wallets.takeover import Finding


@pytest.mark.parametrize("network", NETWORKS)
async def test_a_wallet_with_an_address_that_differs_stays_where_it_is(house: House, network: str) -> None:
    """It is reported with both addresses and written down, nothing of it is here, and other wallets are."""
    good, bad = await house.v1.add_wallet(), await house.v1.add_wallet()
    stolen = address(house.v1.phrases[good], network, 77)
    await house.v1.add_address(bad, network, 5, stolen)

    summary = await house.take_over()

    derived = address(house.v1.phrases[bad], network, 5)
    (report,) = house.reports
    assert (Finding.ADDRESS, bad, network, 5) == (report.finding, report.wallet_id, report.network, report.index)
    assert (stolen, derived) == (report.stored, report.derived)
    assert (summary.wallets_added, summary.wallets_refused, summary.differences) == (1, 1, 1)
    assert {good} == await house.wallet_ids()
    assert {good} == {row[0] for row in await house.addresses()}
    (row,) = await house.ours("SELECT status, wallet_id FROM audit_logs WHERE action = 'wallet:takeover' AND status != 'ok'")
    assert ("failed", bad) == tuple(row)


async def test_an_address_that_differs_can_be_left_out(house: House) -> None:
    """When asked for, the wallet is taken over without it, and it is reported at every run."""
    bad = await house.v1.add_wallet(networks=("eth",))
    await house.v1.add_address(bad, "eth", 5, "0x000000000000000000000000000000000000dEaD")

    first = await house.take_over(leave_out_differing=True)
    second = await house.take_over(leave_out_differing=True)

    assert (first.wallets_added, first.addresses_added, first.differences) == (1, 2, 1)
    assert (second.wallets_added, second.wallets_here, second.addresses_added, second.differences) == (0, 1, 0, 1)
    assert {0, 1} == {row[2] for row in await house.addresses()}


@pytest.mark.parametrize(("network", "index"), [("btc", 0), ("bsc", 0), ("ETH", 0), ("eth", -1)])
async def test_accounts_that_1_0_8_could_not_have_differ(house: House, network: str, index: int) -> None:
    """A network that it did not know, though we do, or an index that is none, is a difference without a derived address."""
    wallet_id = await house.v1.add_wallet()
    await house.v1.add_address(wallet_id, network, index, "0x0000000000000000000000000000000000000001")

    await house.take_over()

    assert [(Finding.ADDRESS, wallet_id, None)] == [(each.finding, each.wallet_id, each.derived) for each in house.reports]
    assert set() == await house.wallet_ids()


async def test_an_address_in_other_letters_is_the_same(house: House) -> None:
    """An Ethereum address in lower case, or TON's non-bounceable form, is noted, hinders nothing, and is here as we write it."""
    wallet_id = await house.v1.add_wallet(networks=())
    right = address(house.v1.phrases[wallet_id], "eth", 0)
    await house.v1.add_address(wallet_id, "eth", 0, right.lower())

    first = await house.take_over()
    second = await house.take_over()

    assert (first.wallets_added, first.differences, first.notes) == (1, 0, 1)
    assert (second.wallets_added, second.wallets_here, second.differences, second.notes) == (0, 1, 0, 0)
    assert {(wallet_id, "eth", 0, right)} == await house.addresses()


async def test_a_phrase_that_does_not_decrypt_is_reported(house: House) -> None:
    """A ciphertext of another key, a broken one, and an empty one: each wallet stays where it is, and others are taken over."""
    good, *bad = [await house.v1.add_wallet() for _ in range(4)]
    for wallet_id, ciphertext in zip(bad, (FakeV1Phrases().encrypt("x"), "vault:v1:AAAA", ""), strict=True):
        await house.v1.execute("UPDATE master_wallets SET encrypted_phrase = $2 WHERE id = $1", wallet_id, ciphertext)

    summary = await house.take_over()

    assert {(Finding.CIPHERTEXT, wallet_id) for wallet_id in bad} == set(house.findings())
    assert (summary.wallets_added, summary.wallets_refused, summary.wallets_seen) == (1, 3, 4)
    assert {good} == await house.wallet_ids()


@pytest.mark.parametrize("phrase", ["abandon " * 11 + "abandon", "ABANDON " * 11 + "ABOUT", "abandon " * 11 + "about\nextra", "\0", "no"])
async def test_what_is_no_phrase_is_reported_and_never_quoted(house: House, phrase: str) -> None:
    """A wrong checksum, other letters, or something behind the phrase would make another seed; nothing of it is in a report."""
    wallet_id = await house.v1.add_wallet(networks=())
    await house.v1.execute("UPDATE master_wallets SET encrypted_phrase = $2 WHERE id = $1", wallet_id, house.phrases.encrypt(phrase))

    await house.take_over()

    assert [(Finding.PHRASE, wallet_id)] == house.findings()
    assert "abandon" not in repr(house.reports).lower()
    assert set() == await house.wallet_ids()


async def test_labels_that_we_do_not_allow_become_legible(house: House) -> None:
    """Control characters, none, or too many: the wallet has a legible label, and the original is in a note and in the audit row."""
    labels = {"a\nb\u202ec": "a\ufffdb\ufffdc", "": "?", "x" * 200: "x" * 100}
    ids = {await house.v1.add_wallet(label, networks=()): label for label in labels}

    summary = await house.take_over()

    found = dict(await house.ours("SELECT id, label FROM master_wallets"))
    assert {wallet_id: labels[label] for wallet_id, label in ids.items()} == found
    assert ids == {report.wallet_id: report.stored for report in house.reports if report.finding is Finding.LABEL}
    rows = await house.ours("SELECT wallet_id, details FROM audit_logs WHERE action = 'wallet:takeover'")
    assert ids == {row["wallet_id"]: json.loads(row["details"])["original_label"] for row in rows}
    assert (summary.differences, summary.notes) == (0, 3)


async def test_what_is_here_already_is_never_overwritten(house: House) -> None:
    """A wallet made here with the same id, or another address of the same account, is a conflict, and stays as it is."""
    other, moved = await house.v1.add_wallet(), await house.v1.add_wallet()
    await house.take_over()
    await house.ours("UPDATE master_wallets SET scheme = 'standard' WHERE id = $1", other)
    await house.ours(
        "UPDATE derived_addresses SET address = 'elsewhere' WHERE wallet_id = $1 AND network = 'sol' AND address_index = 1", moved
    )
    await house.v1.add_address(other, "eth", 9)
    await house.v1.add_address(moved, "eth", 9)
    before = await house.addresses()

    summary = await house.take_over()

    assert {(Finding.CONFLICT, other), (Finding.CONFLICT, moved)} == set(house.findings())
    assert (summary.wallets_added, summary.wallets_here, summary.wallets_refused) == (0, 0, 2)
    assert before == await house.addresses()


async def test_addresses_of_no_wallet_are_counted(house: House) -> None:
    """The tables of 1.0.8 may have lost a wallet: that its addresses are left behind is said."""
    wallet_id = await house.v1.add_wallet()
    await house.v1.execute("DELETE FROM master_wallets WHERE id = $1", wallet_id)

    summary = await house.take_over()

    assert house.findings() == [(Finding.ORPHAN, None)]
    assert house.reports[0].detail.startswith("8 addresses")
    assert summary.differences == 1
    assert len(await house.taken_over_audit()) == 10
