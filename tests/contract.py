"""What the service answers, whichever way it is asked: one table for HTTP and gRPC (`tests.doors`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from api.schemas import EXAMPLE_TYPED_DATA
from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE

ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
"""The first Ethereum account of the known phrase (BIP-44)."""

WALLET = object()
"""Stands for the id of the known phrase's wallet."""

NO_KEY = "no key"
WRONG_KEY = "another key"


@dataclass(frozen=True)
class Case:
    """A call, and what it is answered with: the name of a problem, or what the content has among other things."""

    name: str
    call: str
    fields: Mapping[str, Any]
    answer: str | Mapping[str, Any]
    key: str = ""

    def fields_for(self, wallet_id: str) -> dict[str, Any]:
        """Return the fields, with the id of the known wallet."""
        return {name: wallet_id if value is WALLET else value for name, value in self.fields.items()}


def _account(**changes: Any) -> dict[str, Any]:
    return {"wallet_id": WALLET, "network": "eth", "index": 0, **changes}


def _sign(**changes: Any) -> dict[str, Any]:
    return _account(unsigned_tx=EIP_155_EXAMPLE, **changes)


_TYPED = {**EXAMPLE_TYPED_DATA}

CASES = [
    Case("create", "CreateWallet", {"label": "a"}, {"label": "a", "scheme": "standard"}),
    Case("create with 24 words", "CreateWallet", {"label": "b", "mnemonic_length": 24}, {"label": "b"}),
    Case("create without a label", "CreateWallet", {"label": ""}, "unprocessable-request"),
    Case("create with a label that cannot be shown", "CreateWallet", {"label": "a\nb"}, "unprocessable-request"),
    Case("create with 13 words", "CreateWallet", {"label": "a", "mnemonic_length": 13}, "unprocessable-request"),
    Case("import", "ImportWallet", {"label": "a", "mnemonic": PHRASE, "scheme": "v1_0_8"}, {"scheme": "v1_0_8"}),
    Case("import no phrase", "ImportWallet", {"label": "a", "mnemonic": "abandon ability"}, "invalid-mnemonic"),
    Case("import by an unknown scheme", "ImportWallet", {"label": "a", "mnemonic": PHRASE, "scheme": "x"}, "unprocessable-request"),
    Case("get", "GetWallet", {"wallet_id": WALLET}, {"label": "known"}),
    Case("get an unknown wallet", "GetWallet", {"wallet_id": str(uuid4())}, "wallet-not-found"),
    Case("get what is no id", "GetWallet", {"wallet_id": "7"}, "unprocessable-request"),
    Case("list", "ListWallets", {"page": 1, "per_page": 1}, {"page": 1, "per_page": 1}),
    Case("list by cursor", "ListWallets", {"cursor": "", "per_page": 1}, {"per_page": 1}),
    Case("list page 0", "ListWallets", {"page": 0}, "unprocessable-request"),
    Case("list by what is no cursor", "ListWallets", {"cursor": "abc"}, "unprocessable-request"),
    Case("list too many", "ListWallets", {"per_page": 101}, "unprocessable-request"),
    Case("address", "GetAddress", _account(), {"address": ADDRESS}),
    Case("address of a kind", "GetAddress", _account(network="btc", variant="taproot"), {"variant": "taproot"}),
    Case("address with forms", "GetAddress", _account(network="ton"), {"variant": "v4r2"}),
    Case("address of no kind", "GetAddress", _account(network="btc", variant="mail"), "invalid-request"),
    Case("address beyond the last index", "GetAddress", _account(index=2**31), "unprocessable-request"),
    Case("address on an unknown network", "GetAddress", _account(network="nowhere"), "unsupported-network"),
    Case("address of an unknown wallet", "GetAddress", _account(wallet_id=str(uuid4())), "wallet-not-found"),
    Case("find", "FindAddress", {"address": ADDRESS}, {"address": ADDRESS}),
    Case("find an unknown address", "FindAddress", {"address": "0x" + "77" * 20}, "address-not-found"),
    Case("sign", "SignTransaction", _sign(), {"from": ADDRESS, "network": "eth"}),
    Case("sign with 0x", "SignTransaction", _sign() | {"unsigned_tx": f"0x{EIP_155_EXAMPLE}"}, {"from": ADDRESS}),
    Case("sign what is malformed", "SignTransaction", _sign() | {"unsigned_tx": "ff"}, "malformed-transaction"),
    Case("sign what is no hex", "SignTransaction", _sign() | {"unsigned_tx": "hello"}, "malformed-transaction"),
    Case("sign nothing", "SignTransaction", _account(), "unprocessable-request"),
    Case("sign another chain's", "SignTransaction", _sign(network="bsc"), "malformed-transaction"),
    Case("sign on an unknown network", "SignTransaction", _sign(network="nowhere"), "unsupported-network"),
    Case("sign with an unknown wallet", "SignTransaction", _sign(wallet_id=str(uuid4())), "wallet-not-found"),
    Case("sign a text", "SignMessage", _account(message="hello"), {"from": ADDRESS}),
    Case("sign bytes", "SignMessage", _account(message_hex="0xdeadbeef"), {"from": ADDRESS}),
    Case("sign no message", "SignMessage", _account(), "unprocessable-request"),
    Case("sign a text in a format", "SignMessage", _account(network="btc", message="hello", format="bip322"), {"network": "btc"}),
    Case("sign a text in an unknown format", "SignMessage", _account(network="btc", message="hello", format="x"), "unsupported-message"),
    Case("sign a text in no format", "SignMessage", _account(message="hello", format="a\nb"), "unprocessable-request"),
    Case("sign typed data", "SignTypedData", _account(typed_data=_TYPED), {"from": ADDRESS}),
    Case("sign typed data of no type", "SignTypedData", _account(typed_data={"types": {}}), "malformed-message"),
    Case("inspect", "InspectTransaction", {"network": "eth", "unsigned_tx": EIP_155_EXAMPLE}, {}),
    Case("inspect what is malformed", "InspectTransaction", {"network": "eth", "unsigned_tx": "ff"}, "malformed-transaction"),
    Case("lock", "LockKeyring", {}, {}),
    Case("without a key", "SignTransaction", _sign(), "authentication-required", NO_KEY),
    Case("with another key", "SignTransaction", _sign(), "authentication-required", WRONG_KEY),
]
