"""Say what contract calls do that people sign, in the terms of an intent; EVM networks and Tron share them.

A table of our own of methods in wide use. What is in it is read if it is written in the one encoding of the Solidity ABI; everything else
is told by its selector, with a warning.
"""

from collections.abc import Callable
from dataclasses import replace

from wallets.chains.contract_calls.abi import AbiError, AbiReader, AbiType, parse_method
from wallets.chains.contract_calls.batches import BATCH_METHODS
from wallets.chains.contract_calls.meaning import MAX_TRANSFERS, AddressForm, Call, CallMeaning
from wallets.chains.contract_calls.tokens import TOKEN_METHODS
from wallets.hashes import keccak256

MAX_INNER_CALLS = 256
"""Calls inside of one call that are read, all together."""
MAX_DEPTH = 4
"""Calls in each other that are read."""
MAX_DETAILS = 100
"""What is shown of one call, as `MAX_TRANSFERS` are."""

Meaning = Callable[..., CallMeaning]

_METHODS: dict[bytes, tuple[str, AbiType, Meaning]] = {
    keccak256(method.encode())[:4]: (method, parse_method(method), meaning)
    for table in (TOKEN_METHODS, BATCH_METHODS)
    for method, meaning in table.items()
}


def read_call(data: bytes, contract: str, form: AddressForm) -> CallMeaning:
    """Say what call data, which is not empty, does when sent to `contract`, whose address is a text of this form."""
    meaning = _CallReader(form).read(data, contract, 0)
    if len(meaning.transfers) + meaning.more_transfers <= MAX_TRANSFERS and len(meaning.details) <= MAX_DETAILS:
        return meaning
    return _shortened(meaning)


def _shortened(meaning: CallMeaning) -> CallMeaning:
    details = dict(list(meaning.details.items())[:MAX_DETAILS])
    warnings = meaning.warnings
    more = len(meaning.transfers) + meaning.more_transfers - MAX_TRANSFERS
    if more > 0:
        details["more_transfers"] = more
        warnings = (f"{more} more transfers than are shown", *warnings)
    return replace(meaning, transfers=meaning.transfers[:MAX_TRANSFERS], details=details, warnings=warnings)


class _CallReader:
    """Read one call and those inside of it. See `wallets.chains.contract_calls.meaning.Reader`."""

    def __init__(self, form: AddressForm) -> None:
        self.text = form.text
        self._address_heads = form.heads
        self._left = MAX_INNER_CALLS

    def inner(self, contract: str, data: bytes, depth: int) -> CallMeaning | None:
        """Read a call inside of another; None where there are too many, or too deep in each other."""
        if not self._left or depth > MAX_DEPTH:
            return None
        self._left -= 1
        return self.read(data, contract, depth)

    def read(self, data: bytes, contract: str, depth: int) -> CallMeaning:
        """Read a call."""
        selector = data[:4]
        unread: dict[str, str | int] = {"selector": "0x" + selector.hex(), "data_bytes": len(data)}
        if selector not in _METHODS:
            warning = "blind call: the call data is of no kind that is read here"
            return CallMeaning("contract_call", details=unread, warnings=(warning,))
        method, arguments, meaning = _METHODS[selector]
        try:
            values = AbiReader(data[4:], self._address_heads).arguments(arguments)
            return meaning(Call(method, contract, depth, self), *values)
        except AbiError:
            warning = f"blind call: the call data starts like {method} but does not have its shape"
            return CallMeaning("contract_call", details=unread, warnings=(warning,))
