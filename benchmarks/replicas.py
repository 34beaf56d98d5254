"""What does a second replica add, and what is HAProxy worth beside Ray Serve's own Python proxy?

Each variant is a service of its own on the same servers, with a name, settings and the program that starts it: another topology or
number of replicas is one more line.
"""

from contextlib import ExitStack

from benchmarks.session import USUAL_CONNECTIONS, Session

QUESTION = "replicas and proxies"

_NETWORK = "eth"
_CONNECTIONS = (USUAL_CONNECTIONS, 128)
_TWO = {"APP__REPLICAS__MIN": "2", "APP__REPLICAS__MAX": "2"}
_PYTHON_PROXY = ("-m", "benchmarks.python_proxy")


def measure(session: Session) -> None:
    """Give the service and each variant its turn. One after the other they are warmed up on all connections, so that each replica is."""
    with ExitStack() as stack:
        two = stack.enter_context(session.house.another("two replicas", _TWO))
        python_proxy = stack.enter_context(session.house.another("Python proxy", {}, _PYTHON_PROXY))
        targets = (session.house.service, two, python_proxy)
        requests = {target.name: session.sign_requests(target, _NETWORK) for target in targets}
        for target in targets:
            session.warm_up(target, requests[target.name])
        for connections in _CONNECTIONS:
            for _, target in session.interleaved(targets):
                case = {"target": target.name, "connections": str(connections)}
                session.closed(QUESTION, case, target, requests[target.name], connections=connections)
