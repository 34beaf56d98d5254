"""How many transactions are signed a second in batches of 1, 10, 100 and 1,000, and what does each signature cost then?"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import wallet
from benchmarks.house import Target
from benchmarks.session import Session

QUESTION = "batches"
SIZES = (1, 10, 100, 1_000)

_NETWORK = "eth"
_CONNECTIONS = 4
"""More would have several batches wait in the replica: what is asked is what one costs."""
_BATCHES = 4
"""Different batches that are sent in turn."""


def measure(session: Session) -> None:
    """Give each target its turn with every size; figures are of signatures, not of requests."""
    asked = {(target.name, size): requests(session, target, size) for target in session.yardsticks for size in SIZES}
    for target in session.yardsticks:
        session.warm_up(target, asked[target.name, 1])
    for size in SIZES:
        session.tell(f"{QUESTION} of {size}")
        for _, target in session.interleaved(session.yardsticks):
            case = {"target": target.name, "network": _NETWORK, "batch": str(size)}
            session.closed(QUESTION, case, target, asked[target.name, size], connections=_CONNECTIONS, work=size)


def bodies(size: int) -> Sequence[str]:
    """Return what is posted to have batches of so many transactions signed."""
    items = wallet.sign_bodies(_NETWORK)
    return [f'{{"items": [{", ".join(items[start : start + size])}]}}' for start in range(0, _BATCHES * size, size)]


def requests(session: Session, target: Target, size: int) -> Path:
    """Write a file of requests that each have so many transactions signed."""
    path = f"/api/v1/wallets/{wallet.import_wallet(target)}/sign-batch"
    return session.requests(target, f"batches of {size}", path, bodies(size))
