"""What do more replicas add, what does the isolated topology cost, and what is HAProxy worth beside Ray Serve's own Python proxy?

Each variant is a service of its own on the same servers, with a name, settings and the program that starts it. One at a time runs beside
the service that all questions are asked, with which it is compared: `beside` names it in the service's own samples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.house import UP
from benchmarks.session import Session

QUESTION = "topologies"

USUAL_CONNECTIONS = 64
"""On which topologies are always compared."""

_NETWORK = "eth"


@dataclass(frozen=True, slots=True)
class _Variant:
    name: str
    settings: Mapping[str, str]
    program: Sequence[str] = UP


def measure(session: Session) -> None:
    """Give the service and each variant its turn. Both are warmed up on all connections, so that each replica is."""
    for variant in _variants(session.scale.replicas):
        session.tell(f"{QUESTION}: {variant.name}")
        with session.house.another(variant.name, variant.settings, variant.program) as other:
            targets = (session.house.service, other)
            requests = {target.name: session.sign_requests(target, _NETWORK) for target in targets}
            for target in targets:
                session.warm_up(target, requests[target.name])
            for connections in session.scale.topology_connections:
                for _, target in session.interleaved(targets):
                    case = {"target": target.name, "beside": variant.name, "connections": str(connections)}
                    session.closed(QUESTION, case, target, requests[target.name], connections=connections)


def _variants(replicas: Sequence[int]) -> Iterator[_Variant]:
    yield _Variant("isolated", {"APP__TOPOLOGY": "isolated", "APP__SIGNERS__MAX": "1"})
    for count in replicas:
        yield _Variant(f"{count} replicas", {"APP__REPLICAS__MIN": str(count), "APP__REPLICAS__MAX": str(count)})
    yield _Variant("Python proxy", {}, ("-m", "benchmarks.python_proxy"))
