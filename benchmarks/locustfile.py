"""Sign from Locust, for those who know it, against a service that runs: not part of `make bench`, whose generators cost far less.

    pip install locust
    CRYPTO_WALLETS_KEY=... locust --locustfile benchmarks/locustfile.py --host http://127.0.0.1:3000

The service's limit of requests (`APP__SERVER__RATE_LIMIT__*`) must allow what is asked.
"""

import os
from itertools import cycle
from typing import ClassVar

from locust import FastHttpUser, constant

from benchmarks import wallet

_TRANSACTIONS = cycle(wallet.transactions("eth"))


def sign(user: "Signer") -> None:
    """Sign one transfer."""
    body = {"network": "eth", "index": 0, "unsigned_tx": next(_TRANSACTIONS).hex()}
    user.client.post(f"{user.path}/sign", json=body, name="/sign")


def address(user: "Signer") -> None:
    """Ask for the address that signs."""
    user.client.get(f"{user.path}/address/eth", name="/address")


class Signer(FastHttpUser):  # type: ignore[misc]  # mypy runs where locust is not installed: its class is Any
    """Somebody who imports a wallet, then signs with it as fast as answers come; now and then asks for an address."""

    wait_time = constant(0)
    default_headers: ClassVar = {"X-Api-Key": os.environ.get("CRYPTO_WALLETS_KEY", "")}
    tasks: ClassVar = {sign: 10, address: 1}
    path = ""

    def on_start(self) -> None:
        """Import the wallet."""
        answer = self.client.post("/api/v1/wallets/import", json={"label": "locust", "mnemonic": wallet.WORDS})
        self.path = f"/api/v1/wallets/{answer.json()['id']}"
