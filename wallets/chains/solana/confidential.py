"""Say what Token-2022's instructions for encrypted amounts do: whom they pay, and that how much is hidden.

Layouts: `spl-token-2022-interface`, the extensions `confidential_transfer`, `confidential_transfer_fee` and `confidential_mint_burn`.
Amounts and balances are encrypted for their owners, and proven to be right by other instructions or in accounts that these made before:
nobody who signs can read them out of the transaction.
"""

from collections.abc import Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read

_DECRYPTABLE = 36
"""Bytes of a balance that its owner decrypts (AES-GCM-SIV)."""
_ENCRYPTED = 64
"""Bytes of an amount that is added to others while it is encrypted (ElGamal on Ristretto)."""
_HIDDEN = _DECRYPTABLE + 2 * _ENCRYPTED
"""What stands for a hidden amount: the new balance, and both halves of the amount for the auditor."""


def hidden_burn(name: str, authorities: int, call: Call) -> Effect:
    """Read the burning of a hidden amount, to which so many authorities behind the proofs agree."""
    call.data.take(_HIDDEN)
    source, mint, *_ = call.accounts(2 + _proof_accounts(call, 3) + authorities)
    warning = f"burns an amount of {mint} in {source} that is encrypted: it cannot be shown"
    return Effect(f"token_2022.{name}", Kind.TOKEN_BURN, warnings=(warning,), details={"account": source, "mint": mint})


def _proof_accounts(call: Call, count: int) -> int:
    """Read where each proof is, and return how many accounts that takes at least.

    A proof is so many instructions away, all of which need one account together; or at 0, in an account of its own. An instruction that
    takes its proof from a record needs one more, of which nothing is said here: so nobody can tell who stands behind the proofs.
    """
    places = call.data.take(count)
    return places.count(0) + any(places)


def _transfer(name: str, proofs: int, call: Call) -> Effect:
    call.data.take(_HIDDEN)
    source, mint, target, *_ = call.accounts(3 + _proof_accounts(call, proofs) + 1)
    warning = f"moves an amount of {mint} from {source} to {target} that is encrypted: it cannot be shown"
    details = {"account": source, "mint": mint, "destination": target}
    return Effect(f"token_2022.{name}", Kind.TOKEN_TRANSFER, warnings=(warning,), details=details)


def _mint(call: Call) -> Effect:
    call.data.take(_HIDDEN)
    target, mint, *_ = call.accounts(2 + _proof_accounts(call, 3) + 1)
    warning = f"mints an amount of {mint} to {target} that is encrypted: it cannot be shown"
    details = {"mint": mint, "destination": target}
    return Effect("token_2022.confidential_mint", Kind.TOKEN_MINT, warnings=(warning,), details=details)


def _deposit(call: Call) -> Effect:
    amount, _ = call.u64(), call.data.u8()
    return _within("confidential_deposit", "encrypts", amount, call, 0)


def _withdraw(call: Call) -> Effect:
    amount, _ = call.u64(), call.data.u8()
    call.data.take(_DECRYPTABLE)
    return _within("confidential_withdraw", "decrypts", amount, call, _proof_accounts(call, 2))


def _within(name: str, does: str, amount: int, call: Call, proof_accounts: int) -> Effect:
    """Show what stays in its account, and is there in another form."""
    account, mint, *_ = call.accounts(2 + proof_accounts + 1)
    details = {"account": account, "mint": mint, "amount": str(amount)}
    return Effect(f"token_2022.{name}", Kind.MAINTENANCE, warnings=(f"{does} {amount} base units of {mint} in {account}",), details=details)


def _own(name: str, data_bytes: int, proofs: int, others: int, call: Call) -> Effect:
    """Read what an account's owner does to it alone; `others` accounts stand between it and the proofs."""
    call.data.take(data_bytes)
    account, *_ = call.accounts(1 + others + _proof_accounts(call, proofs) + 1)
    return Effect(f"token_2022.{name}", Kind.MAINTENANCE, details={"account": account})


def _switch(name: str, what: str, call: Call) -> Effect:
    subject, _ = call.accounts(2)
    return Effect(f"token_2022.{name}", Kind.AUTHORITY_CHANGE, warnings=(f"{what} {subject}",), details={"account": subject})


def _with_registry(call: Call) -> Effect:
    account, mint, registry = call.accounts(3)
    details = {"account": account, "mint": mint, "registry": registry}
    return Effect("token_2022.configure_confidential_account_with_registry", Kind.MAINTENANCE, details=details)


def _approve(call: Call) -> Effect:
    account, mint, _ = call.accounts(3)
    warning = f"approves that {account} holds encrypted amounts of {mint}"
    return Effect("token_2022.approve_confidential_account", Kind.AUTHORITY_CHANGE, warnings=(warning,), details={"account": account})


def _initialize_mint(call: Call) -> Effect:
    authority, details = call.key_unless_zero(), _mint_settings(call)
    (mint,) = call.accounts(1)
    return _power("initialize_confidential_transfer", mint, authority, "says who may hold encrypted amounts of", details)


def _update_mint(call: Call) -> Effect:
    details = _mint_settings(call)
    mint, _ = call.accounts(2)
    text = ", ".join(f"{key} {value}" for key, value in details.items())
    return Effect(
        "token_2022.update_confidential_transfer",
        Kind.AUTHORITY_CHANGE,
        warnings=(f"sets {text} for {mint}",),
        details={"account": mint, **details},
    )


def _mint_settings(call: Call) -> dict[str, str]:
    approves = call.is_there()
    return {"approves_new_accounts": "yes" if approves else "no", "auditor_key": call.key_unless_zero()}


def _initialize_fee(call: Call) -> Effect:
    authority, key = call.key_unless_zero(), call.key()
    (mint,) = call.accounts(1)
    return _power("initialize_confidential_fee", mint, authority, "withdraws encrypted fees of", {"fee_key": key})


def _initialize_supply(call: Call) -> Effect:
    key = call.key()
    call.data.take(_DECRYPTABLE)
    (mint,) = call.accounts(1)
    details = {"mint": mint, "supply_key": key}
    warning = f"the supply of {mint} is encrypted: only who has the key {key} can know it"
    return Effect("token_2022.initialize_confidential_mint_burn", Kind.AUTHORITY_CHANGE, warnings=(warning,), details=details)


def _rotate_supply(call: Call) -> Effect:
    key = call.key()
    mint, *_ = call.accounts(1 + _proof_accounts(call, 1) + 1)
    details = {"account": mint, "supply_key": key}
    warning = f"encrypts the supply of {mint} for the key {key}"
    return Effect("token_2022.rotate_supply_key", Kind.AUTHORITY_CHANGE, warnings=(warning,), details=details)


def _power(name: str, mint: str, authority: str, what: str, values: Mapping[str, str]) -> Effect:
    details = {"mint": mint, "authority": authority, **values}
    return Effect(f"token_2022.{name}", Kind.AUTHORITY_CHANGE, warnings=(f"{authority} {what} {mint}",), details=details)


def _withdraw_fees(name: str, data_bytes: int, call: Call) -> Effect:
    """The proof, and the new balance of who gets the fees, stand behind `data_bytes`."""
    call.data.take(data_bytes)
    mint, target, *_ = call.accounts(2 + _proof_accounts(call, 1) + 1)
    call.data.take(_DECRYPTABLE)
    warning = f"pays encrypted withheld fees of {mint} to {target}"
    details = {"mint": mint, "destination": target}
    return Effect(f"token_2022.{name}", Kind.TOKEN_TRANSFER, warnings=(warning,), details=details)


def _harvest_fees(call: Call) -> Effect:
    (mint,) = call.accounts(1)
    return Effect("token_2022.harvest_confidential_fees", Kind.MAINTENANCE, details={"mint": mint})


CONFIDENTIAL_TRANSFER: Mapping[int, Read] = {
    0: _initialize_mint,
    1: _update_mint,
    2: partial(_own, "configure_confidential_account", _DECRYPTABLE + 8, 1, 1),
    3: _approve,
    4: partial(_own, "empty_confidential_account", 0, 1, 0),
    5: _deposit,
    6: _withdraw,
    7: partial(_transfer, "confidential_transfer", 3),
    8: partial(_own, "apply_confidential_balance", 8 + _DECRYPTABLE, 0, 0),
    9: partial(_switch, "enable_confidential_credits", "lets encrypted amounts enter"),
    10: partial(_switch, "disable_confidential_credits", "lets no encrypted amounts enter"),
    11: partial(_switch, "enable_non_confidential_credits", "lets amounts that are not encrypted enter"),
    12: partial(_switch, "disable_non_confidential_credits", "lets only encrypted amounts enter"),
    13: partial(_transfer, "confidential_transfer_with_fee", 5),
    14: _with_registry,
}
CONFIDENTIAL_FEE: Mapping[int, Read] = {
    0: _initialize_fee,
    1: partial(_withdraw_fees, "withdraw_confidential_fees_from_mint", 0),
    2: partial(_withdraw_fees, "withdraw_confidential_fees_from_accounts", 1),
    3: _harvest_fees,
    4: partial(_switch, "enable_harvest_to_mint", "lets anybody gather encrypted fees in"),
    5: partial(_switch, "disable_harvest_to_mint", "lets nobody gather encrypted fees in"),
}
CONFIDENTIAL_MINT_BURN: Mapping[int, Read] = {
    0: _initialize_supply,
    1: _rotate_supply,
    2: partial(_own, "update_decryptable_supply", _DECRYPTABLE, 0, 0),
    3: _mint,
    4: partial(hidden_burn, "confidential_burn", 1),
    5: partial(_own, "apply_confidential_burn", 0, 0, 0),
}
