"""Say what the bodies of requests are in the HTTP contract. They refuse unknown fields and other types than the stated ones."""

import json
import re
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, Strict, model_validator

from api.cursors import MAX_CURSOR_LENGTH
from wallets.chains import CHAINS
from wallets.derivation import MAX_INDEX
from wallets.mnemonic import MAX_PASSPHRASE_LENGTH
from wallets.model import MAX_LABEL_LENGTH, MAX_LISTED

MAX_PAGE = 2**31 - 1
MAX_BATCH = 1_000
"""Items of a batch, and addresses of a range."""
DEFAULT_COUNT = 20
"""Addresses of a range whose request does not say how many."""

_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,20})")
EXAMPLE_ID = "0b5a4fd3-3c5e-4e6b-9b41-3f3c9ac9f3ad"
_EXAMPLE_TX = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"  # EIP-155's own

EXAMPLE_TYPED_DATA = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Mail": [{"name": "to", "type": "address"}, {"name": "contents", "type": "string"}],
    },
    "primaryType": "Mail",
    "domain": {"name": "Ether Mail", "chainId": 1},
    "message": {"to": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB", "contents": "Hello, Bob!"},
}


def _printable(text: str) -> str:
    if not text.isprintable():
        msg = "must have printable characters only"
        raise ValueError(msg)
    return text


def _plain_digits(value: object) -> object:
    """Refuse other spellings of a number in a path or query (`1_0`, `+1`, `1.0`): one that is misread is another account."""
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        msg = "must be a whole number in plain digits"
        raise ValueError(msg)
    return value


def _networks(schema: dict[str, Any]) -> None:
    """List the networks in the document. Validation is the domain's, so that an unknown network is audited."""
    schema["anyOf"] = [
        {"enum": list(CHAINS)},
        {"pattern": "^evm:[1-9][0-9]{0,18}$", "description": "Other EVM networks, by their chain id"},
    ]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)


Label = Annotated[
    str,
    Field(min_length=1, max_length=MAX_LABEL_LENGTH, description="For people; printable characters only", examples=["treasury"]),
    AfterValidator(_printable),
]
Network = Annotated[
    str,
    Field(min_length=1, max_length=32, description="The network's name", json_schema_extra=_networks),
    AfterValidator(_printable),
]
Index = Annotated[
    int,
    Field(ge=0, le=MAX_INDEX, description="The account's index", examples=[0]),
    BeforeValidator(_plain_digits, json_schema_input_type=int),
]
AccountType = Annotated[
    str,
    Field(min_length=1, max_length=32, description="Kind of address, on networks that have several and call it so", examples=["taproot"]),
    AfterValidator(_printable),
]
AccountVersion = Annotated[
    str,
    Field(min_length=1, max_length=32, description="Version of the wallet contract, on networks that have several", examples=["v5r1"]),
    AfterValidator(_printable),
]
MessageFormat = Annotated[str, Field(min_length=1, max_length=32, examples=["bip322"]), AfterValidator(_printable)]
AddressText = Annotated[str, Field(min_length=1, max_length=128, description="An address, in any of its forms"), AfterValidator(_printable)]
Count = Annotated[
    int,
    Field(ge=1, le=MAX_BATCH, description="How many accounts", examples=[20]),
    BeforeValidator(_plain_digits, json_schema_input_type=int),
]
PageNumber = Annotated[int, Field(ge=1, le=MAX_PAGE, description="From 1")]
Cursor = Annotated[str, Field(max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the answer before; empty to begin")]
PageSize = Annotated[int, Field(ge=1, le=MAX_LISTED, description="Wallets a page")]


class CreateWallet(_Request):
    """Make a wallet with a fresh mnemonic."""

    label: Label
    mnemonic_length: Literal[12, 24] = Field(default=12, description="Words of the mnemonic")


class ImportWallet(_Request):
    """Take over a wallet that exists."""

    label: Label
    mnemonic: SecretStr = Field(max_length=1024, description="BIP-39 phrase of 12, 15, 18, 21 or 24 English words")
    passphrase: SecretStr = Field(default=SecretStr(""), max_length=MAX_PASSPHRASE_LENGTH, description="BIP-39 passphrase, to the letter")
    scheme: Literal["standard", "v1_0_8"] = Field(default="standard", description="How keys are derived; `v1_0_8` as that version did")


class _OfNetwork(_Request):
    network: Network
    type: AccountType | None = None
    version: AccountVersion | None = None


class DeriveAddresses(_OfNetwork):
    """Derive the addresses of accounts that follow each other."""

    from_index: Index = Field(default=0, description="Index of the first account")
    count: Count = DEFAULT_COUNT


class _Transaction(_OfNetwork):
    """What shall be decoded, and perhaps signed: a transaction, or on TON a request for one."""

    unsigned_tx: str | None = Field(
        default=None,
        description="The unsigned transaction as hex, `0x` optional; a PSBT, and on TON, also as base64",
        examples=[_EXAMPLE_TX],
    )
    request: dict[str, Any] | None = Field(
        default=None,
        description="In its place, on TON: `seqno`, `valid_until` and `messages` of `to`, `amount`, `comment` or `payload`, `bounce`, "
        "`mode`, `state_init`",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.unsigned_tx is None) is (self.request is None):
            msg = "one of unsigned_tx and request is needed, and not both"
            raise ValueError(msg)
        return self

    @property
    def text(self) -> str:
        """What shall be decoded, as the domain takes it: the transaction, or the JSON of the request for one."""
        return json.dumps(self.request) if self.unsigned_tx is None else self.unsigned_tx


class InspectTransaction(_Transaction):
    """Say what a transaction does."""


class SignTransaction(_Transaction):
    """Sign one transaction."""

    index: Index
    replace: bool = Field(
        default=False, description="Sign although another transaction was signed with the same nonce, where nonces are guarded"
    )


class SignMessage(_OfNetwork):
    """Sign a message as its network does: a text, or bytes."""

    index: Index
    message: str | None = Field(default=None, description="A text, of which the UTF-8 is signed", examples=["Sign in to example.org"])
    message_hex: str | None = Field(
        default=None, description="In its place: the message's bytes as hex, `0x` optional", examples=["0xdeadbeef"]
    )
    format: MessageFormat | None = Field(
        default=None, description="On Bitcoin and Litecoin: `bip322` or `bip137`; if not given, what the kind of address is used to"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.message is None) is (self.message_hex is None):
            msg = "one of message and message_hex is needed, and not both"
            raise ValueError(msg)
        return self


class SignTypedData(_OfNetwork):
    """Sign a message of fields with types."""

    index: Index
    typed_data: dict[str, Any] = Field(
        description="EVM: an object of EIP-712 with `types`, `primaryType`, `domain` and `message`; numbers may be decimal or hex texts",
        examples=[EXAMPLE_TYPED_DATA],
    )


class SignWalletTransaction(SignTransaction):
    """Sign one transaction of one wallet."""

    # A text, as everywhere in JSON; strict mode would take a UUID object only.
    wallet_id: Annotated[UUID, Strict(strict=False)] = Field(description="The wallet's id", examples=[EXAMPLE_ID])


class SignBatch(_Request):
    """Sign several transactions of one wallet."""

    items: list[SignTransaction] = Field(min_length=1, max_length=MAX_BATCH)


class SignWalletsBatch(_Request):
    """Sign several transactions of several wallets."""

    items: list[SignWalletTransaction] = Field(min_length=1, max_length=MAX_BATCH)
