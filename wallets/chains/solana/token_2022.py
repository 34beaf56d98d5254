"""Say what the instructions of the Token-2022 program do: those of the Token program, and those of its extensions.

Layouts: `spl-token-2022-interface`, little-endian; a byte as tag, and a second one within an extension. What extensions do to encrypted
amounts is in `confidential.py`.
"""

import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from wallets.chains.solana.confidential import CONFIDENTIAL_FEE, CONFIDENTIAL_MINT_BURN, CONFIDENTIAL_TRANSFER, hidden_burn
from wallets.chains.solana.instruction import Call, Effect, Kind, Read, plain, tagged
from wallets.chains.solana.token_programs import burn, read_token, transfer_checked

TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105  # the address of a program

_ACCOUNT_STATES = ("uninitialized", "initialized", "frozen")


def read_token_2022(call: Call) -> Effect | None:
    """Read an instruction of the Token-2022 program; None where it is not known here."""
    tag = call.data.peek() if call.data.remaining else -1
    if tag in _EXTENSIONS:
        call.data.u8()
        return tagged(_EXTENSIONS[tag], 1, call)
    if tag in _OWN:
        return tagged(_OWN, 1, call)
    return read_token(call)


def _power(name: str, what: str, call: Call, authority: str, values: Mapping[str, str]) -> Effect:
    """Somebody gets power over a token."""
    (mint,) = call.accounts(1)
    details = {"mint": mint, "authority": authority, **values}
    return Effect(f"token_2022.{name}", Kind.AUTHORITY_CHANGE, warnings=(f"{authority} {what} {mint}",), details=details)


def _setting(name: str, call: Call, values: Mapping[str, str]) -> Effect:
    """Somebody sets what holds for a token or an account."""
    (subject,) = call.accounts(1)
    text = ", ".join(f"{key} {value}" for key, value in values.items())
    warning = f"sets {text} for {subject}"
    return Effect(f"token_2022.{name}", Kind.AUTHORITY_CHANGE, warnings=(warning,), details={"account": subject, **values})


def _close_authority(call: Call) -> Effect:
    return _power("initialize_mint_close_authority", "may close the token", call, call.optional_key(), {})


def _permanent_delegate(call: Call) -> Effect:
    return _power("initialize_permanent_delegate", "may move and burn everybody's holdings of", call, call.key(), {})


def _pass_extension_types(call: Call) -> None:
    while call.data.remaining:
        call.data.take(2)


def _account_data_size(call: Call) -> Effect:
    _pass_extension_types(call)
    return Effect("token.get_account_data_size", Kind.MAINTENANCE)


def _reallocate(call: Call) -> Effect:
    """Make an account larger for extensions."""
    _pass_extension_types(call)
    account, payer = call.accounts(2)
    return Effect("token_2022.reallocate", Kind.ACCOUNT_CREATION, payer=payer, details={"account": account})


def _initialize_fee(call: Call) -> Effect:
    authority, withdrawer = call.optional_key(), call.optional_key()
    points, maximum = call.data.uint(2), call.u64()
    values = {"withdraw_authority": withdrawer, "fee_basis_points": str(points), "maximum_fee": str(maximum)}
    return _power("initialize_transfer_fee", f"sets the transfer fee (now {points} basis points) of", call, authority, values)


def _set_fee(call: Call) -> Effect:
    points, maximum = call.data.uint(2), call.u64()
    return _setting("set_transfer_fee", call, {"fee_basis_points": str(points), "maximum_fee": str(maximum)})


def _transfer_with_fee(call: Call) -> Effect:
    effect = transfer_checked(call)
    return replace(effect, name="token.transfer_checked_with_fee", details={"fee": str(call.u64())})


def _withdraw_withheld(name: str, data_bytes: int, call: Call) -> Effect:
    call.data.take(data_bytes)
    mint, target, authority = call.accounts(3)
    warning = f"pays all withheld fees of {mint} that it finds to {target}"
    details = {"mint": mint, "destination": target}
    return Effect(f"token_2022.{name}", Kind.TOKEN_TRANSFER, payer=authority, warnings=(warning,), details=details)


def _account_state(name: str, call: Call) -> Effect:
    state = call.data.u8()
    if state >= len(_ACCOUNT_STATES):
        call.data.fail("there is no such state of an account")
    return _setting(name, call, {"default_account_state": _ACCOUNT_STATES[state]})


def _initialize_interest(call: Call) -> Effect:
    authority, rate = call.key_unless_zero(), _signed(call, 2)
    return _power("initialize_interest_bearing_mint", "sets the shown interest of", call, authority, {"rate_basis_points": str(rate)})


def _set_interest(call: Call) -> Effect:
    return _setting("set_interest_rate", call, {"rate_basis_points": str(_signed(call, 2))})


def _initialize_pointer(name: str, target_name: str, what: str, call: Call) -> Effect:
    authority, target = call.key_unless_zero(), call.key_unless_zero()
    return _power(f"initialize_{name}", what, call, authority, {target_name: target})


def _update_pointer(name: str, target_name: str, call: Call) -> Effect:
    return _setting(f"update_{name}", call, {target_name: call.key_unless_zero()})


def _pointer(name: str, target_name: str, what: str) -> Mapping[int, Read]:
    """An extension that names an authority and something that only it may exchange."""
    return {0: partial(_initialize_pointer, name, target_name, what), 1: partial(_update_pointer, name, target_name)}


def _initialize_multiplier(call: Call) -> Effect:
    authority, multiplier = call.key_unless_zero(), _double(call)
    return _power("initialize_scaled_ui_amount", "sets the shown multiple of", call, authority, {"multiplier": multiplier})


def _set_multiplier(call: Call) -> Effect:
    return _setting("set_multiplier", call, {"multiplier": _double(call), "from": str(_signed(call, 8))})


def _initialize_authority(name: str, what: str, call: Call) -> Effect:
    return _power(name, what, call, call.key_unless_zero(), {})


def _switch(name: str, what: str, call: Call) -> Effect:
    (subject,) = call.accounts(1)
    warning = f"{what} {subject}"
    return Effect(f"token_2022.{name}", Kind.AUTHORITY_CHANGE, warnings=(warning,), details={"account": subject})


def _permissioned_burn(name: str, data_bytes: int, call: Call) -> Effect:
    """The accounts are source, mint, the authority that permits it, owner."""
    source, mint, _, owner = call.accounts(4)
    return burn(f"token_2022.{name}", data_bytes, call, (source, mint, owner))


def _signed(call: Call, size: int) -> int:
    return int.from_bytes(call.data.take(size), "little", signed=True)


def _double(call: Call) -> str:
    (value,) = struct.unpack("<d", call.data.take(8))
    return str(value)


_OWN: Mapping[int, Read] = {
    21: _account_data_size,
    25: _close_authority,
    29: _reallocate,
    31: partial(plain, "token_2022.create_native_mint", 0),
    32: partial(_switch, "initialize_non_transferable_mint", "nobody can ever transfer the token"),
    35: _permanent_delegate,
}
_TRANSFER_FEE: Mapping[int, Read] = {
    0: _initialize_fee,
    1: _transfer_with_fee,
    2: partial(_withdraw_withheld, "withdraw_withheld_from_mint", 0),
    3: partial(_withdraw_withheld, "withdraw_withheld_from_accounts", 1),
    4: partial(plain, "token_2022.harvest_withheld_to_mint", 0),
    5: _set_fee,
}
_EXTENSIONS: Mapping[int, Mapping[int, Read]] = {
    26: _TRANSFER_FEE,
    27: CONFIDENTIAL_TRANSFER,
    28: {
        0: partial(_account_state, "initialize_default_account_state"),
        1: partial(_account_state, "update_default_account_state"),
    },
    30: {
        0: partial(_switch, "require_memo", "only transfers with a memo can enter"),
        1: partial(_switch, "do_not_require_memo", "transfers without a memo can enter"),
    },
    33: {0: _initialize_interest, 1: _set_interest},
    34: {
        0: partial(_switch, "enable_cpi_guard", "programs cannot act for the owner of"),
        1: partial(_switch, "disable_cpi_guard", "programs can again act for the owner of"),
    },
    36: _pointer("transfer_hook", "hook_program", "chooses the program that sees and may refuse every transfer of"),
    37: CONFIDENTIAL_FEE,
    39: _pointer("metadata_pointer", "metadata", "chooses where name and symbol stand of"),
    40: _pointer("group_pointer", "group", "chooses the group of"),
    41: _pointer("group_member_pointer", "member", "chooses the membership of"),
    42: CONFIDENTIAL_MINT_BURN,
    43: {0: _initialize_multiplier, 1: _set_multiplier},
    44: {
        0: partial(_initialize_authority, "initialize_pausable", "may stop every transfer of"),
        1: partial(_switch, "pause", "stops every transfer of"),
        2: partial(_switch, "resume", "allows transfers again of"),
    },
    46: {
        0: partial(_initialize_authority, "initialize_permissioned_burn", "must agree to every burning of"),
        1: partial(_permissioned_burn, "permissioned_burn", 0),
        2: partial(_permissioned_burn, "permissioned_burn_checked", 1),
        3: partial(hidden_burn, "permissioned_confidential_burn", 2),
    },
}
