"""Say what is wrong with a transaction, and where."""

from typing import NoReturn

from wallets.errors import MalformedTransactionError


def refuse(name: str, offset: int, reason: str) -> NoReturn:
    """Raise `MalformedTransactionError` for the field `name` at byte `offset` of the input."""
    msg = f"{name} at byte {offset}: {reason}"
    raise MalformedTransactionError(msg)
