"""Write the answers of version 2: what `api.render` says of the domain's values, in messages."""

from collections.abc import Sequence
from typing import Any

from api import errors, problems, render
from api.grpc.refusals import code_of
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from wallets.model import Account, Address, Intent, KeyringLock, MessageResult, Page, Stretch, TransactionResult, Wallet

_VARIANTS = ("type", "version")
"""How HTTP calls the kind of address, as its network does."""


def wallet(value: Wallet) -> v2.Wallet:
    """Write a wallet."""
    return v2.Wallet(id=str(value.id), label=value.label, scheme=value.scheme.value, created_at=value.created_at)


def page(value: Page) -> v2.ListWalletsResponse:
    """Write a page of wallets."""
    return v2.ListWalletsResponse(**{**render.page(value), "data": map(wallet, value.wallets)})


def stretch(value: Stretch, size: int) -> v2.ListWalletsResponse:
    """Write wallets that were asked for by a cursor, `size` at most."""
    return v2.ListWalletsResponse(**{**render.stretch(value, size), "data": map(wallet, value.wallets)})


def account(value: Account) -> v2.Account:
    """Write an account, with its kind of address where the network has several."""
    return v2.Account(**_with_variant(render.account(value)))


def address(value: Address) -> v2.GetAddressResponse:
    """Write an address, with its forms where there are several."""
    return v2.GetAddressResponse(account=account(value.account), address=value.text, forms=value.forms)


def addresses(values: Sequence[Address]) -> v2.GetAddressRangeResponse:
    """Write the addresses of a range."""
    return v2.GetAddressRangeResponse(addresses=map(address, values))


def signed(value: TransactionResult) -> v2.SignedTransaction:
    """Write a signed transaction."""
    return v2.SignedTransaction(**_signed(render.signing_result(value)))


def signed_message(value: MessageResult) -> v2.SignedMessage:
    """Write a signed message."""
    return v2.SignedMessage(**_signed(render.message_result(value)))


def signed_again(content: dict[str, Any]) -> v2.SignedTransaction:
    """Write a signed transaction as HTTP answered it before."""
    return v2.SignedTransaction(**_signed(content))


def signed_message_again(content: dict[str, Any]) -> v2.SignedMessage:
    """Write a signed message as HTTP answered it before."""
    return v2.SignedMessage(**_signed(content))


def intent(value: Intent) -> v2.Intent:
    """Write what a transaction or a message does."""
    return v2.Intent(**_intent(render.intent(value)))


def lock(value: KeyringLock) -> v2.LockKeyringResponse:
    """Write what a lock did."""
    return v2.LockKeyringResponse(forgotten_seeds=value.forgotten_seeds, locked_at=value.at)


def problem(error: Exception) -> v2.Problem:
    """Write why an item of a stream was refused; a bug is logged here, since the stream as a whole succeeds."""
    problems.of_item(error)
    return v2.Problem(reason=errors.outcome(error).reason, code=code_of(error), detail=errors.detail(error))


def _signed(content: dict[str, Any]) -> dict[str, Any]:
    content["from_address"] = content.pop("from")
    content["intent"] = _intent(content["intent"])
    return _with_variant(content)


def _with_variant(content: dict[str, Any]) -> dict[str, Any]:
    for name in _VARIANTS:
        if name in content:
            content["variant"] = content.pop(name)
    return content


def _intent(content: dict[str, Any]) -> dict[str, Any]:
    content["details"] = {name: {"number" if isinstance(item, int) else "text": item} for name, item in content["details"].items()}
    return content
