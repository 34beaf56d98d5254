"""Say what the instructions of the Token and Associated Token programs do; Token-2022 understands the former's too.

Layouts: `spl-token-interface` and `spl-associated-token-account-interface` (a byte as tag), little-endian.
"""

from collections.abc import Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read, plain, tagged
from wallets.model import Transfer

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105  # the address of a program
ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105  # the address of a program

_AUTHORITIES = (
    "mint_tokens",
    "freeze_account",
    "account_owner",
    "close_account",
    "transfer_fee_config",
    "withheld_withdraw",
    "close_mint",
    "interest_rate",
    "permanent_delegate",
    "confidential_transfer_mint",
    "transfer_hook_program_id",
    "confidential_transfer_fee_config",
    "metadata_pointer",
    "group_pointer",
    "group_member_pointer",
    "scaled_ui_amount",
    "pause",
    "permissioned_burn",
)
"""`AuthorityType` of Token-2022; the Token program has the first four."""


_ALL = 2**64 - 1

_MAX_SIGNERS = 11
"""MAX_SIGNERS: what the programs take of a multisig."""


def read_token(call: Call) -> Effect | None:
    """Read an instruction of the Token program; None where it is not known here."""
    return tagged(_TOKEN, 1, call)


def read_associated_token(call: Call) -> Effect | None:
    """Read an instruction of the Associated Token program; None where it is not known here."""
    tag = call.data.u8() if call.data.remaining else 0
    if tag == 2:
        return _recover_nested(call)
    if tag > 2:
        return None
    payer, account, owner, mint = call.accounts(4)
    name = ("associated_token.create", "associated_token.create_idempotent")[tag]
    warning = f"pays the rent of an account of {owner} for {mint}, if it is new"
    return Effect(name, Kind.ACCOUNT_CREATION, payer=payer, warnings=(warning,), details={"account": account, "owner": owner, "mint": mint})


def _recover_nested(call: Call) -> Effect:
    """Move all of an associated account of an associated account to the wallet's own."""
    nested, mint, target, _, _, wallet = call.accounts(6)
    warning = f"moves all of {nested} to {target}, and pays its rent to {wallet}"
    details = {"account": nested, "mint": mint, "destination": target}
    return Effect("associated_token.recover_nested", Kind.ACCOUNT_CLOSURE, payer=wallet, warnings=(warning,), details=details)


def _transfer(call: Call) -> Effect:
    amount = call.u64()
    source, target, owner = call.accounts(3)
    warning = f"the transaction does not name the token that leaves {source}"
    return Effect("token.transfer", Kind.TOKEN_TRANSFER, (Transfer(target, amount, source),), owner, (warning,))


def transfer_checked(call: Call) -> Effect:
    """Read the transfer that names its token."""
    amount = call.u64()
    call.data.u8()
    _, mint, target, owner = call.accounts(4)
    return Effect("token.transfer_checked", Kind.TOKEN_TRANSFER, (Transfer(target, amount, mint),), owner)


def _initialize_mint(name: str, call: Call) -> Effect:
    decimals, authority, freezer = call.data.u8(), call.key(), call.optional_key()
    (mint,) = call.accounts(1)
    warning = f"the new token {mint} is minted by {authority}, and its accounts are frozen by {freezer}"
    details = {"mint": mint, "decimals": str(decimals), "mint_authority": authority, "freeze_authority": freezer}
    return Effect(name, Kind.ACCOUNT_CREATION, warnings=(warning,), details=details)


def _initialize_multisig(name: str, first_signer: int, call: Call) -> Effect:
    """The signers are the accounts from `first_signer` on; the programs bound them, and so what is shown of many such instructions."""
    required = call.data.u8()
    (account,) = call.accounts(1)
    signers = call.rest_of_accounts(first_signer)
    if not (1 <= required <= _MAX_SIGNERS and 1 <= len(signers) <= _MAX_SIGNERS):
        call.data.fail(f"{required} of {len(signers)} keys are required; the program takes 1 to {_MAX_SIGNERS} of 1 to {_MAX_SIGNERS}")
    warning = f"{required} of {len(signers)} keys, which the details name, have power over what belongs to {account}"
    details = {"account": account, "required": str(required), "signers": ", ".join(signers)}
    return Effect(name, Kind.ACCOUNT_CREATION, warnings=(warning,), details=details)


def _initialize_account(name: str, call: Call) -> Effect:
    """The owner is one of the accounts in the first form of this instruction, and in the data of the others."""
    account, mint, owner = call.accounts(3)
    return _initialized(name, account, mint, owner)


def _initialize_account_of(name: str, call: Call) -> Effect:
    owner = call.key()
    account, mint = call.accounts(2)
    return _initialized(name, account, mint, owner)


def _initialized(name: str, account: str, mint: str, owner: str) -> Effect:
    warning = f"the token account {account} for {mint} belongs to {owner}"
    return Effect(name, Kind.ACCOUNT_CREATION, warnings=(warning,), details={"account": account, "mint": mint, "owner": owner})


def _approve(call: Call) -> Effect:
    amount = call.u64()
    source, delegate, owner = call.accounts(3)
    return _approved("token.approve", source, delegate, owner, amount)


def _approve_checked(call: Call) -> Effect:
    amount = call.u64()
    call.data.u8()
    source, _, delegate, owner = call.accounts(4)
    return _approved("token.approve_checked", source, delegate, owner, amount)


def _approved(name: str, source: str, delegate: str, owner: str, amount: int) -> Effect:
    warning = f"lets {delegate} spend {amount} base units from {source}" + (", which is all there will ever be" if amount == _ALL else "")
    details = {"account": source, "delegate": delegate, "amount": str(amount)}
    return Effect(name, Kind.TOKEN_APPROVAL, payer=owner, warnings=(warning,), details=details)


def _set_authority(call: Call) -> Effect:
    number, authority = call.data.u8(), call.optional_key()
    account, owner = call.accounts(2)
    what = _AUTHORITIES[number] if number < len(_AUTHORITIES) else f"type {number}"
    details = {"account": account, "authority": authority, "authority_type": what}
    warning = f"gives {authority} the authority {what} over {account}"
    return Effect("token.set_authority", Kind.AUTHORITY_CHANGE, payer=owner, warnings=(warning,), details=details)


def _mint_to(name: str, data_bytes: int, call: Call) -> Effect:
    amount = call.u64()
    call.data.take(data_bytes)
    mint, target, authority = call.accounts(3)
    return Effect(name, Kind.TOKEN_MINT, (Transfer(target, amount, mint),), authority)


def _burn(name: str, data_bytes: int, call: Call) -> Effect:
    source, mint, owner = call.accounts(3)
    return burn(name, data_bytes, call, (source, mint, owner))


def burn(name: str, data_bytes: int, call: Call, accounts: tuple[str, str, str]) -> Effect:
    """Read the amount, and `data_bytes` more that say nothing new, of the burning from `accounts`: source, mint, owner."""
    amount = call.u64()
    call.data.take(data_bytes)
    source, mint, owner = accounts
    details = {"account": source, "mint": mint, "amount": str(amount)}
    return Effect(name, Kind.TOKEN_BURN, payer=owner, warnings=(f"burns {amount} base units of {mint} in {source}",), details=details)


def _close(call: Call) -> Effect:
    """The lamports are the rent, and in an account of wrapped SOL all of its balance."""
    account, target, owner = call.accounts(3)
    warning = f"closes {account} and pays all its lamports to {target}"
    details = {"account": account, "destination": target}
    return Effect("token.close_account", Kind.ACCOUNT_CLOSURE, payer=owner, warnings=(warning,), details=details)


def _freeze(name: str, call: Call) -> Effect:
    account, mint, authority = call.accounts(3)
    warning = f"{name.removeprefix('token.').removesuffix('_account')}s {account}"
    return Effect(name, Kind.AUTHORITY_CHANGE, payer=authority, warnings=(warning,), details={"account": account, "mint": mint})


def _withdraw_excess(call: Call) -> Effect:
    account, target, owner = call.accounts(3)
    warning = f"pays what {account} has above its rent to {target}"
    details = {"account": account, "destination": target}
    return Effect("token.withdraw_excess_lamports", Kind.TRANSFER, payer=owner, warnings=(warning,), details=details)


def _unwrap(call: Call) -> Effect:
    """Pay wrapped SOL out as lamports: an amount, or all there is."""
    amount = call.u64() if call.is_there() else None
    account, target, owner = call.accounts(3)
    details = {"account": account, "destination": target}
    if amount is not None:
        return Effect("token.unwrap_lamports", Kind.TRANSFER, (Transfer(target, amount),), owner, details=details)
    warning = f"pays all wrapped SOL of {account} to {target}"
    return Effect("token.unwrap_lamports", Kind.TRANSFER, payer=owner, warnings=(warning,), details=details)


def _ui_amount(call: Call) -> Effect:
    """Pass over a text of which the program computes an amount."""
    call.data.rest()
    return Effect("token.ui_amount_to_amount", Kind.MAINTENANCE)


_TOKEN: Mapping[int, Read] = {
    0: partial(_initialize_mint, "token.initialize_mint"),
    1: partial(_initialize_account, "token.initialize_account"),
    2: partial(_initialize_multisig, "token.initialize_multisig", 2),
    3: _transfer,
    4: _approve,
    5: partial(plain, "token.revoke", 0),
    6: _set_authority,
    7: partial(_mint_to, "token.mint_to", 0),
    8: partial(_burn, "token.burn", 0),
    9: _close,
    10: partial(_freeze, "token.freeze_account"),
    11: partial(_freeze, "token.thaw_account"),
    12: transfer_checked,
    13: _approve_checked,
    14: partial(_mint_to, "token.mint_to_checked", 1),
    15: partial(_burn, "token.burn_checked", 1),
    16: partial(_initialize_account_of, "token.initialize_account_2"),
    17: partial(plain, "token.sync_native", 0),
    18: partial(_initialize_account_of, "token.initialize_account_3"),
    19: partial(_initialize_multisig, "token.initialize_multisig_2", 1),
    20: partial(_initialize_mint, "token.initialize_mint_2"),
    21: partial(plain, "token.get_account_data_size", 0),
    22: partial(plain, "token.initialize_immutable_owner", 0),
    23: partial(plain, "token.amount_to_ui_amount", 8),
    24: _ui_amount,
    38: _withdraw_excess,
    45: _unwrap,
}
