"""Say what is particular to the transactions of a Safe: that it may run foreign code as its own, and may pay whoever sends one."""

from dataclasses import dataclass

DELEGATE_CALL = 1
"""The operation that runs the code of another contract as the Safe's own."""
DELEGATION = "runs the code of another contract as its own (delegatecall)"


@dataclass(frozen=True, slots=True)
class Refund:
    """What a Safe pays for the gas of its transaction (Safe, `handlePayment`).

    `price` is in base units of `token` for each of the gas; `token` and `receiver` are addresses as text, empty for the native asset and
    for whoever sends the transaction.
    """

    safe_gas: int
    base_gas: int
    price: int
    token: str
    receiver: str

    def details(self) -> dict[str, str | int]:
        """Return its parts that are not zero."""
        parts = {
            "safe_tx_gas": str(self.safe_gas or ""),
            "safe_base_gas": str(self.base_gas or ""),
            "safe_gas_price": str(self.price or ""),
            "safe_gas_token": self.token,
            "safe_refund_receiver": self.receiver,
        }
        return {name: text for name, text in parts.items() if text}

    def warnings(self) -> tuple[str, ...]:
        """Return whom it pays, if there is a price: for what was used, `safe_gas` and some more, and for `base_gas`, whatever that is."""
        if not self.price:
            return ()
        amount = (self.safe_gas + self.base_gas) * self.price
        return (
            f"may pay {amount} of {self.token or 'native'} and some more, as a refund of gas, to {self.receiver or 'whoever sends it'}",
        )
