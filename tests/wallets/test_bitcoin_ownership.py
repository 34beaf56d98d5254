"""Bitcoin: what leaves the wallet is told, not what leaves one of its accounts; inputs and outputs are its own by the same proof."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.wallets.psbts import KINDS, STRANGER, US, Fields, Party, Spent, claim, psbt, signer, spent
from wallets.chains.bitcoin.psbt import read_psbt
from wallets.chains.bitcoin.script import Kind
from wallets.chains.bitcoin.transaction import Output
from wallets.derivation import DerivationPath
from wallets.model import Intent

OTHER = Party(index=1)
PATHS = ["m/84'/0'/0'/1/0", "m/84'/1'/0'/0/1", "m/84'/0'/0'/0/1'", "m", "m" + "/1" * 11]


def own(index: int, variant: str) -> str:
    """Derive another account of the wallet."""
    return Party(KINDS[variant], index).address


def intent_of(raw: bytes, party: Party, derive: Callable[[int, str], str] = own) -> Intent:
    """Return what a PSBT does when an account signs it."""
    return party.decode(raw).intent_for(party.address, derive)


def money(intent: Intent) -> tuple[object, ...]:
    """Return what it says of the wallet's money: its inputs, what comes back, what goes out."""
    return tuple(intent.details.get(name) for name in ("own_inputs", "change", "net_outflow"))


def claimed(party: Party, amount: int, salt: int = 1) -> Spent:
    """Return an input that says which account shall sign it."""
    return spent(party, amount, salt=salt, fields=[signer(party)])


@pytest.mark.parametrize("party", [US, OTHER], ids=["first", "second"])
@pytest.mark.parametrize("version", [0, 2])
def test_what_leaves_the_wallet_is_the_same_whichever_of_its_accounts_signs(party: Party, version: int) -> None:
    """An input of another account counts as its change does, and an output to an account whose input is proven needs no claim."""
    outputs = [Output(20_000, STRANGER), Output(129_000, US.script)]

    intent = intent_of(psbt([claimed(US, 50_000), claimed(OTHER, 100_000, 2)], outputs, version=version), party)

    assert money(intent) == (2, 129_000, 21_000)
    assert [each.amount for each in intent.transfers] == [20_000]
    assert intent.warnings == ()


@pytest.mark.parametrize("other", [Party(kind, 7) for kind in Kind], ids=str)
def test_an_account_of_any_kind_is_recognised_among_the_inputs(other: Party) -> None:
    """By the path that its input claims, once the account is derived; nobody is believed while nothing is derived."""
    raw = psbt([spent(US, 50_000), claimed(other, 100_000, 2)], [Output(20_000, STRANGER), Output(129_000, US.script)])

    assert money(intent_of(raw, US)) == (2, 129_000, 21_000)
    assert money(US.decode(raw).intent_for(US.address)) == (1, 129_000, 50_000 - 129_000)


def test_a_proven_output_proves_inputs_too() -> None:
    """A script that is the wallet's is so wherever it stands."""
    outputs = [Output(20_000, STRANGER), Output(129_000, OTHER.script)]
    raw = psbt([spent(US, 50_000), spent(OTHER, 100_000, salt=2)], outputs, output_fields={1: (claim(OTHER),)})

    assert money(intent_of(raw, US)) == (2, 129_000, 21_000)


@pytest.mark.parametrize("kinds", [(Kind.SEGWIT, Kind.TAPROOT), (Kind.TAPROOT, Kind.LEGACY)], ids=str)
def test_the_account_that_signs_next_still_knows_the_inputs_of_the_first(kinds: tuple[Kind, Kind]) -> None:
    """The claim of a final input stays in the PSBT as long as others have to sign, and not longer."""
    first, second = (Party(kind, at) for at, kind in enumerate(kinds))
    raw = psbt([claimed(first, 50_000), claimed(second, 100_000, 2)], [Output(20_000, STRANGER), Output(129_000, second.script)])

    once = bytes.fromhex(str(first.decode(raw).sign(first.key).extra["psbt"]))
    twice = bytes.fromhex(str(second.decode(once).sign(second.key).extra["psbt"]))

    assert money(intent_of(once, second)) == (2, 129_000, 21_000)
    assert {key[0] for each in read_psbt(twice).inputs for key in each.values} & {0x06, 0x16} == set()


def test_what_is_not_claimed_is_not_recognised() -> None:
    """An input without a claim is a stranger's, and so is an output."""
    inputs = [spent(US, 50_000), spent(OTHER, 100_000, salt=2)]

    to_us = intent_of(psbt(inputs, [Output(20_000, STRANGER), Output(129_000, US.script)]), US)
    to_other = intent_of(psbt(inputs, [Output(20_000, STRANGER), Output(129_000, OTHER.script)]), US)

    assert money(to_us) == (1, 129_000, 50_000 - 129_000)
    assert money(to_other) == (1, None, 50_000)
    assert [each.amount for each in to_other.transfers] == [20_000, 129_000]


LIES: dict[str, Fields] = {
    "a stranger's": (signer(OTHER),),
    "another kind of account": (signer(Party(Kind.TAPROOT, 1)),),
    "two keys": (signer(US), signer(OTHER)),
    **{f"at {path[:16]}": (signer(US, path=DerivationPath.parse(path)),) for path in PATHS},
}


@pytest.mark.parametrize("name", LIES)
def test_an_input_that_lies_is_not_the_wallets(name: str) -> None:
    """Nor is it warned of: the inputs of others say in the same way who shall sign them."""
    inputs = [spent(US, 50_000), replace(spent(Party(index=9), 100_000, salt=2), fields=tuple(LIES[name]))]

    intent = intent_of(psbt(inputs, [Output(20_000, STRANGER), Output(129_000, US.script)]), US)

    assert money(intent) == (1, 129_000, 50_000 - 129_000)
    assert intent.warnings == ()


def test_accounts_of_inputs_are_derived_in_a_bounded_number() -> None:
    """A hundred, each once; of further claims that are not proven otherwise it is told how many there are."""
    parties = [Party(index=at) for at in range(1, 104)]
    inputs = [claimed(US, 1_000), *(claimed(each, 1_000, at) for each in parties for at in (each.index, each.index + 103))]
    asked: list[int] = []

    def counted(index: int, variant: str) -> str:
        asked.append(index)
        return own(index, variant)

    raw = psbt(inputs, [Output(190_000, STRANGER), Output(6_000, parties[-1].script)], output_fields={1: (claim(parties[-1]),)})
    intent = intent_of(raw, US, counted)

    assert asked == [*range(1, 101), 103]
    assert money(intent) == (1 + 2 * 101, 6_000, 203_000 - 6_000)
    assert intent.warnings == ("4 more inputs are said to be the wallet's; they were not looked at, and net_outflow is without them",)


def test_a_claim_of_a_megabyte_is_not_read() -> None:
    """Only that it is no path of an account."""
    path = DerivationPath((0,) * 250_000)

    intent = intent_of(
        psbt([spent(US)], [Output(60_000, STRANGER), Output(39_000, STRANGER)], output_fields={1: (claim(US, path=path),)}), US
    )

    assert intent.warnings == (
        "output 1 is said to be change at a path of 250000 steps, which is no account of this service: not believed",
    )
