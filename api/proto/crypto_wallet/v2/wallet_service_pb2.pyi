import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Wallet(_message.Message):
    __slots__ = ("id", "label", "scheme", "created_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    label: str
    scheme: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., label: _Optional[str] = ..., scheme: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("wallet_id", "network", "index", "variant")
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    network: str
    index: int
    variant: str
    def __init__(self, wallet_id: _Optional[str] = ..., network: _Optional[str] = ..., index: _Optional[int] = ..., variant: _Optional[str] = ...) -> None: ...

class CreateWalletRequest(_message.Message):
    __slots__ = ("label", "mnemonic_length")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MNEMONIC_LENGTH_FIELD_NUMBER: _ClassVar[int]
    label: str
    mnemonic_length: int
    def __init__(self, label: _Optional[str] = ..., mnemonic_length: _Optional[int] = ...) -> None: ...

class CreateWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class ImportWalletRequest(_message.Message):
    __slots__ = ("label", "mnemonic", "passphrase", "scheme")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MNEMONIC_FIELD_NUMBER: _ClassVar[int]
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    label: str
    mnemonic: str
    passphrase: str
    scheme: str
    def __init__(self, label: _Optional[str] = ..., mnemonic: _Optional[str] = ..., passphrase: _Optional[str] = ..., scheme: _Optional[str] = ...) -> None: ...

class ImportWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class GetWalletRequest(_message.Message):
    __slots__ = ("wallet_id",)
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    def __init__(self, wallet_id: _Optional[str] = ...) -> None: ...

class GetWalletResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class ListWalletsRequest(_message.Message):
    __slots__ = ("page", "cursor", "per_page")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PER_PAGE_FIELD_NUMBER: _ClassVar[int]
    page: int
    cursor: str
    per_page: int
    def __init__(self, page: _Optional[int] = ..., cursor: _Optional[str] = ..., per_page: _Optional[int] = ...) -> None: ...

class ListWalletsResponse(_message.Message):
    __slots__ = ("data", "page", "per_page", "total", "total_pages", "next_cursor")
    DATA_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    PER_PAGE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TOTAL_PAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[Wallet]
    page: int
    per_page: int
    total: int
    total_pages: int
    next_cursor: str
    def __init__(self, data: _Optional[_Iterable[_Union[Wallet, _Mapping]]] = ..., page: _Optional[int] = ..., per_page: _Optional[int] = ..., total: _Optional[int] = ..., total_pages: _Optional[int] = ..., next_cursor: _Optional[str] = ...) -> None: ...

class GetAddressRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class GetAddressResponse(_message.Message):
    __slots__ = ("account", "address", "forms")
    class FormsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    FORMS_FIELD_NUMBER: _ClassVar[int]
    account: Account
    address: str
    forms: _containers.ScalarMap[str, str]
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., address: _Optional[str] = ..., forms: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetAddressRangeRequest(_message.Message):
    __slots__ = ("first", "count")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first: Account
    count: int
    def __init__(self, first: _Optional[_Union[Account, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class GetAddressRangeResponse(_message.Message):
    __slots__ = ("addresses",)
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedCompositeFieldContainer[GetAddressResponse]
    def __init__(self, addresses: _Optional[_Iterable[_Union[GetAddressResponse, _Mapping]]] = ...) -> None: ...

class FindAddressRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class FindAddressResponse(_message.Message):
    __slots__ = ("address", "accounts")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    address: str
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    def __init__(self, address: _Optional[str] = ..., accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("unsigned_tx", "raw", "ton")
    UNSIGNED_TX_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    TON_FIELD_NUMBER: _ClassVar[int]
    unsigned_tx: str
    raw: bytes
    ton: TonTransfer
    def __init__(self, unsigned_tx: _Optional[str] = ..., raw: _Optional[bytes] = ..., ton: _Optional[_Union[TonTransfer, _Mapping]] = ...) -> None: ...

class TonTransfer(_message.Message):
    __slots__ = ("seqno", "valid_until", "messages")
    SEQNO_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    seqno: int
    valid_until: int
    messages: _containers.RepeatedCompositeFieldContainer[TonMessage]
    def __init__(self, seqno: _Optional[int] = ..., valid_until: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[TonMessage, _Mapping]]] = ...) -> None: ...

class TonMessage(_message.Message):
    __slots__ = ("to", "amount", "comment", "payload", "bounce", "mode", "state_init")
    TO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_INIT_FIELD_NUMBER: _ClassVar[int]
    to: str
    amount: str
    comment: str
    payload: bytes
    bounce: bool
    mode: int
    state_init: bytes
    def __init__(self, to: _Optional[str] = ..., amount: _Optional[str] = ..., comment: _Optional[str] = ..., payload: _Optional[bytes] = ..., bounce: _Optional[bool] = ..., mode: _Optional[int] = ..., state_init: _Optional[bytes] = ...) -> None: ...

class SignTransactionRequest(_message.Message):
    __slots__ = ("account", "transaction", "replace")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    account: Account
    transaction: Transaction
    replace: bool
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., transaction: _Optional[_Union[Transaction, _Mapping]] = ..., replace: _Optional[bool] = ...) -> None: ...

class SignTransactionResponse(_message.Message):
    __slots__ = ("signed",)
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    signed: SignedTransaction
    def __init__(self, signed: _Optional[_Union[SignedTransaction, _Mapping]] = ...) -> None: ...

class SignedTransaction(_message.Message):
    __slots__ = ("signed_tx", "tx_id", "psbt", "vsize", "from_address", "signature", "network", "index", "variant", "intent")
    SIGNED_TX_FIELD_NUMBER: _ClassVar[int]
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    PSBT_FIELD_NUMBER: _ClassVar[int]
    VSIZE_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    signed_tx: str
    tx_id: str
    psbt: str
    vsize: int
    from_address: str
    signature: str
    network: str
    index: int
    variant: str
    intent: Intent
    def __init__(self, signed_tx: _Optional[str] = ..., tx_id: _Optional[str] = ..., psbt: _Optional[str] = ..., vsize: _Optional[int] = ..., from_address: _Optional[str] = ..., signature: _Optional[str] = ..., network: _Optional[str] = ..., index: _Optional[int] = ..., variant: _Optional[str] = ..., intent: _Optional[_Union[Intent, _Mapping]] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("network", "kind", "sender", "transfers", "max_fee", "max_fee_decimal", "contract", "method", "expires_at", "valid_from", "details", "warnings")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Detail
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Detail, _Mapping]] = ...) -> None: ...
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_DECIMAL_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    network: str
    kind: str
    sender: str
    transfers: _containers.RepeatedCompositeFieldContainer[Transfer]
    max_fee: str
    max_fee_decimal: str
    contract: str
    method: str
    expires_at: int
    valid_from: int
    details: _containers.MessageMap[str, Detail]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, network: _Optional[str] = ..., kind: _Optional[str] = ..., sender: _Optional[str] = ..., transfers: _Optional[_Iterable[_Union[Transfer, _Mapping]]] = ..., max_fee: _Optional[str] = ..., max_fee_decimal: _Optional[str] = ..., contract: _Optional[str] = ..., method: _Optional[str] = ..., expires_at: _Optional[int] = ..., valid_from: _Optional[int] = ..., details: _Optional[_Mapping[str, Detail]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("recipient", "amount", "amount_decimal", "asset")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_DECIMAL_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    amount: str
    amount_decimal: str
    asset: str
    def __init__(self, recipient: _Optional[str] = ..., amount: _Optional[str] = ..., amount_decimal: _Optional[str] = ..., asset: _Optional[str] = ...) -> None: ...

class Detail(_message.Message):
    __slots__ = ("text", "number")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    text: str
    number: int
    def __init__(self, text: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class SignTransactionsRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SignItem]
    def __init__(self, items: _Optional[_Iterable[_Union[SignItem, _Mapping]]] = ...) -> None: ...

class SignItem(_message.Message):
    __slots__ = ("id", "account", "transaction", "replace")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    id: str
    account: Account
    transaction: Transaction
    replace: bool
    def __init__(self, id: _Optional[str] = ..., account: _Optional[_Union[Account, _Mapping]] = ..., transaction: _Optional[_Union[Transaction, _Mapping]] = ..., replace: _Optional[bool] = ...) -> None: ...

class SignTransactionsResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[SignOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[SignOutcome, _Mapping]]] = ...) -> None: ...

class SignOutcome(_message.Message):
    __slots__ = ("id", "signed", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    signed: SignedTransaction
    error: Problem
    def __init__(self, id: _Optional[str] = ..., signed: _Optional[_Union[SignedTransaction, _Mapping]] = ..., error: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("reason", "code", "detail")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    reason: str
    code: int
    detail: str
    def __init__(self, reason: _Optional[str] = ..., code: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class SignMessageRequest(_message.Message):
    __slots__ = ("account", "text", "raw", "format")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    text: str
    raw: bytes
    format: str
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., text: _Optional[str] = ..., raw: _Optional[bytes] = ..., format: _Optional[str] = ...) -> None: ...

class SignMessageResponse(_message.Message):
    __slots__ = ("signed",)
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    signed: SignedMessage
    def __init__(self, signed: _Optional[_Union[SignedMessage, _Mapping]] = ...) -> None: ...

class SignTypedDataRequest(_message.Message):
    __slots__ = ("account", "typed_data")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TYPED_DATA_FIELD_NUMBER: _ClassVar[int]
    account: Account
    typed_data: str
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., typed_data: _Optional[str] = ...) -> None: ...

class SignTypedDataResponse(_message.Message):
    __slots__ = ("signed",)
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    signed: SignedMessage
    def __init__(self, signed: _Optional[_Union[SignedMessage, _Mapping]] = ...) -> None: ...

class SignedMessage(_message.Message):
    __slots__ = ("signature", "digest", "from_address", "network", "index", "variant", "intent", "signature_text")
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_TEXT_FIELD_NUMBER: _ClassVar[int]
    signature: str
    digest: str
    from_address: str
    network: str
    index: int
    variant: str
    intent: Intent
    signature_text: str
    def __init__(self, signature: _Optional[str] = ..., digest: _Optional[str] = ..., from_address: _Optional[str] = ..., network: _Optional[str] = ..., index: _Optional[int] = ..., variant: _Optional[str] = ..., intent: _Optional[_Union[Intent, _Mapping]] = ..., signature_text: _Optional[str] = ...) -> None: ...

class InspectTransactionRequest(_message.Message):
    __slots__ = ("network", "variant", "transaction")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    network: str
    variant: str
    transaction: Transaction
    def __init__(self, network: _Optional[str] = ..., variant: _Optional[str] = ..., transaction: _Optional[_Union[Transaction, _Mapping]] = ...) -> None: ...

class InspectTransactionResponse(_message.Message):
    __slots__ = ("intent",)
    INTENT_FIELD_NUMBER: _ClassVar[int]
    intent: Intent
    def __init__(self, intent: _Optional[_Union[Intent, _Mapping]] = ...) -> None: ...

class LockKeyringRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LockKeyringResponse(_message.Message):
    __slots__ = ("forgotten_seeds", "locked_at")
    FORGOTTEN_SEEDS_FIELD_NUMBER: _ClassVar[int]
    LOCKED_AT_FIELD_NUMBER: _ClassVar[int]
    forgotten_seeds: int
    locked_at: _timestamp_pb2.Timestamp
    def __init__(self, forgotten_seeds: _Optional[int] = ..., locked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
