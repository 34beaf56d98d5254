"""Say what the instructions of the Token, Token-2022 and Associated Token programs do.

Layouts: `spl-token-interface`, `spl-token-2022-interface` and `spl-associated-token-account-interface` (a byte as tag), little-endian.
"""

from collections.abc import Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read, plain, tagged
from wallets.model import Transfer

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105  # an address, no password
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105  # an address, no password
ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105  # an address, no password

NOBODY = "nobody"
"""Who holds an authority that is given up."""

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


def read_token(call: Call) -> Effect | None:
    """Read an instruction of the Token program; None where it is not known here."""
    return tagged(_TOKEN, 1, call)


def read_token_2022(call: Call) -> Effect | None:
    """Read an instruction of the Token-2022 program; None where it is not known here."""
    if call.data.remaining and call.data.peek() == 26:
        call.data.u8()
        return tagged(_TRANSFER_FEE_EXTENSION, 1, call)
    return tagged(_TOKEN, 1, call)


def read_associated_token(call: Call) -> Effect | None:
    """Read an instruction of the Associated Token program; None where it is not known here."""
    tag = call.data.u8() if call.data.remaining else 0
    if tag > 1:
        return None
    payer, account, owner, mint = call.accounts(4)
    name = ("associated_token.create", "associated_token.create_idempotent")[tag]
    warning = f"pays the rent of an account of {owner} for {mint}, if it is new"
    return Effect(name, Kind.ACCOUNT_CREATION, payer=payer, warnings=(warning,), details={"account": account, "owner": owner, "mint": mint})


def _transfer(call: Call) -> Effect:
    amount = call.u64()
    source, target, owner = call.accounts(3)
    warning = f"the transaction does not name the token that leaves {source}"
    return Effect("token.transfer", Kind.TOKEN_TRANSFER, (Transfer(target, amount, source),), owner, (warning,))


def _transfer_checked(call: Call) -> Effect:
    amount = call.u64()
    call.data.u8()
    _, mint, target, owner = call.accounts(4)
    return Effect("token.transfer_checked", Kind.TOKEN_TRANSFER, (Transfer(target, amount, mint),), owner)


def _transfer_with_fee(call: Call) -> Effect:
    effect = _transfer_checked(call)
    call.u64()
    return Effect("token.transfer_checked_with_fee", effect.kind, effect.transfers, effect.payer)


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
    warning = f"lets {delegate} spend {amount} base units from {source}"
    details = {"account": source, "delegate": delegate, "amount": str(amount)}
    return Effect(name, Kind.TOKEN_APPROVAL, payer=owner, warnings=(warning,), details=details)


def _set_authority(call: Call) -> Effect:
    number, has_authority = call.data.u8(), call.data.u8()
    if has_authority > 1:
        call.data.fail("an authority is there (1) or not (0)")
    authority = call.key() if has_authority else NOBODY
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
    amount = call.u64()
    call.data.take(data_bytes)
    source, mint, owner = call.accounts(3)
    details = {"account": source, "mint": mint, "amount": str(amount)}
    return Effect(name, Kind.TOKEN_BURN, payer=owner, warnings=(f"burns {amount} base units of {mint} in {source}",), details=details)


def _close(call: Call) -> Effect:
    """The lamports are the rent, and in an account of wrapped SOL all of its balance."""
    account, target, owner = call.accounts(3)
    warning = f"closes {account} and pays all its lamports to {target}"
    details = {"account": account, "destination": target}
    return Effect("token.close_account", Kind.ACCOUNT_CLOSURE, payer=owner, warnings=(warning,), details=details)


_TOKEN: Mapping[int, Read] = {
    1: partial(_initialize_account, "token.initialize_account"),
    3: _transfer,
    4: _approve,
    5: partial(plain, "token.revoke", 0),
    6: _set_authority,
    7: partial(_mint_to, "token.mint_to", 0),
    8: partial(_burn, "token.burn", 0),
    9: _close,
    12: _transfer_checked,
    13: _approve_checked,
    14: partial(_mint_to, "token.mint_to_checked", 1),
    15: partial(_burn, "token.burn_checked", 1),
    16: partial(_initialize_account_of, "token.initialize_account_2"),
    17: partial(plain, "token.sync_native", 0),
    18: partial(_initialize_account_of, "token.initialize_account_3"),
}

_TRANSFER_FEE_EXTENSION: Mapping[int, Read] = {1: _transfer_with_fee}
