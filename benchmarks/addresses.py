"""What do addresses cost over HTTP, derived for the first time and from the cache, and what does a new wallet cost?"""

from pathlib import Path

from benchmarks import wallet
from benchmarks.house import Target
from benchmarks.session import USUAL_CONNECTIONS, Session

QUESTION = "addresses and wallets"
CACHED, COLD, CREATION = "cached address", "cold address", "new wallet"

_NETWORK = "eth"


def measure(session: Session) -> None:
    """Give each target its turn at each."""
    for name in (CACHED, COLD, CREATION):
        session.tell(f"{QUESTION}: {name}")
        for number, target in session.interleaved(session.yardsticks):
            case = {"target": target.name, "request": name, "connections": str(USUAL_CONNECTIONS)}
            session.closed(QUESTION, case, target, _requests(session, target, name, number), connections=USUAL_CONNECTIONS)


def _requests(session: Session, target: Target, name: str, number: int) -> Path:
    """Write the requests of one run. A wallet of its own is unlocked by asking for its address; its others were never derived."""
    if name == CREATION:
        return session.requests(target, name, "/api/v1/wallets", ['{"label": "benchmark"}'])
    path = f"/api/v1/wallets/{wallet.import_wallet(target)}/address/{_NETWORK}"
    target.client.fetch(path)
    return session.requests(target, f"{name} {number}", f"{path}?index={'0' if name == CACHED else '%d'}")
