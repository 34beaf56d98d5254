"""Say what the System program's instructions do. Layouts: `solana-system-interface` (bincode: a uint32 tag), little-endian."""

from collections.abc import Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read, plain, tagged
from wallets.model import Transfer

SYSTEM = "11111111111111111111111111111111"


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


def _created(name: str, created: str, owner: str, amount: int, payer: str) -> Effect:
    """An account of the System program obeys its own key; any other program does with it what it is written to do."""
    warnings = () if owner == SYSTEM else (f"the new account {created} belongs to the program {owner}",)
    details = {"account": created, "owner": owner}
    return Effect(name, Kind.ACCOUNT_CREATION, (Transfer(created, amount),), payer, warnings, details)


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
    warning = f"uses the durable nonce of {nonce}: it does not expire until that advances"
    return Effect("system.advance_nonce", Kind.MAINTENANCE, warnings=(warning,))


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
    10: _assign_with_seed,
    11: _transfer_with_seed,
}
