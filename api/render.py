"""Render the domain's values as the JSON of the HTTP contract."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from api import problems
from api.cursors import cursor_of
from wallets.chains import chain_for
from wallets.encoding import decimal
from wallets.model import Account, Address, Intent, KeyringLock, MessageResult, Page, Stretch, TransactionResult, Transfer, Wallet

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that JavaScript's numbers tell from its neighbours (ECMA-262, Number.MAX_SAFE_INTEGER)."""


def json_response(content: dict[str, Any], status: int = 200) -> Response:
    """Answer with a JSON document."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def wallet(value: Wallet) -> dict[str, Any]:
    """Render a wallet."""
    return {"id": str(value.id), "label": value.label, "scheme": value.scheme.value, "created_at": timestamp(value.created_at)}


def page(value: Page) -> dict[str, Any]:
    """Render a page of wallets."""
    return {
        "data": [wallet(item) for item in value.wallets],
        "page": value.number,
        "per_page": value.size,
        "total": value.total,
        "total_pages": -(-value.total // value.size),
        "next_cursor": _behind(value.wallets, has_older=value.number * value.size < value.total),
    }


def stretch(value: Stretch, size: int) -> dict[str, Any]:
    """Render wallets that were asked for by a cursor, `size` at most."""
    data = [wallet(item) for item in value.wallets]
    return {"data": data, "per_page": size, "next_cursor": _behind(value.wallets, has_older=value.has_older)}


def _behind(wallets: Sequence[Wallet], *, has_older: bool) -> str | None:
    return cursor_of(wallets[-1].position) if wallets and has_older else None


def address(value: Address) -> dict[str, Any]:
    """Render an address, with its forms where there are several."""
    content = account(value.account) | {"address": value.text}
    return content | {"forms": dict(value.forms)} if value.forms else content


def address_range(values: Sequence[Address]) -> dict[str, Any]:
    """Render the addresses of a range, which is not empty."""
    first = values[0].account
    addresses = [
        {"index": value.account.index, "address": value.text} | ({"forms": dict(value.forms)} if value.forms else {}) for value in values
    ]
    return {"wallet_id": str(first.wallet_id), "network": first.network, **_variant(first), "addresses": addresses}


def accounts(text: str, values: Sequence[Account]) -> dict[str, Any]:
    """Render the accounts that have an address."""
    return {"address": text, "accounts": [account(value) for value in values]}


def signing_result(value: TransactionResult) -> dict[str, Any]:
    """Render a signed transaction, hex as its network writes it; without what is other signers' to make possible."""
    signed, prefix = value.signed, chain_for(value.account.network).hex_prefix
    content = {
        "signed_tx": prefix + signed.raw.hex(),
        "tx_id": signed.tx_id,
        **signed.extra,
        "from": value.address,
        "signature": prefix + signed.signature.hex(),
        "network": value.account.network,
        "index": value.account.index,
        **_variant(value.account),
        "intent": intent(value.intent),
    }
    if signed.tx_id is None:
        del content["tx_id"]
    if not signed.raw:
        del content["signed_tx"]
    return content


def batch(outcomes: Sequence[TransactionResult | Exception]) -> dict[str, Any]:
    """Render what became of the items of a batch, in their order."""
    results = [{"error": problems.of_item(each)} if isinstance(each, Exception) else signing_result(each) for each in outcomes]
    return {"results": results}


def message_result(value: MessageResult) -> dict[str, Any]:
    """Render a signed message, hex as its network writes it; without `digest` where what was signed is the message itself."""
    signed, prefix = value.signed, chain_for(value.account.network).hex_prefix
    content = {"signature": prefix + signed.signature.hex()}
    if signed.digest is not None:
        content["digest"] = prefix + signed.digest.hex()
    place = {"network": value.account.network, "index": value.account.index, **_variant(value.account)}
    return {**content, **signed.extra, "from": value.address, **place, "intent": intent(value.intent)}


def keyring_lock(value: KeyringLock) -> dict[str, Any]:
    """Render what a lock did."""
    return {"forgotten_seeds": value.forgotten_seeds, "locked_at": timestamp(value.at)}


def intent(value: Intent) -> dict[str, Any]:
    """Render what a transaction or a message does; amounts and fees as decimal texts."""
    decimals = chain_for(value.network).decimals
    return {
        "network": value.network,
        "kind": value.kind,
        "sender": value.sender,
        "transfers": [_transfer(item, decimals) for item in value.transfers],
        "max_fee": None if value.max_fee is None else str(value.max_fee),
        "max_fee_decimal": None if value.max_fee is None else decimal(value.max_fee, decimals),
        "contract": value.contract,
        "method": value.method,
        "expires_at": value.expires_at,
        "valid_from": value.valid_from,
        "details": {name: _safe(item) for name, item in value.details.items()},
        "warnings": list(value.warnings),
    }


def _transfer(item: Transfer, decimals: int) -> dict[str, Any]:
    # Only a token's contract knows its decimals.
    units = decimal(item.amount, decimals) if item.asset == "native" else None
    return {"recipient": item.recipient, "amount": str(item.amount), "amount_decimal": units, "asset": item.asset}


def timestamp(moment: datetime) -> str:
    """Write a time as RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def account(value: Account) -> dict[str, Any]:
    """Render an account."""
    return {"wallet_id": str(value.wallet_id), "network": value.network, "index": value.index, **_variant(value)}


def _variant(value: Account) -> dict[str, str]:
    """Render which kind of address it is, where the network has several."""
    chain = chain_for(value.network)
    return {chain.variant_name: value.variant or chain.variants[0]} if chain.variants else {}


def _safe(value: str | int) -> str | int:
    return str(value) if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER else value
