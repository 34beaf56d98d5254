"""Authenticate what is kept outside of this process: addresses, and the extended public keys of accounts, which are encrypted as well.

The keys for it come from a mnemonic of the service's own, which is kept as those of wallets are: encrypted by the key backend, bound to
its place, rewrapped with the others. It has no accounts: of its seed, symmetric keys are derived by SLIP-0021, which tell nothing of keys
on any curve. Whoever can write to Redis or to the database, and has no key, can make none of what `AddressKey` makes.
"""

import base64
import binascii
import hmac
import os
import re
from hashlib import blake2b
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallets.derivation import DerivationPath, DerivationScheme, symmetric_key
from wallets.mnemonic import to_seed
from wallets.model import Account, SealedAddress, Wallet
from wallets.secret import ExtendedPublicKey, Mnemonic

WORD_COUNT = 24
"""Words of the service's own mnemonic: 256 bits."""

_PURPOSE = "crypto-wallets-service"
_ADDRESSES = b"address"
"""The personalization of the hash: what is hashed for another purpose has another."""
_NONCE_BYTES = 12
_SEALED_KEY = re.compile(r"aesgcm:v([1-9][0-9]{0,4}):([A-Za-z0-9+/]+={0,2})")


@final
class AddressKey:
    """The keys of one of the service's mnemonics, which has a number.

    An address is sealed by keyed BLAKE2b (RFC 7693; a third of HMAC-SHA-256's time) over everything that says whose it is:
    `blake2b:v1:<base64 of 32 bytes>`. An extended public key is encrypted by AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits,
    and what says whose it is as associated data: `aesgcm:v1:<base64 of nonce, ciphertext, tag>`. Both name the number of their key.
    """

    __slots__ = ("_authentication", "_cipher", "number")

    def __init__(self, number: int, mnemonic: Mnemonic) -> None:
        """Derive the keys, which takes a millisecond or two. The mnemonic is not kept."""
        self.number = number
        with to_seed(mnemonic) as seed:
            self._authentication = symmetric_key(seed, _PURPOSE, "addresses")
            with symmetric_key(seed, _PURPOSE, "account keys") as encryption:
                self._cipher = AESGCM(encryption.reveal())

    def __repr__(self) -> str:
        return f"<AddressKey {self.number}: redacted>"

    def seal(self, account: Account, scheme: DerivationScheme, text: str) -> SealedAddress:
        """Return an address with its seal."""
        # The address comes last: nothing before it has a NUL, so that no two accounts with their addresses are written alike.
        place = f"{account.wallet_id.hex}\0{scheme}\0{account.network}\0{account.variant}\0{account.index}"
        message = f"{self.number}\0{place}\0{text}".encode(errors="surrogatepass")
        mac = blake2b(message, digest_size=32, key=self._authentication.reveal(), person=_ADDRESSES).digest()
        return SealedAddress(text, f"blake2b:v{self.number}:{base64.b64encode(mac).decode()}")

    def holds(self, account: Account, scheme: DerivationScheme, found: SealedAddress) -> bool:
        """Tell whether this key has sealed just this address for just this account."""
        return hmac.compare_digest(self.seal(account, scheme, found.text).seal.encode(), found.seal.encode(errors="surrogatepass"))

    def seal_account_key(self, wallet: Wallet, path: DerivationPath, key: ExtendedPublicKey) -> str:
        """Return the extended public key of a wallet at `path` as it may be kept."""
        nonce = os.urandom(_NONCE_BYTES)
        with key.revealed() as view:
            sealed = nonce + self._cipher.encrypt(nonce, view, self._place(wallet, path))
        return f"aesgcm:v{self.number}:{base64.b64encode(sealed).decode()}"

    def open_account_key(self, wallet: Wallet, path: DerivationPath, sealed: str) -> ExtendedPublicKey | None:
        """Return the extended public key of a wallet at `path`; None if this key has not sealed it for just this place."""
        match = _SEALED_KEY.fullmatch(sealed)
        if match is None:
            return None
        try:
            raw = base64.b64decode(match[2], validate=True)
            return ExtendedPublicKey(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._place(wallet, path)))
        except (InvalidTag, ValueError, binascii.Error):
            return None

    def _place(self, wallet: Wallet, path: DerivationPath) -> bytes:
        return f"account key\0{self.number}\0{wallet.id}\0{wallet.scheme}\0{path}".encode()
