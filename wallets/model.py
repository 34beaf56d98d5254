"""Name the values that pass between the rooms: frozen, checked once in the constructor, free of secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from wallets.derivation import MAX_INDEX, DerivationScheme
from wallets.errors import InvalidRequestError
from wallets.once import IdempotentRequest, NonceUse

MAX_LABEL_LENGTH = 100
MAX_LISTED = 100
"""Wallets in one answer."""

_KEY_VERSION = re.compile(r"([a-z]+):v([1-9][0-9]{0,8}):")


@dataclass(frozen=True, slots=True)
class Wallet:
    """One seed under one label, as the world may see it. `label` is 1 to 100 printable characters."""

    id: UUID
    label: str
    scheme: DerivationScheme
    created_at: datetime

    def __post_init__(self) -> None:
        if not 1 <= len(self.label) <= MAX_LABEL_LENGTH or not self.label.isprintable():
            msg = f"a label has 1 to {MAX_LABEL_LENGTH} printable characters"
            raise InvalidRequestError(msg)

    @property
    def position(self) -> "Position":
        """Where it stands among all wallets."""
        return Position(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a wallet stands among all, which are in the order of their creation, and of their ids where this was at the same time."""

    created_at: datetime
    wallet_id: UUID


@dataclass(frozen=True, slots=True)
class Account:
    """One key's place and the form of its address: `index` is 0..2^31-1.

    `variant` is the network's own word for the kind of address (`Chain.variants`), "" for the usual one. Network and variant are text,
    checked where they are used (`wallets.chains.resolve`).
    """

    wallet_id: UUID
    network: str
    index: int
    variant: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_INDEX:
            msg = f"index must be 0..{MAX_INDEX}"
            raise InvalidRequestError(msg)


@dataclass(frozen=True, slots=True)
class Address:
    """An account's address as wallets show it, and the other forms of it that name the same account."""

    account: Account
    text: str
    forms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SealedAddress:
    """An address as it is kept outside of this process, with what authenticates it (`wallets.seals`); `seal` is "" where it has nothing."""

    text: str
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the request's id, the client's address, and which API key it showed (an id, never the key).

    `idempotency` is there if what is done shall be remembered as the answer to the request.
    """

    request_id: str
    ip_address: str
    api_key_id: str
    idempotency: IdempotentRequest | None = None


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What the caller wants signed. `unsigned_tx` is the text as received (`Chain.unwrap`): refusing it is part of the audited use case.

    `replaces` says that it shall be signed although another transaction was with the same nonce.
    """

    account: Account
    unsigned_tx: str
    caller: Caller
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A message as the text that people read: its UTF-8 is signed. `format` is one of the network's (`Chain.message_formats`), or ""."""

    text: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class HexMessage:
    """A message as the hex of its bytes; `format` as of a text."""

    digits: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """A message of fields with types (EIP-712 and what other networks have like it), as it came out of JSON."""

    value: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """What the caller wants signed that is no transaction, as received: refusing it is part of the audited use case."""

    account: Account
    message: TextMessage | HexMessage | TypedMessage
    caller: Caller


@dataclass(frozen=True, slots=True)
class Transfer:
    """Value that moves to one recipient. `amount` in base units of `asset`, which is `native` or a token contract's address."""

    recipient: str
    amount: int
    asset: str = "native"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a transaction or a message does, for people and policies.

    `kind` is one of `transfer`, `token_transfer`, `contract_call`, `contract_creation`, `message`, `typed_data` or the network's own name
    for it; `max_fee` the upper bound in base units, None where the transaction does not bound it; `valid_from` and `expires_at` between
    which seconds since 1970 the network takes it, None where it does not say; `details` what only this network has (nonce, memo, ...), as
    text or numbers; `payload_hash` is among them, so that no two transactions look the same: of what is signed, or of the PSBT.
    """

    network: str
    kind: str
    sender: str | None = None
    transfers: tuple[Transfer, ...] = ()
    max_fee: int | None = None
    contract: str | None = None
    method: str | None = None
    expires_at: int | None = None
    valid_from: int | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def as_details(self) -> dict[str, object]:
        """Return it as JSON's types, for an audit row. Written out: `dataclasses.asdict` takes as long as a signature."""
        return {
            "network": self.network,
            "kind": self.kind,
            "sender": self.sender,
            "transfers": [{"recipient": item.recipient, "amount": item.amount, "asset": item.asset} for item in self.transfers],
            "max_fee": self.max_fee,
            "contract": self.contract,
            "method": self.method,
            "expires_at": self.expires_at,
            "valid_from": self.valid_from,
            "details": dict(self.details),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """What a node accepts.

    `raw` is empty where others have yet to sign. `tx_id` is None then, and where it is another signer's to give (a Solana fee payer
    elsewhere). `extra` is what only this network answers, by its name in the answer.
    """

    raw: bytes
    tx_id: str | None
    signature: bytes
    extra: Mapping[str, str | int] = field(default_factory=dict)

    def as_details(self) -> dict[str, object]:
        """Return what names it, for an audit row."""
        return {"tx_id": self.tx_id}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A signature in its network's own form. `digest` is what the curve signed, None where it signs the message itself (ed25519).

    `extra` is what only this network answers, by its name in the answer.
    """

    signature: bytes
    digest: bytes | None
    extra: Mapping[str, str] = field(default_factory=dict)

    def as_details(self) -> dict[str, object]:
        """Return what names it, for an audit row."""
        return {"digest": None if self.digest is None else self.digest.hex()}


SignedT = TypeVar("SignedT", SignedTransaction, SignedMessage)


@dataclass(frozen=True, slots=True)
class SigningResult(Generic[SignedT]):
    """A released signature: whose it is, what was signed, and what it does."""

    account: Account
    address: str
    signed: SignedT
    intent: Intent


TransactionResult = SigningResult[SignedTransaction]
MessageResult = SigningResult[SignedMessage]


@dataclass(frozen=True, slots=True)
class EncryptedMnemonic:
    """A ciphertext and what binds it to its wallet (`wallets.keyring.associated_data`), which is never empty."""

    ciphertext: str
    associated_data: bytes

    def __post_init__(self) -> None:
        if not self.associated_data:
            msg = "a ciphertext is bound to something"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class EncryptedAddressKey:
    """The ciphertext of the mnemonic that authenticates addresses (`wallets.seals`), by its number, 1..32767."""

    number: int
    ciphertext: str

    @property
    def associated_data(self) -> bytes:
        """What binds the ciphertext: it decrypts as no wallet's, nor does a wallet's in its place."""
        return f"address-key:{self.number}".encode()


class AuditAction(StrEnum):
    """What was done, as `subject:action`."""

    WALLET_CREATE = "wallet:create"
    WALLET_IMPORT = "wallet:import"
    WALLET_TAKEOVER = "wallet:takeover"
    ADDRESS_DERIVE = "address:derive"
    TRANSACTION_SIGN = "transaction:sign"
    MESSAGE_SIGN = "message:sign"
    TYPED_DATA_SIGN = "typed_data:sign"
    KEYRING_LOCK = "keyring:lock"
    KEYS_ROTATE = "keys:rotate"
    KEYS_REWRAP = "keys:rewrap"
    KEYS_MIGRATE = "keys:migrate"
    KEYS_RETIRE = "keys:retire"


class AuditStatus(StrEnum):
    """How it ended."""

    OK = "ok"
    REFUSED = "refused"
    """The request cannot be: malformed, unknown, against the policy."""
    FAILED = "failed"
    """The request could be, but something it needs was away or broken."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what to which wallet, and how it ended. `details` holds text and numbers only, and no secret.

    `answer` is what the caller's request is answered, if that is to be remembered, `nonce` what no other transaction may use from now on:
    each is written with the row, all or nothing.
    """

    action: AuditAction
    status: AuditStatus
    wallet_id: UUID | None
    caller: Caller
    at: datetime
    details: Mapping[str, object] = field(default_factory=dict)
    answer: bytes | None = None
    nonce: NonceUse | None = None


@dataclass(frozen=True, slots=True, order=True)
class KeyVersion:
    """Which key of which backend a ciphertext is under. Prints as the ciphertext begins: `vault:v3`. `number` is 1..999,999,999."""

    backend: str
    number: int

    @classmethod
    def of(cls, ciphertext: str) -> "KeyVersion | None":
        """Return what a ciphertext names; None where it names nothing."""
        match = _KEY_VERSION.match(ciphertext)
        return cls(match[1], int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.backend}:v{self.number}"


@dataclass(frozen=True, slots=True)
class KeyringLock:
    """What a lock did: how many unlocked seeds the asked replica forgot, and when all were told to."""

    forgotten_seeds: int
    at: datetime


@dataclass(frozen=True, slots=True)
class KeyVersions:
    """The versions of a backend's key: new ciphertexts are under `latest`, and those under `oldest_usable` or newer decrypt."""

    latest: int
    oldest_usable: int


@dataclass(frozen=True, slots=True)
class EncryptedWallet:
    """A wallet with its ciphertext, for who renews ciphertexts."""

    wallet: Wallet
    ciphertext: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A wallet's next ciphertext, and the one it shall stand in the place of."""

    wallet_id: UUID
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of wallets, newest first. `total` counts all wallets."""

    wallets: tuple[Wallet, ...]
    number: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wallets that follow each other, newest first, and whether there are older ones."""

    wallets: tuple[Wallet, ...]
    has_older: bool


class HealthStatus(StrEnum):
    """How a component is. `degraded` still serves."""

    OK = "ok"
    DEGRADED = "degraded"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One component's state, how long the question took in milliseconds, and what it says of itself."""

    status: HealthStatus
    latency_ms: float
    details: Mapping[str, str | int | float] = field(default_factory=dict)
