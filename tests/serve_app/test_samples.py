"""The demo's sample transactions."""

import pytest

from serve_app.samples import sample
from tests.known_phrase import PHRASE
from wallets.chains import CHAINS
from wallets.chains.bitcoin import Bitcoin
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.mnemonic import parse, to_seed


@pytest.mark.parametrize("network", CHAINS)
def test_samples_are_transfers_that_are_signed(network: str) -> None:
    """The sample of every network decodes whole, sends a base unit, or a hundredth of a coin, to the recipient, and the sender signs it."""
    chain, scheme, seed = CHAINS[network], DerivationScheme.STANDARD, to_seed(parse(PHRASE))
    paths = [DerivationPath.parse(chain.path(scheme).format(index=index)) for index in (0, 1)]
    sender_key, recipient_key = (derive(seed, path, chain.curve, scheme) for path in paths)
    sender, recipient = (chain.address(key.public_key, scheme) for key in (sender_key, recipient_key))

    transaction = chain.decode(sample(chain, sender, recipient))

    intent = transaction.intent_for(sender)
    amount = 10**6 if isinstance(chain, Bitcoin) else 1
    assert [(transfer.recipient, transfer.amount) for transfer in intent.transfers] == [(recipient, amount)]
    assert [text for text in intent.warnings if "fee" not in text] == []
    assert transaction.sign(sender_key).tx_id
