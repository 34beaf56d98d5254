"""Bitcoin through the service: accounts of a kind sign, what claims to be change is derived, and refusals are audited."""

from base64 import b64encode

import pytest

from tests.wallets import bitcoin_node
from tests.wallets.custody_house import CALLER, House
from tests.wallets.psbts import STRANGER, US, Party, claim, psbt, spent, transfer
from wallets.chains.bitcoin.script import Kind
from wallets.chains.bitcoin.transaction import Output
from wallets.errors import MalformedTransactionError, WrongSignerError
from wallets.model import Account, AuditStatus, SigningRequest, Wallet


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


def request(wallet: Wallet, raw: bytes, party: Party = US) -> SigningRequest:
    """Return a request to sign for an account."""
    return SigningRequest(Account(wallet.id, party.network, party.index, party.variant), b64encode(raw).decode(), CALLER)


@pytest.mark.parametrize("kind", Kind)
async def test_each_kind_of_account_signs_single_and_in_a_batch(house: House, kind: Kind) -> None:
    """With the same answer, which Bitcoin Core accepts, and an audit row that tells what was signed."""
    wallet, party = await house.known_wallet(), Party(kind, 3)
    wanted = request(wallet, transfer(party), party)

    single = await house.custody.sign(wanted)
    (batched,) = await house.custody.sign_batch([wanted])

    assert single == batched
    assert (single.address, single.account) == (party.address, wanted.account)
    assert bitcoin_node.accepts(single.signed.raw, [spent(party).output])
    assert house.journal.events[0].details["intent"] == single.intent.as_details()
    assert house.journal.events[0].details["tx_id"] == single.signed.tx_id


async def test_change_of_another_account_is_derived_before_it_is_believed(house: House) -> None:
    """By the wallet's own seed: another wallet's account is a recipient like others."""
    wallet, other = await house.known_wallet(), Party(Kind.TAPROOT, 9)
    outputs = [Output(60_000, STRANGER), Output(20_000, other.script), Output(19_000, Party(Kind.LEGACY).script)]
    claims = {1: (claim(other),), 2: (claim(Party(Kind.LEGACY, 4)),)}

    result = await house.custody.sign(request(wallet, psbt([spent(US)], outputs, output_fields=claims)))

    assert [each.amount for each in result.intent.transfers] == [60_000, 19_000]
    assert result.intent.details["change"] == 20_000
    assert result.intent.warnings == ("output 2 is said to be change at m/44'/0'/0'/0/4, and is not this wallet's",)


async def test_a_psbt_of_others_is_refused_and_audited(house: House) -> None:
    """With some of the addresses that would have to sign."""
    wallet = await house.known_wallet()
    others = [spent(Party(index=index), salt=index) for index in range(1, 13)]

    with pytest.raises(WrongSignerError, match=r"is not among the transaction's signers: bc1q.*, bc1q.* and 2 more$"):
        await house.custody.sign(request(wallet, psbt(others, [Output(1_000_000, STRANGER)])))

    assert [each.status for each in house.journal.events] == [AuditStatus.REFUSED]


async def test_signing_again_is_refused(house: House) -> None:
    """The second request has nothing to add."""
    wallet = await house.known_wallet()
    signed = (await house.custody.sign(request(wallet, transfer()))).signed

    with pytest.raises(MalformedTransactionError, match="this account has already signed"):
        await house.custody.sign(request(wallet, bytes.fromhex(str(signed.extra["psbt"]))))
