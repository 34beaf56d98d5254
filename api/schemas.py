"""Say what the bodies of the HTTP contract are. Requests refuse unknown fields and other types than the stated ones."""

import json
import re
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, SecretStr, Strict, model_validator

from api.cursors import MAX_CURSOR_LENGTH
from wallets.chains import CHAINS
from wallets.derivation import MAX_INDEX, DerivationScheme
from wallets.mnemonic import MAX_PASSPHRASE_LENGTH
from wallets.model import MAX_LABEL_LENGTH, MAX_LISTED

MAX_PAGE = 2**31 - 1
MAX_BATCH = 1_000
"""Items of a batch, and addresses of a range."""

_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,20})")
_EXAMPLE_ID = "0b5a4fd3-3c5e-4e6b-9b41-3f3c9ac9f3ad"
_EXAMPLE_TIME = "2026-11-23T12:00:00.000000Z"
_TYPE = "Kind of address, where the network has several and calls it so; absent elsewhere"
_VERSION = "Version of the wallet contract, where the network has several; absent elsewhere"
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


class _Transaction(_Request):
    """What shall be decoded, and perhaps signed: a transaction, or on TON a request for one."""

    network: Network
    type: AccountType | None = None
    version: AccountVersion | None = None
    unsigned_tx: str | None = Field(
        default=None, description="The unsigned transaction as hex, `0x` optional; on TON base64 too", examples=[_EXAMPLE_TX]
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


class SignMessage(_Request):
    """Sign a message as its network does: a text, or bytes."""

    network: Network
    index: Index
    type: AccountType | None = None
    version: AccountVersion | None = None
    message: str | None = Field(default=None, description="A text, of which the UTF-8 is signed", examples=["Sign in to example.org"])
    message_hex: str | None = Field(
        default=None, description="In its place: the message's bytes as hex, `0x` optional", examples=["0xdeadbeef"]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.message is None) is (self.message_hex is None):
            msg = "one of message and message_hex is needed, and not both"
            raise ValueError(msg)
        return self


class SignTypedData(_Request):
    """Sign a message of fields with types."""

    network: Network
    index: Index
    type: AccountType | None = None
    version: AccountVersion | None = None
    typed_data: dict[str, Any] = Field(
        description="EVM: an object of EIP-712 with `types`, `primaryType`, `domain` and `message`; numbers may be decimal or hex texts",
        examples=[EXAMPLE_TYPED_DATA],
    )


class SignWalletTransaction(SignTransaction):
    """Sign one transaction of one wallet."""

    # A text, as everywhere in JSON; strict mode would take a UUID object only.
    wallet_id: Annotated[UUID, Strict(strict=False)] = Field(description="The wallet's id", examples=[_EXAMPLE_ID])


class SignBatch(_Request):
    """Sign several transactions of one wallet."""

    items: list[SignTransaction] = Field(min_length=1, max_length=MAX_BATCH)


class SignWalletsBatch(_Request):
    """Sign several transactions of several wallets."""

    items: list[SignWalletTransaction] = Field(min_length=1, max_length=MAX_BATCH)


class WalletAnswer(BaseModel):
    """One wallet."""

    id: str = Field(examples=[_EXAMPLE_ID], json_schema_extra={"format": "uuid"})
    label: str = Field(examples=["treasury"])
    scheme: DerivationScheme
    created_at: str = Field(examples=[_EXAMPLE_TIME], json_schema_extra={"format": "date-time"})


class WalletPage(BaseModel):
    """One page of wallets, newest first."""

    data: list[WalletAnswer]
    page: int
    per_page: int
    total: int = Field(description="All wallets")
    total_pages: int
    next_cursor: str | None = Field(description="Leads to the wallets behind this page; null on the last")


class WalletStretch(BaseModel):
    """Wallets behind a cursor, newest first. They are not counted."""

    data: list[WalletAnswer]
    per_page: int
    next_cursor: str | None = Field(description="Leads to the wallets behind these; null where there are none")


class WalletList(RootModel[WalletPage | WalletStretch]):
    """Wallets, newest first: a page, or with `cursor` what is behind it."""


class AddressAnswer(BaseModel):
    """An account's address."""

    wallet_id: str = Field(examples=[_EXAMPLE_ID], json_schema_extra={"format": "uuid"})
    network: str = Field(examples=["eth"])
    index: int = Field(examples=[0])
    type: str | None = Field(default=None, description=_TYPE)
    version: str | None = Field(default=None, description=_VERSION)
    address: str = Field(examples=["0x9858EfFD232B4033E47d90003D41EC34EcaEda94"])
    forms: dict[str, str] | None = Field(default=None, description="Other ways to write it, by name; absent where there is one only")


class AccountAnswer(BaseModel):
    """One account."""

    wallet_id: str = Field(examples=[_EXAMPLE_ID], json_schema_extra={"format": "uuid"})
    network: str = Field(examples=["eth"])
    index: int = Field(examples=[0])
    type: str | None = Field(default=None, description=_TYPE)
    version: str | None = Field(default=None, description=_VERSION)


class AccountsAnswer(BaseModel):
    """The accounts that have an address: one key may be an account of several networks."""

    address: str
    accounts: list[AccountAnswer]


class TransferAnswer(BaseModel):
    """Value that moves to one recipient."""

    recipient: str
    amount: str = Field(description="Base units, decimal", examples=["1000000000000000000"], pattern="^[0-9]+$")
    amount_decimal: str | None = Field(description="In units; null of a token, whose decimals its contract alone knows", examples=["1"])
    asset: str = Field(description="`native`, a token contract's address, or that, a slash and a token's number", examples=["native"])


class IntentAnswer(BaseModel):
    """What the transaction does. Amounts are decimal texts: they do not fit JavaScript's numbers."""

    network: str
    kind: str = Field(examples=["transfer"])
    sender: str | None
    transfers: list[TransferAnswer]
    max_fee: str | None = Field(description="Upper bound in base units, decimal; null where the transaction has none")
    max_fee_decimal: str | None = Field(description="The same in units of the native asset")
    contract: str | None
    method: str | None
    expires_at: int | None = Field(description="Seconds since 1970; null where the network does not bound it")
    valid_from: int | None = Field(description="Seconds since 1970 before which the network does not take it (Tron); else null")
    details: dict[str, str | int] = Field(description="What only this network has; integers beyond 2^53 - 1 as decimal text")
    warnings: list[str]


class InspectAnswer(BaseModel):
    """What a transaction does, whoever signs it."""

    intent: IntentAnswer


class SignAnswer(BaseModel):
    """A signed transaction that a node accepts."""

    signed_tx: str | None = Field(default=None, description="Hex; with `0x` on EVM networks. Absent where others have yet to sign (a PSBT)")
    tx_id: str | None = Field(default=None, description="Absent where the id is another signer's to give (a Solana fee payer elsewhere)")
    psbt: str | None = Field(default=None, description="Hex of the PSBT with our signatures in it, on networks that use them")
    vsize: int | None = Field(default=None, description="Virtual bytes of the signed transaction, on networks that reckon fees by them")
    sender: str = Field(alias="from", description="The address that signed")
    signature: str = Field(description="Hex, as `signed_tx`")
    network: str
    index: int
    type: str | None = Field(default=None, description=_TYPE)
    version: str | None = Field(default=None, description=_VERSION)
    intent: IntentAnswer


class SignMessageAnswer(BaseModel):
    """A signed message."""

    signature: str = Field(description="Hex; with `0x` on EVM networks, where its last byte is 27 or 28")
    digest: str | None = Field(default=None, description="What was signed, as hex; absent where that is the message itself")
    sender: str = Field(alias="from", description="The address that signed")
    network: str
    index: int
    type: str | None = Field(default=None, description=_TYPE)
    version: str | None = Field(default=None, description=_VERSION)
    intent: IntentAnswer


class ItemProblem(BaseModel):
    """Why one item of a batch was refused: as a problem document, in the place of its result."""

    type: str = Field(examples=["urn:crypto-wallets:problem:malformed-transaction"])
    title: str
    status: int = Field(description="The status that the item alone would have been answered with")
    detail: str


class RefusedItem(BaseModel):
    """One item of a batch that was refused."""

    error: ItemProblem


class SignBatchAnswer(BaseModel):
    """One result for each item, in their order."""

    results: list[SignAnswer | RefusedItem]


class RangeAddress(BaseModel):
    """One account's address in a range."""

    index: int = Field(examples=[0])
    address: str = Field(examples=["0x9858EfFD232B4033E47d90003D41EC34EcaEda94"])
    forms: dict[str, str] | None = Field(default=None, description="Other ways to write it, by name; absent where there is one only")


class AddressRange(BaseModel):
    """The addresses of a range of accounts."""

    wallet_id: str = Field(examples=[_EXAMPLE_ID], json_schema_extra={"format": "uuid"})
    network: str = Field(examples=["eth"])
    type: str | None = Field(default=None, description=_TYPE)
    version: str | None = Field(default=None, description=_VERSION)
    addresses: list[RangeAddress]


class Health(BaseModel):
    """How the service is; `components` holds a status each, and details such as `vault_circuit_state`."""

    status: Literal["ok", "degraded", "error"]
    components: dict[str, str | int | float] = Field(examples=[{"database": "ok", "vault": "ok", "vault_circuit_state": "closed"}])


class Liveness(BaseModel):
    """That the process answers."""

    status: Literal["alive"]
    timestamp: str = Field(examples=[_EXAMPLE_TIME], json_schema_extra={"format": "date-time"})


class Readiness(BaseModel):
    """Whether requests should be sent here."""

    ready: bool
    timestamp: str = Field(examples=[_EXAMPLE_TIME], json_schema_extra={"format": "date-time"})
    latency_ms: float
    components: dict[str, dict[str, str | int | float]]


class LockAnswer(BaseModel):
    """What a lock did."""

    forgotten_seeds: int = Field(description="Unlocked seeds that the replica which answers has forgotten; the others do within a second")
    locked_at: str = Field(examples=[_EXAMPLE_TIME], json_schema_extra={"format": "date-time"})


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Stable name of the problem", examples=["urn:crypto-wallets:problem:wallet-not-found"])
    title: str
    status: int
    detail: str = Field(description="What is wrong, for people")
    request_id: str = Field(description="As in `X-Request-ID`; names the request in the service's log")
