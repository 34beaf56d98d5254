"""What is still signed, and how soon are others refused, when two and three times as many requests come as the service can answer?

They come at random times, as in the open loop, whatever becomes of those before: nobody waits for an answer before asking again.
"""

from benchmarks import closed_loop
from benchmarks.session import Session

QUESTION = "overload"
TIMES = (1, 2, 3)

_NETWORK = "eth"


def measure(session: Session) -> None:
    """Send the service what it can just answer, twice and three times that, in turns.

    Where the knee is not known yet, the closed loop is asked first.
    """
    if closed_loop.QUESTION not in session.results.questions:
        closed_loop.measure(session)
    service = session.house.service
    requests = session.sign_requests(service, _NETWORK)
    knee = closed_loop.knee(session, service, _NETWORK)
    for number in range(session.scale.rounds):
        for times in TIMES:
            case = {"target": service.name, "load": f"{times} times the knee"}
            session.opened(QUESTION, case, service, requests, per_second=knee * times, seed=number)
