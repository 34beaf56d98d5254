"""Say what the System program's instructions do. Layouts: `solana-system-interface` (bincode: a uint32 tag), little-endian."""

from collections.abc import Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read, plain, tagged
from wallets.model import Transfer

SYSTEM = "11111111111111111111111111111111"
ADVANCE_NONCE = "system.advance_nonce"
"""As a transaction's first instruction it makes the blockhash a durable nonce."""


def read_system(call: Call) -> Effect | None:
    """Read an instruction of the System program; None where it is not known here."""
    return tagged(_SYSTEM, 4, call)


def _transfer(call: Call) -> Effect:
    amount = call.u64()
    source, target = call.accounts(2)
    return Effect("system.transfer", Kind.TRANSFER, (Transfer(target, amount),), source)


def _transfer_with_seed(call: Call) -> Effect:
    amount = call.u64()
    call.skip_string()
    call.key()
    source, _, target = call.accounts(3)
    return Effect("system.transfer_with_seed", Kind.TRANSFER, (Transfer(target, amount),), source)


def _withdraw_nonce(call: Call) -> Effect:
    amount = call.u64()
    nonce, target = call.accounts(2)
    return Effect("system.withdraw_nonce", Kind.TRANSFER, (Transfer(target, amount),), nonce)


def _create_account(call: Call) -> Effect:
    amount = call.u64()
    call.u64()
    owner = call.key()
    payer, created = call.accounts(2)
    return _created("system.create_account", created, owner, amount, payer)


def _create_account_with_seed(call: Call) -> Effect:
    call.key()
    call.skip_string()
    amount = call.u64()
    call.u64()
    owner = call.key()
    payer, created = call.accounts(2)
    return _created("system.create_account_with_seed", created, owner, amount, payer)


def _created(name: str, created: str, owner: str, amount: int, payer: str | None) -> Effect:
    """An account of the System program obeys its own key; any other program does with it what it is written to do."""
    warnings = () if owner == SYSTEM else (f"the new account {created} belongs to the program {owner}",)
    details = {"account": created, "owner": owner}
    transfers = (Transfer(created, amount),) if payer else ()
    return Effect(name, Kind.ACCOUNT_CREATION, transfers, payer, warnings, details)


def _assign(name: str, call: Call) -> Effect:
    owner = call.key()
    (account,) = call.accounts(1)
    warning = f"hands {account} over to the program {owner}"
    return Effect(name, Kind.AUTHORITY_CHANGE, warnings=(warning,), details={"account": account, "owner": owner})


def _assign_with_seed(call: Call) -> Effect:
    call.key()
    call.skip_string()
    return _assign("system.assign_with_seed", call)


def _nonce_authority(name: str, kind: Kind, call: Call) -> Effect:
    """Read who may use the nonce account and take its lamports."""
    authority = call.key()
    (nonce,) = call.accounts(1)
    warning = f"gives {authority} authority over the nonce account {nonce}"
    return Effect(name, kind, warnings=(warning,), details={"account": nonce, "authority": authority})


def _advance_nonce(call: Call) -> Effect:
    (nonce,) = call.accounts(1)
    return Effect(ADVANCE_NONCE, Kind.MAINTENANCE, details={"nonce_account": nonce})


def _allocate_with_seed(call: Call) -> Effect:
    call.key()
    call.skip_string()
    call.u64()
    return _assign("system.allocate_with_seed", call)


def _create_account_allow_prefund(call: Call) -> Effect:
    """The payer is there only where something is paid."""
    amount = call.u64()
    call.u64()
    owner = call.key()
    created, *payers = call.accounts(2 if amount else 1)
    return _created("system.create_account_allow_prefund", created, owner, amount, payers[0] if payers else None)


_SYSTEM: Mapping[int, Read] = {
    0: _create_account,
    1: partial(_assign, "system.assign"),
    2: _transfer,
    3: _create_account_with_seed,
    4: _advance_nonce,
    5: _withdraw_nonce,
    6: partial(_nonce_authority, "system.initialize_nonce", Kind.ACCOUNT_CREATION),
    7: partial(_nonce_authority, "system.authorize_nonce", Kind.AUTHORITY_CHANGE),
    8: partial(plain, "system.allocate", 8),
    9: _allocate_with_seed,
    10: _assign_with_seed,
    11: _transfer_with_seed,
    12: partial(plain, "system.upgrade_nonce", 0),
    13: _create_account_allow_prefund,
}
