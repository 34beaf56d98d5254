"""Write and read batches of Vault's Transit engine.

Everything is sent as a batch, also when it is one: in a batch Vault tells a ciphertext that does not decrypt (an error of the item) from a
key that is not there (an error of the request).
"""

import base64
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from wallets.errors import CorruptCiphertextError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic

Item = TypeVar("Item")
T = TypeVar("T")

MAX_BATCH = 200
"""Items a call. OpenBao 2.7 refuses JSON of more than 1,000 strings, and an item has four; longer sequences are several calls."""

Sealed = Mapping[str, str]
"""An item of Transit's with a `ciphertext`, and a `context` if its key is derived."""

_CIPHERTEXT = re.compile(r"vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/]+={0,2}")


class Ask(Protocol):
    """Make a request of hvac's client, and read the answer."""

    def __call__(self, request: Callable[[Any], Any], read: Callable[[Any], list[T]]) -> Awaitable[list[T]]:
        """See `adapters.vault_client.VaultClient.call`."""
        ...


async def answers(ask: Ask, items: Sequence[Item], request: Callable[[Any, Sequence[Item]], Any], read: Callable[[Any], T]) -> list[T]:
    """Ask for all items, in as many calls as Vault's limits need, and read the result of each."""
    results: list[T] = []
    for part in _parts(items):
        results += await ask(partial(_made, request, part), partial(_read_all, read, len(part)))
    return results


async def answers_to_ciphertexts(
    ask: Ask, items: Sequence[Sealed], request: Callable[[Any, Sequence[Sealed]], Any], read: Callable[[Any], T]
) -> list[T | CorruptCiphertextError]:
    """Ask for all that are ciphertexts of Vault's, each named in the one way there is; the others are corrupt, and not sent.

    Vault takes `v0` for `v1`, and one item of a shape that it does not expect could have it refuse all.
    """
    sent = [item for item in items if _CIPHERTEXT.fullmatch(item["ciphertext"])]
    results = iter(await answers(ask, sent, request, read))
    return [next(results) if _CIPHERTEXT.fullmatch(item["ciphertext"]) else corrupt() for item in items]


def sealed(item: EncryptedMnemonic) -> Sealed:
    """Write a ciphertext with what binds it as Transit takes it."""
    return {"ciphertext": item.ciphertext, "context": text(item.associated_data)}


def text(data: bytes) -> str:
    """Write bytes as Transit takes them: base64."""
    return base64.b64encode(data).decode()


def read_ciphertext(result: Any) -> str:
    """Read the result of an item that was encrypted.

    Raises:
        LookupError, ValueError: It is none.
    """
    ciphertext = str(result["ciphertext"])
    if not _CIPHERTEXT.fullmatch(ciphertext):
        msg = "not a ciphertext"
        raise ValueError(msg)
    return ciphertext


def read_rewrapped(result: Any) -> str | CorruptCiphertextError:
    """Read the result of a ciphertext that was encrypted anew; raises as `read_ciphertext`."""
    return corrupt() if result.get("error") else read_ciphertext(result)


def read_mnemonic(result: Any) -> Mnemonic | CorruptCiphertextError:
    """Read the result of a ciphertext that was decrypted.

    Raises:
        LookupError, ValueError: It is none.
    """
    if result.get("error"):
        return corrupt()
    plaintext = base64.b64decode(result["plaintext"], validate=True)
    return Mnemonic(plaintext) if plaintext else corrupt()


def corrupt() -> CorruptCiphertextError:
    """Return the error of a ciphertext that does not decrypt."""
    return CorruptCiphertextError("the stored ciphertext does not decrypt")


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + MAX_BATCH] for start in range(0, len(items), MAX_BATCH))


def _made(request: Callable[[Any, Sequence[Item]], Any], part: Sequence[Item], client: Any) -> Any:
    return request(client, part)


def _read_all(read: Callable[[Any], T], length: int, answer: Any) -> list[T]:
    results = answer["data"]["batch_results"]
    if len(results) != length:
        msg = "a batch with other results than items"
        raise ValueError(msg)
    return [read(result) for result in results]
