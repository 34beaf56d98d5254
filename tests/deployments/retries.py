"""What tests of repeated requests send."""

import httpx
import rlp

from tests.known_phrase import PHRASE

UNLIMITED = {
    "APP__SERVER__RATE_LIMIT__ENABLED": "false",
    "APP__SIGNING__NONCE_GUARD": "true",
    "APP__DATABASE__POOL_SIZE": "10",
    "APP__DATABASE__ACQUIRE_TIMEOUT_SECS": "20",
}
"""Settings of replicas that guard nonces, and wait for a busy machine."""


async def wallet_path(client: httpx.AsyncClient) -> str:
    """Import the known phrase, and return the wallet's path."""
    answer = await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE})
    return f"/api/v1/wallets/{answer.raise_for_status().json()['id']}"


def unsigned(nonce: int, value: int, *, replaces: bool = False) -> dict[str, object]:
    """Return the body of a request to sign a transaction."""
    raw: bytes = rlp.encode([nonce, 10**9, 21_000, b"\x35" * 20, value, b"", 1, 0, 0])
    return {"network": "eth", "index": 0, "unsigned_tx": raw.hex()} | ({"replace": True} if replaces else {})
