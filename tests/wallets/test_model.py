"""Values that pass between the rooms: what cannot be is refused when it is made."""

import pytest

from wallets.model import EncryptedMnemonic


def test_a_ciphertext_is_bound_to_something() -> None:
    """A ciphertext without associated data could be moved to another wallet, and is none."""
    assert EncryptedMnemonic("vault:v1:AAAA", b"wallet").associated_data == b"wallet"
    with pytest.raises(ValueError, match="bound to something"):
        EncryptedMnemonic("vault:v1:AAAA", b"")
