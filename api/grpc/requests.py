"""Read the messages of version 2 into the domain's values, by the rules that bodies over HTTP have (`api.schemas`)."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Strict, ValidationError

from api import problems
from api.errors import MalformedBodyError, UnprocessableError
from api.json_body import parse as parse_json
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from api.schemas import (
    AccountType,
    AddressText,
    Count,
    CreateWallet,
    Cursor,
    ImportWallet,
    Index,
    MessageFormat,
    Network,
    PageNumber,
    PageSize,
)
from wallets.model import Account, HexMessage, TextMessage

MAX_ID_LENGTH = 128
"""Characters of the name that a client gives an item of a stream."""

M = TypeVar("M", bound=BaseModel)

_Id = Annotated[UUID, Strict(strict=False)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)


class _Place(_Fields):
    network: Network
    variant: AccountType | None = None


class _Account(_Place):
    wallet_id: _Id
    index: Index


class _WalletId(_Fields):
    wallet_id: _Id


class _Address(_Fields):
    address: AddressText


class _Format(_Fields):
    format: MessageFormat | None


class Listing(_Fields):
    """Which wallets are asked for: those of a page, or behind a cursor."""

    page: PageNumber = 1
    cursor: Cursor | None = None
    per_page: PageSize = 20


class _Range(_Fields):
    count: Count


def checked(model: type[M], fields: Mapping[str, object], *place: str) -> M:
    """Return what `fields` are as a `model`.

    Raises:
        UnprocessableError: They do not fit; the message names the field (in `place`) and the rule, never the value.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = [{**item, "loc": ("message", *place, *item["loc"])} for item in error.errors(include_url=False)]
    raise problems.invalid(found)


def wallet_id(text: str) -> UUID:
    """Read a wallet's id.

    Raises:
        UnprocessableError: It is no UUID.
    """
    return checked(_WalletId, {"wallet_id": text}).wallet_id


def account(message: v2.Account, *place: str) -> Account:
    """Read an account, which is the field `place` of its message. Whether its network and variant are known is the domain's to say.

    Raises:
        UnprocessableError: It cannot be.
    """
    return _account(message, message.variant, *place)


def account_of_version_1(message: v1.GetAddressRequest | v1.SignRequest) -> Account:
    """Read the account that a message names.

    Raises:
        UnprocessableError: It cannot be.
    """
    return _account(message, "")


def _account(message: v2.Account | v1.GetAddressRequest | v1.SignRequest, variant: str, *place: str) -> Account:
    fields = {"wallet_id": message.wallet_id, "network": message.network, "index": message.index, "variant": variant or None}
    read = checked(_Account, fields, *place)
    return Account(read.wallet_id, read.network, read.index, read.variant or "")


def place(network: str, variant: str) -> tuple[str, str]:
    """Read a network and a kind of address on it.

    Raises:
        UnprocessableError: They cannot be.
    """
    read = checked(_Place, {"network": network, "variant": variant or None})
    return read.network, read.variant or ""


def transaction(message: v2.Transaction) -> str:
    """Return what shall be decoded as the domain takes it: text, or on TON the JSON of a request.

    Raises:
        UnprocessableError: There is nothing.
    """
    form = message.WhichOneof("form")
    if form == "unsigned_tx":
        return message.unsigned_tx
    if form == "raw":
        return message.raw.hex()
    if form == "ton":
        return json.dumps(_ton_request(message.ton))
    msg = "transaction: one of unsigned_tx, raw and ton is needed"
    raise UnprocessableError(msg)


def text_or_bytes(message: v2.SignMessageRequest) -> TextMessage | HexMessage:
    """Return the message that shall be signed.

    Raises:
        UnprocessableError: There is none, or its format cannot be.
    """
    form = message.WhichOneof("message")
    if form is None:
        msg = "one of text and raw is needed"
        raise UnprocessableError(msg)
    chosen = checked(_Format, {"format": message.format or None}).format or ""
    return TextMessage(message.text, chosen) if form == "text" else HexMessage(message.raw.hex(), chosen)


def typed_data(text: str) -> dict[str, Any]:
    """Read the JSON of fields with types.

    Raises:
        MalformedBodyError: It is not JSON.
        UnprocessableError: It is no object.
    """
    try:
        value = parse_json(text.encode())
    except MalformedBodyError as error:
        raise MalformedBodyError(str(error).replace("the body", "typed_data", 1)) from None
    if not isinstance(value, dict):
        msg = "typed_data: must be a JSON object"
        raise UnprocessableError(msg)
    return value


def address(text: str) -> str:
    """Read an address, whatever its network.

    Raises:
        UnprocessableError: It cannot be one.
    """
    return checked(_Address, {"address": text}).address


def new_wallet(message: v1.CreateWalletRequest | v2.CreateWalletRequest) -> CreateWallet:
    """Read what a new wallet shall be.

    Raises:
        UnprocessableError: It cannot be.
    """
    fields: dict[str, object] = {"label": message.label}
    return checked(CreateWallet, fields | {"mnemonic_length": message.mnemonic_length} if message.HasField("mnemonic_length") else fields)


def known_wallet(message: v2.ImportWalletRequest) -> ImportWallet:
    """Read a wallet that exists. The message, which shows its phrase to whoever prints it, forgets it.

    Raises:
        UnprocessableError: It cannot be.
    """
    fields: dict[str, object] = {"label": message.label, "mnemonic": message.mnemonic, "passphrase": message.passphrase}
    message.ClearField("mnemonic")
    message.ClearField("passphrase")
    return checked(ImportWallet, fields | {"scheme": message.scheme} if message.scheme else fields)


def listing(message: v2.ListWalletsRequest) -> Listing:
    """Read which wallets are asked for.

    Raises:
        UnprocessableError: A number is out of its range.
    """
    names = [name for name in (message.WhichOneof("begin"), "per_page") if name is not None and message.HasField(name)]
    return checked(Listing, {name: getattr(message, name) for name in names})


def count(message: v2.GetAddressRangeRequest, default: int) -> int:
    """Read how many addresses are asked for.

    Raises:
        UnprocessableError: They are none, or too many.
    """
    return checked(_Range, {"count": message.count}).count if message.HasField("count") else default


def _ton_request(message: v2.TonTransfer) -> dict[str, Any]:
    return {"seqno": message.seqno, "valid_until": message.valid_until, "messages": [_ton_message(each) for each in message.messages]}


def _ton_message(message: v2.TonMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {"to": message.to, "amount": message.amount}
    body = message.WhichOneof("body")
    if body == "comment":
        fields["comment"] = message.comment
    elif body == "payload":
        fields["payload"] = message.payload.hex()
    if message.HasField("bounce"):
        fields["bounce"] = message.bounce
    if message.HasField("mode"):
        fields["mode"] = message.mode
    if message.HasField("state_init"):
        fields["state_init"] = message.state_init.hex()
    return fields
