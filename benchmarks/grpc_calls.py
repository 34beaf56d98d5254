"""What do single calls and streams over gRPC cost, beside single calls and batches over HTTP that do the same?"""

from pathlib import Path

from benchmarks import wallet
from benchmarks.house import Target
from benchmarks.session import USUAL_CONNECTIONS, Session

QUESTION = "grpc"
BATCH = 100

_NETWORK = "eth"
_STREAMS = 4
"""As many connections as the batches over HTTP have."""


def measure(session: Session) -> None:
    """Ask the service in each of the four ways in turn; figures are of signatures, not of requests."""
    target = session.house.service
    single, batches = session.sign_requests(target, _NETWORK), _batches(session, target)
    calls = _transactions(session, target)
    session.warm_up(target, single)
    session.tell(QUESTION)
    for _ in range(session.scale.rounds):
        for size, over_http, connections in ((1, single, USUAL_CONNECTIONS), (BATCH, batches, _STREAMS)):
            case = {"network": _NETWORK, "batch": str(size), "connections": str(connections)}
            session.closed(QUESTION, {"over": "HTTP", **case}, target, over_http, connections=connections, work=size)
            session.called(QUESTION, {"over": "gRPC", **case}, target, calls, connections=connections, work=size)


def _batches(session: Session, target: Target) -> Path:
    items = wallet.sign_bodies(_NETWORK)
    bodies = [f'{{"items": [{", ".join(items[start : start + BATCH])}]}}' for start in range(0, 4 * BATCH, BATCH)]
    return session.requests(target, f"batches of {BATCH} beside gRPC", f"/api/v1/wallets/{wallet.import_wallet(target)}/sign-batch", bodies)


def _transactions(session: Session, target: Target) -> Path:
    """Write the file that the generator reads, which shows the key as those for HTTP do."""
    file = session.house.folder / "grpc.requests"
    texts = [each.hex() for each in wallet.transactions(_NETWORK)]
    file.touch(mode=0o600)
    file.write_text("\n".join([target.api_key, wallet.import_wallet(target), *texts]) + "\n")
    return file
