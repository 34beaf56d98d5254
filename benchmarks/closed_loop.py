"""How many transactions are signed a second over HTTP, by the service and by bare uvicorn, on 1 to 128 connections, on each network?"""

from statistics import median

from benchmarks.house import Target
from benchmarks.results import Case
from benchmarks.session import THROUGHPUT, Session

QUESTION = "closed loop"


def measure(session: Session) -> None:
    """Warm up, then give each target its turn on every number of connections."""
    for network, connections in session.scale.networks.items():
        session.tell(f"{QUESTION}: {network}")
        requests = {target.name: session.sign_requests(target, network) for target in session.yardsticks}
        for target in session.yardsticks:
            session.warm_up(target, requests[target.name])
        for count in connections:
            for _, target in session.interleaved(session.yardsticks):
                session.closed(QUESTION, case(target, network, count), target, requests[target.name], connections=count)


def case(target: Target, network: str, connections: int) -> Case:
    """Name what was measured."""
    return {"target": target.name, "network": network, "connections": str(connections)}


def knee(session: Session, target: Target, network: str) -> float:
    """Return the most requests a second that a target answered: the largest median over the numbers of connections."""
    series = [
        each for each in session.results.all(QUESTION, THROUGHPUT) if (each.case["target"], each.case["network"]) == (target.name, network)
    ]
    return max((median(each.samples) for each in series), default=0.0)
