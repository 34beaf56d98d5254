"""Show the service at work: one wallet, an address and a signature on every network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serve_app.samples import sample
from serve_app.service_client import ServiceClient
from wallets.chains import CHAINS
from wallets.chains.base import Chain
from wallets.encoding import decimal


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed on one network: by which address, under which id, and what it does, in words."""

    network: str
    sender: str
    tx_id: str
    intent: str


def create_wallet(client: ServiceClient, label: str) -> str:
    """Create a wallet and return its id.

    Raises:
        ServiceError: The service does not.
    """
    return str(client.post("/api/v1/wallets", {"label": label})["id"])


def sign_everywhere(client: ServiceClient, wallet_id: str) -> Iterator[Signed]:
    """On each network, have the wallet's first account send one base unit to its second, and return what was signed, one by one.

    Raises:
        ServiceError: The service refuses one.
    """
    for chain in CHAINS.values():
        path = f"/api/v1/wallets/{wallet_id}"
        sender, recipient = (client.fetch(f"{path}/address/{chain.network}?index={index}")["address"] for index in (0, 1))
        unsigned = sample(chain, sender, recipient)
        answer = client.post(f"{path}/sign", {"network": chain.network, "index": 0, "unsigned_tx": unsigned.hex()})
        yield Signed(chain.network, answer["from"], answer.get("tx_id", ""), _in_words(chain, answer["intent"]))


def _in_words(chain: Chain, intent: dict[str, Any]) -> str:
    transfers = (f"{_amount(chain, transfer)} to {transfer['recipient']}" for transfer in intent["transfers"])
    fee = "" if intent["max_fee"] is None else f", fee at most {decimal(int(intent['max_fee']), chain.decimals)} {chain.symbol}"
    return f"{intent['kind']}: {', '.join(transfers)}{fee}"


def _amount(chain: Chain, transfer: dict[str, Any]) -> str:
    if transfer["asset"] != "native":
        return f"{transfer['amount']} of {transfer['asset']}"
    return f"{decimal(int(transfer['amount']), chain.decimals)} {chain.symbol}"
