"""Say what the bodies of answers are in the HTTP contract: for its document alone, since `api.render` writes them."""

from typing import Literal

from pydantic import BaseModel, Field, RootModel

from api.schemas import EXAMPLE_ID
from wallets.derivation import DerivationScheme

_EXAMPLE_TIME = "2026-11-23T12:00:00.000000Z"


class WalletAnswer(BaseModel):
    """One wallet."""

    id: str = Field(examples=[EXAMPLE_ID], json_schema_extra={"format": "uuid"})
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


class _OfNetwork(BaseModel):
    """What is of one network, and of one of its kinds of address."""

    network: str = Field(examples=["eth"])
    type: str | None = Field(default=None, description="Kind of address, where the network has several and calls it so; absent elsewhere")
    version: str | None = Field(default=None, description="Version of the wallet contract, where the network has several; absent elsewhere")


class AccountAnswer(_OfNetwork):
    """One account."""

    wallet_id: str = Field(examples=[EXAMPLE_ID], json_schema_extra={"format": "uuid"})
    index: int = Field(examples=[0])


class AddressAnswer(AccountAnswer):
    """An account's address."""

    address: str = Field(examples=["0x9858EfFD232B4033E47d90003D41EC34EcaEda94"])
    forms: dict[str, str] | None = Field(default=None, description="Other ways to write it, by name; absent where there is one only")


class AccountsAnswer(BaseModel):
    """The accounts that have an address, the oldest 1,000 of them: one key may be an account of several networks."""

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


class _Signed(_OfNetwork):
    """What every signature comes with."""

    sender: str = Field(alias="from", description="The address that signed")
    index: int
    intent: IntentAnswer


class SignAnswer(_Signed):
    """A signed transaction that a node accepts."""

    signed_tx: str | None = Field(default=None, description="Hex; with `0x` on EVM networks. Absent where others have yet to sign (a PSBT)")
    tx_id: str | None = Field(default=None, description="Absent where the id is another signer's to give (a Solana fee payer elsewhere)")
    psbt: str | None = Field(default=None, description="Hex of the PSBT with our signatures in it, on networks that use them")
    vsize: int | None = Field(default=None, description="Virtual bytes of the signed transaction, on networks that reckon fees by them")
    signature: str = Field(description="Hex, as `signed_tx`")


class SignMessageAnswer(_Signed):
    """A signed message."""

    signature: str = Field(description="Hex; with `0x` on EVM networks, where its last byte is 27 or 28")
    signature_text: str | None = Field(
        default=None,
        description="On Bitcoin and networks like it, as verifiers take it: base64, behind `smp` or `ful` where the format is `bip322`",
    )
    digest: str | None = Field(default=None, description="What was signed, as hex; absent where that is the message itself")


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


class AddressRange(_OfNetwork):
    """The addresses of a range of accounts."""

    wallet_id: str = Field(examples=[EXAMPLE_ID], json_schema_extra={"format": "uuid"})
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
