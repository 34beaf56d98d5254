"""Name Tron's contract types and the fields of their messages (java-tron, `protocol/src/main/protos/core`).

Every type of the protocol that has a message is here. Left out, and therefore refused: the two that have none (CustomContract 20,
GetContract 32), and fields of a transaction that no node reads (`auths`, `scripts`, `provider`, `ContractName`).
"""

from collections.abc import Callable

from wallets.chains.contract_calls.meaning import AddressForm
from wallets.chains.protobuf import Field, Kind, Message, message
from wallets.encoding import base58check

ADDRESS_PREFIX = 0x41
TYPE_URL = "type.googleapis.com/protocol."


def address_text(raw: bytes) -> str:
    """Write 21 bytes, 0x41 first, as a base58check address.

    Raises:
        ValueError: They are not that.
    """
    if len(raw) != 21 or raw[0] != ADDRESS_PREFIX:
        msg = "an address has 21 bytes, 0x41 first"
        raise ValueError(msg)
    return base58check(raw)


def contract_address_text(address: bytes) -> str:
    """Write 20 bytes, an address as contracts know it, as a base58check address."""
    return address_text(bytes([ADDRESS_PREFIX]) + address)


TRON_ADDRESSES = AddressForm(contract_address_text, (bytes(12), bytes(11) + bytes([ADDRESS_PREFIX])))
"""Some libraries put the 21 bytes of an address into a word; the contract reads the last 20 of them."""


def plain_text(raw: bytes) -> str:
    """Write bytes as the text they are in UTF-8 if all of it is printable, else as hex with `0x` before it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    return text if text.isprintable() and text else "0x" + raw.hex()


def asset_name(raw: bytes) -> str:
    """Write the name of a TRC-10 token, which is its number in digits since that is given, as `plain_text` does.

    Raises:
        ValueError: It is longer than the 32 bytes that a token's name may have (java-tron, `TransactionUtil.validAssetName`).
    """
    if len(raw) > 32:
        msg = "the name of a token has at most 32 bytes"
        raise ValueError(msg)
    return plain_text(raw)


def _address(number: int, name: str, *, required: bool = True) -> Field:
    return Field(number, name, Kind.BYTES, required=required, read=address_text)


def _text(number: int, name: str, *, required: bool = False) -> Field:
    return Field(number, name, Kind.BYTES, required=required, read=plain_text)


def _amount(number: int, name: str) -> Field:
    """An amount of which nodes refuse zero."""
    return Field(number, name, Kind.INT64, required=True)


def _int64(number: int, name: str) -> Field:
    return Field(number, name, Kind.INT64, default=0)


def _choice(number: int, name: str, *names: str) -> Field:
    """An enumeration; the first name is what its absence means."""
    return Field(number, name, Kind.INT32, read=_chooser(names), default=names[0])


def _chooser(names: tuple[str, ...]) -> Callable[[int], str]:
    def choose(value: int) -> str:
        if value >= len(names):
            msg = f"it must be one of {', '.join(names)}"
            raise ValueError(msg)
        return names[value]

    return choose


def _repeated(number: int, name: str, kind: Message, *, required: bool = False) -> Field:
    return Field(number, name, Kind.MESSAGE, required=required, repeated=True, message=kind)


def _resource(number: int) -> Field:
    return _choice(number, "resource", "BANDWIDTH", "ENERGY", "TRON_POWER")


_OWNER = _address(1, "owner_address")
_VOTE = message("Vote", _address(1, "vote_address"), _amount(2, "vote_count"))
_FROZEN_SUPPLY = message("FrozenSupply", _amount(1, "frozen_amount"), _amount(2, "frozen_days"))
_KEY = message("Key", _address(1, "address"), _amount(2, "weight"))
_PERMISSION = message(
    "Permission",
    _choice(1, "type", "Owner", "Witness", "Active"),
    Field(2, "id", Kind.INT32),
    Field(3, "permission_name", Kind.STRING),
    _amount(4, "threshold"),
    Field(5, "parent_id", Kind.INT32),
    Field(6, "operations", Kind.BYTES),
    _repeated(7, "keys", _KEY, required=True),
)
_PARAMETER = message("ParametersEntry", Field(1, "key", Kind.INT64, in_map=True), Field(2, "value", Kind.INT64, in_map=True))
_SPEND = message(
    "SpendDescription",
    *(
        Field(number, name, Kind.BYTES, required=True)
        for number, name in enumerate(("value_commitment", "anchor", "nullifier", "rk", "zkproof", "spend_authority_signature"), start=1)
    ),
)
_RECEIVE = message(
    "ReceiveDescription",
    *(
        Field(number, name, Kind.BYTES, required=True)
        for number, name in enumerate(("value_commitment", "note_commitment", "epk", "c_enc", "c_out", "zkproof"), start=1)
    ),
)
_ABI_PARAMETER = message("Param", Field(1, "indexed", Kind.BOOL), Field(2, "name", Kind.STRING), Field(3, "type", Kind.STRING))
_ABI_ENTRY = message(
    "Entry",
    Field(1, "anonymous", Kind.BOOL),
    Field(2, "constant", Kind.BOOL),
    Field(3, "name", Kind.STRING),
    _repeated(4, "inputs", _ABI_PARAMETER),
    _repeated(5, "outputs", _ABI_PARAMETER),
    Field(6, "type", Kind.INT32),
    Field(7, "payable", Kind.BOOL),
    Field(8, "state_mutability", Kind.INT32),
)
_NEW_CONTRACT = message(
    "SmartContract",
    _address(1, "origin_address"),
    Field(3, "abi", Kind.MESSAGE, message=message("ABI", _repeated(1, "entrys", _ABI_ENTRY))),
    Field(4, "bytecode", Kind.BYTES, required=True),
    Field(5, "call_value", Kind.INT64),
    _int64(6, "consume_user_resource_percent"),
    Field(7, "name", Kind.STRING),
    _int64(8, "origin_energy_limit"),
)

CONTRACTS: dict[int, Message] = {
    0: message(
        "AccountCreateContract", _OWNER, _address(2, "account_address"), _choice(3, "account_type", "Normal", "AssetIssue", "Contract")
    ),
    1: message("TransferContract", _OWNER, _address(2, "to_address"), _amount(3, "amount")),
    2: message(
        "TransferAssetContract",
        Field(1, "asset_name", Kind.BYTES, required=True, read=asset_name),
        _address(2, "owner_address"),
        _address(3, "to_address"),
        _amount(4, "amount"),
    ),
    3: message(
        "VoteAssetContract",
        _OWNER,
        Field(2, "vote_address", Kind.BYTES, required=True, repeated=True, read=address_text),
        Field(3, "support", Kind.BOOL),
        Field(5, "count", Kind.INT32),
    ),
    4: message("VoteWitnessContract", _OWNER, _repeated(2, "votes", _VOTE, required=True), Field(3, "support", Kind.BOOL)),
    5: message("WitnessCreateContract", _OWNER, _text(2, "url", required=True)),
    6: message(
        "AssetIssueContract",
        _OWNER,
        _text(2, "name", required=True),
        _text(3, "abbr"),
        _amount(4, "total_supply"),
        _repeated(5, "frozen_supply", _FROZEN_SUPPLY),
        Field(6, "trx_num", Kind.INT32, required=True),
        Field(7, "precision", Kind.INT32),
        Field(8, "num", Kind.INT32, required=True),
        _amount(9, "start_time"),
        _amount(10, "end_time"),
        Field(16, "vote_score", Kind.INT32),
        _text(20, "description"),
        _text(21, "url", required=True),
        Field(22, "free_asset_net_limit", Kind.INT64),
        Field(23, "public_free_asset_net_limit", Kind.INT64),
    ),
    8: message("WitnessUpdateContract", _OWNER, _text(12, "update_url", required=True)),
    9: message(
        "ParticipateAssetIssueContract", _OWNER, _address(2, "to_address"), _text(3, "asset_name", required=True), _amount(4, "amount")
    ),
    10: message("AccountUpdateContract", _text(1, "account_name"), _address(2, "owner_address")),
    11: message(
        "FreezeBalanceContract",
        _OWNER,
        _amount(2, "frozen_balance"),
        _amount(3, "frozen_duration"),
        _resource(10),
        _address(15, "receiver_address", required=False),
    ),
    12: message("UnfreezeBalanceContract", _OWNER, _resource(10), _address(15, "receiver_address", required=False)),
    13: message("WithdrawBalanceContract", _OWNER),
    14: message("UnfreezeAssetContract", _OWNER),
    15: message(
        "UpdateAssetContract", _OWNER, _text(2, "description"), _text(3, "url"), _int64(4, "new_limit"), _int64(5, "new_public_limit")
    ),
    16: message(
        "ProposalCreateContract",
        _OWNER,
        Field(2, "parameters", Kind.MESSAGE, required=True, repeated=True, message=_PARAMETER, is_map=True),
    ),
    17: message("ProposalApproveContract", _OWNER, _amount(2, "proposal_id"), Field(3, "is_add_approval", Kind.BOOL, default=0)),
    18: message("ProposalDeleteContract", _OWNER, _amount(2, "proposal_id")),
    19: message("SetAccountIdContract", _text(1, "account_id", required=True), _address(2, "owner_address")),
    30: message(
        "CreateSmartContract",
        _OWNER,
        Field(2, "new_contract", Kind.MESSAGE, required=True, message=_NEW_CONTRACT),
        Field(3, "call_token_value", Kind.INT64),
        Field(4, "token_id", Kind.INT64),
    ),
    31: message(
        "TriggerSmartContract",
        _OWNER,
        _address(2, "contract_address"),
        Field(3, "call_value", Kind.INT64),
        Field(4, "data", Kind.BYTES),
        Field(5, "call_token_value", Kind.INT64),
        Field(6, "token_id", Kind.INT64),
    ),
    33: message("UpdateSettingContract", _OWNER, _address(2, "contract_address"), _int64(3, "consume_user_resource_percent")),
    41: message(
        "ExchangeCreateContract",
        _OWNER,
        _text(2, "first_token_id", required=True),
        _amount(3, "first_token_balance"),
        _text(4, "second_token_id", required=True),
        _amount(5, "second_token_balance"),
    ),
    42: message("ExchangeInjectContract", _OWNER, _amount(2, "exchange_id"), _text(3, "token_id", required=True), _amount(4, "quant")),
    43: message("ExchangeWithdrawContract", _OWNER, _amount(2, "exchange_id"), _text(3, "token_id", required=True), _amount(4, "quant")),
    44: message(
        "ExchangeTransactionContract",
        _OWNER,
        _amount(2, "exchange_id"),
        _text(3, "token_id", required=True),
        _amount(4, "quant"),
        _amount(5, "expected"),
    ),
    45: message("UpdateEnergyLimitContract", _OWNER, _address(2, "contract_address"), _amount(3, "origin_energy_limit")),
    46: message(
        "AccountPermissionUpdateContract",
        _OWNER,
        Field(2, "owner", Kind.MESSAGE, required=True, message=_PERMISSION),
        Field(3, "witness", Kind.MESSAGE, message=_PERMISSION),
        _repeated(4, "actives", _PERMISSION, required=True),
    ),
    48: message("ClearABIContract", _OWNER, _address(2, "contract_address")),
    49: message("UpdateBrokerageContract", _OWNER, Field(2, "brokerage", Kind.INT32, default=0)),
    51: message(
        "ShieldedTransferContract",
        _address(1, "owner_address"),  # `transparent_from_address`: where it is empty, nobody signs the transaction
        _amount(2, "from_amount"),
        _repeated(3, "spend_description", _SPEND),
        _repeated(4, "receive_description", _RECEIVE),
        Field(5, "binding_signature", Kind.BYTES, required=True),
        _address(6, "transparent_to_address", required=False),
        Field(7, "to_amount", Kind.INT64),
    ),
    52: message(
        "MarketSellAssetContract",
        _OWNER,
        _text(2, "sell_token_id", required=True),
        _amount(3, "sell_token_quantity"),
        _text(4, "buy_token_id", required=True),
        _amount(5, "buy_token_quantity"),
    ),
    53: message("MarketCancelOrderContract", _OWNER, Field(2, "order_id", Kind.BYTES, required=True)),
    54: message("FreezeBalanceV2Contract", _OWNER, _amount(2, "frozen_balance"), _resource(3)),
    55: message("UnfreezeBalanceV2Contract", _OWNER, _amount(2, "unfreeze_balance"), _resource(3)),
    56: message("WithdrawExpireUnfreezeContract", _OWNER),
    57: message(
        "DelegateResourceContract",
        _OWNER,
        _resource(2),
        _amount(3, "balance"),
        _address(4, "receiver_address"),
        Field(5, "lock", Kind.BOOL),
        Field(6, "lock_period", Kind.INT64),
    ),
    58: message("UnDelegateResourceContract", _OWNER, _resource(2), _amount(3, "balance"), _address(4, "receiver_address")),
    59: message("CancelAllUnfreezeV2Contract", _OWNER),
}
"""The message of each contract type, by the type's number."""
