from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CreateWalletRequest(_message.Message):
    __slots__ = ("label", "mnemonic_length")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MNEMONIC_LENGTH_FIELD_NUMBER: _ClassVar[int]
    label: str
    mnemonic_length: int
    def __init__(self, label: _Optional[str] = ..., mnemonic_length: _Optional[int] = ...) -> None: ...

class WalletInfo(_message.Message):
    __slots__ = ("id", "label")
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    id: str
    label: str
    def __init__(self, id: _Optional[str] = ..., label: _Optional[str] = ...) -> None: ...

class GetAddressRequest(_message.Message):
    __slots__ = ("wallet_id", "network", "index")
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    network: str
    index: int
    def __init__(self, wallet_id: _Optional[str] = ..., network: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class AddressResponse(_message.Message):
    __slots__ = ("address", "network")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    address: str
    network: str
    def __init__(self, address: _Optional[str] = ..., network: _Optional[str] = ...) -> None: ...

class SignRequest(_message.Message):
    __slots__ = ("wallet_id", "network", "index", "unsigned_tx")
    WALLET_ID_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    UNSIGNED_TX_FIELD_NUMBER: _ClassVar[int]
    wallet_id: str
    network: str
    index: int
    unsigned_tx: str
    def __init__(self, wallet_id: _Optional[str] = ..., network: _Optional[str] = ..., index: _Optional[int] = ..., unsigned_tx: _Optional[str] = ...) -> None: ...

class SignResponse(_message.Message):
    __slots__ = ("signed_tx",)
    SIGNED_TX_FIELD_NUMBER: _ClassVar[int]
    signed_tx: str
    def __init__(self, signed_tx: _Optional[str] = ...) -> None: ...
