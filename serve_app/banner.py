"""Write what a person needs when the service is ready: where it is, its key, and calls to paste."""

import json
from collections.abc import Mapping

from serve_app.samples import sample
from wallets.chains import CHAINS

_NETWORK = "eth"
_RECIPIENT = "0x3535353535353535353535353535353535353535"
"""The recipient of EIP-155's example."""


def banner(facts: Mapping[str, str], api_key: str | None, *, seconds: float) -> str:
    """Return the text: URLs, key, one curl command for each main call, where the logs are, how to stop."""
    url = facts["url"]
    places = {
        "API": f"{url}/api/v1",
        "gRPC": f"{facts['grpc']}  (crypto_wallet.v1, crypto_wallet.v2)",
        "documentation": f"{url}/swagger-ui",
        "metrics": f"{url}/metrics",
        "API key": f"{api_key or 'none is needed'}{'  (' + facts['api_key_file'] + ')' if 'api_key_file' in facts else ''}",
        "data": facts["folder"],
        "logs": facts["logs"],
    }
    width = max(map(len, places))
    lines = [f"crypto-wallets is ready at {url} (after {seconds:.1f} s)", ""]
    lines += [f"  {name:<{width}}  {place}" for name, place in places.items()]
    lines += ["", "Try it; the second and the third want the id that the first one answers with:", ""]
    lines += [f"  {command}" for command in _commands(url, api_key)]
    lines += ["", "Ctrl-C ends it. `crypto-wallets status` shows how it is, `crypto-wallets demo` signs on every network."]
    return "\n".join(lines)


def _commands(url: str, api_key: str | None) -> list[str]:
    head = "curl -sS" + (f" -H 'X-Api-Key: {api_key}'" if api_key else "")
    unsigned = sample(CHAINS[_NETWORK], "", _RECIPIENT)
    sign = {"network": _NETWORK, "index": 0, "unsigned_tx": f"0x{unsigned.hex()}"}
    post = f"{head} -H 'Content-Type: application/json'"
    return [
        f"{post} {url}/api/v1/wallets -d '{json.dumps({'label': 'first wallet'})}'",
        f'{head} "{url}/api/v1/wallets/$ID/address/{_NETWORK}?index=0"',
        f"{post} {url}/api/v1/wallets/$ID/sign -d '{json.dumps(sign)}'",
        f'{head} "{url}/api/v1/wallets?page=1&per_page=20"',
    ]
