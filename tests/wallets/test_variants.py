"""An account says which kind of address it has, in one spelling, and only where its network has several kinds."""

from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE
from tests.wallets.custody_house import CALLER, House
from wallets.chains import CHAINS, resolve
from wallets.chains.evm import Evm
from wallets.derivation import DerivationScheme
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.mnemonic import parse, to_seed
from wallets.model import Account, AuditStatus, SigningRequest, Wallet
from wallets.proof import StoredAddress, differences

USUAL = Account(uuid4(), "kinds", 3)


@dataclass(frozen=True, slots=True)
class Kinds(Evm):
    """An EVM network with addresses of two kinds, each on a path of its own."""

    variant_name: str = "type"
    variants: tuple[str, ...] = ("plain", "fancy")

    def path(self, scheme: DerivationScheme, variant: str = "") -> str:
        """See `Chain.path`."""
        return f"m/{len(variant)}'/{list(DerivationScheme).index(scheme)}'/{{index}}"

    def address(self, public_key: bytes, scheme: DerivationScheme, variant: str = "") -> str:
        """See `Chain.address`."""
        return f"{variant or 'plain'} {super(Kinds, self).address(public_key, scheme)}"


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> Kinds:
    """The network, in the table."""
    chain = Kinds("kinds", "Kinds", "KND", chain_id=1)
    monkeypatch.setitem(CHAINS, "kinds", chain)
    return chain


@pytest.fixture
def house() -> House:
    """A custody with its surroundings."""
    return House()


def request(wallet: Wallet, variant: str) -> SigningRequest:
    """Return a request to sign EIP-155's example."""
    return SigningRequest(Account(wallet.id, "kinds", 3, variant), f"0x{EIP_155_EXAMPLE}", CALLER)


@pytest.mark.parametrize(("given", "taken"), [("", ""), ("plain", ""), ("fancy", "fancy")])
def test_the_usual_kind_has_one_spelling(kinds: Kinds, given: str, taken: str) -> None:
    """Asked for by its name or not at all, it is the same account."""
    assert resolve(replace(USUAL, variant=given)) == (kinds, replace(USUAL, variant=taken))


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (replace(USUAL, variant="Plain"), "unknown type; kinds has plain, fancy"),
        (replace(USUAL, network="eth", variant="plain"), "eth has one kind of address only"),
        (replace(USUAL, network="no"), "unknown network"),
    ],
    ids=["unknown", "none", "network"],
)
def test_a_kind_that_is_not_there_is_refused(account: Account, reason: str) -> None:
    """The refusal says what there is."""
    with pytest.raises(InvalidRequestError, match=reason):
        resolve(account)


async def test_each_kind_has_its_key_and_address(house: House) -> None:
    """Derived, cached, remembered, in ranges, and found again, under the account in its one spelling."""
    wallet = await house.known_wallet()
    usual, named, fancy = (Account(wallet.id, "kinds", 3, variant) for variant in ("", "plain", "fancy"))

    first = [await house.custody.address(account, CALLER) for account in (usual, named, fancy, fancy)]
    ranged = [(await house.custody.address_range(replace(account, index=2), 2, CALLER))[1] for account in (usual, named, fancy)]

    assert first[0] == first[1] == ranged[0] == ranged[1]
    assert first[2] == first[3] == ranged[2]
    assert (first[0].account, first[2].account) == (usual, fancy)
    assert first[2].text.startswith("fancy 0x")
    assert first[0].text.removeprefix("plain ") != first[2].text.removeprefix("fancy ")
    assert [account for account, _ in await house.addresses.accounts(first[2].text, 9)] == [fancy]


async def test_a_kind_signs_with_its_own_key(house: House) -> None:
    """Single or in a batch, the account's address says whose signature it is."""
    wallet = await house.known_wallet()
    fancy = request(wallet, "fancy")

    single = await house.custody.sign(fancy)
    (batched,) = await house.custody.sign_batch([fancy])

    assert single == batched
    assert single.address == (await house.custody.address(fancy.account, CALLER)).text
    assert house.journal.events[0].details["variant"] == "fancy"


async def test_an_unknown_kind_is_audited_as_refused(house: House) -> None:
    """Like any other request that cannot be."""
    wallet = await house.known_wallet()

    with pytest.raises(InvalidRequestError):
        await house.custody.sign(request(wallet, "no"))

    event = house.journal.events[-1]
    assert (event.status, event.details["variant"]) == (AuditStatus.REFUSED, "no")


async def test_the_proof_derives_each_kind(house: House) -> None:
    """A stored address of another kind than its row says differs, and one of a kind that is not there cannot be."""
    wallet = await house.known_wallet()
    plain, fancy = [(await house.custody.address(replace(USUAL, wallet_id=wallet.id, variant=kind), CALLER)).text for kind in ("", "fancy")]

    def derived(text: str, variant: str) -> list[str | None]:
        stored = [StoredAddress("kinds", 3, text, house.now, variant)]
        return [each.derived for each in differences(wallet.id, to_seed(parse(PHRASE)), wallet.scheme, stored, frozenset({"kinds"}))]

    assert derived(plain, "") == derived(fancy, "fancy") == []
    assert derived(plain, "fancy") == [fancy]
    assert derived(plain, "plain") == derived(plain, "no") == [None]


@pytest.mark.parametrize("network", CHAINS)
def test_every_network_takes_hex(network: str) -> None:
    """In either case, with 0x or without; what is neither hex nor the network's own form is refused."""
    chain = CHAINS[network]

    assert chain.unwrap("0xaB01") == chain.unwrap("ab01") == b"\xab\1"
    with pytest.raises(MalformedTransactionError, match="unsigned_tx"):
        chain.unwrap("no hex")
