"""How long does a signature take when requests come at random times, at 25 to 90 % of what the target can do?

Each target is asked at fractions of its own knee, which the closed loop has found.
"""

from benchmarks import closed_loop
from benchmarks.session import Session

QUESTION = "open loop"
FRACTIONS = (25, 50, 75, 90)

_NETWORK = "eth"


def measure(session: Session) -> None:
    """Give each target its turn at every rate; in one round all get the same times, and in each round others.

    Where the knee is not known yet, the closed loop is asked first.
    """
    if closed_loop.QUESTION not in session.results.questions:
        closed_loop.measure(session)
    requests = {target.name: session.sign_requests(target, _NETWORK) for target in session.yardsticks}
    for percent in FRACTIONS:
        for number, target in session.interleaved(session.yardsticks):
            per_second = closed_loop.knee(session, target, _NETWORK) * percent / 100
            case = {"target": target.name, "load": f"{percent} %"}
            session.opened(QUESTION, case, target, requests[target.name], per_second=per_second, seed=number)
