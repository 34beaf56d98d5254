"""Who reaches whom: all that the NetworkPolicies open together, beside all that must be open and nothing more.

Whoever reaches Ray's ports (GCS, dashboard, job API, the processes' own) runs code beside the keys. An installation may narrow addresses,
and name the namespaces in which DNS, the operator and Prometheus are.
"""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from kuberay.documents import Document, at, items
from kuberay.pods import Pod
from kuberay.release import Release

_APP = "crypto-wallets-service"
_RAY = ("head", "worker", "signer")
_EVERY_PORT, _EVERYBODY = "every port", "everybody"
_CLIENTS, _DNS, _OPERATOR, _PROMETHEUS, _PRIVATE = "clients", "DNS", "the operator", "Prometheus", "private addresses"
_NEIGHBOURS = {
    _DNS: {"k8s-app": "kube-dns"},
    _OPERATOR: {"app.kubernetes.io/name": "kuberay-operator"},
    _PROMETHEUS: {"app.kubernetes.io/name": "prometheus"},
}
_OF_CLIENTS = {"namespaceSelector": {"matchLabels": {"crypto-wallets/client": "true"}}}
_URL = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>[^/:]+)(?::(?P<port>[0-9]+))?(?:/|$)")
_PRIVATE_IPV4 = tuple(ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")


@dataclass(frozen=True, slots=True, order=True)
class _Opening:
    """What may come from, or go to somebody; the port has its protocol."""

    direction: str
    whom: str
    port: str

    def __str__(self) -> str:
        return f"{self.port} {self.direction} {self.whom}"


@dataclass(frozen=True, slots=True)
class _Due:
    """What must be open for the pods of some components."""

    components: tuple[str, ...]
    direction: str
    whom: tuple[str, ...]
    ports: tuple[object, ...]

    def openings(self) -> Iterator[_Opening]:
        for whom in self.whom:
            yield from (_Opening(self.direction, whom, _numbered(port)) for port in self.ports)


def _due(release: Release) -> Sequence[_Due]:
    """Everything that must be open; nothing else may be."""
    http, grpc = (at(release.serve, f"{name}_options", "port") for name in ("http", "grpc"))
    ray = tuple(sorted({pod.component for pod in release.pods} & set(_RAY)))
    gcs, vault = _ports_told(release)
    return (
        _Due((*_RAY, "migration"), "to", (_DNS,), ("53/UDP", "53/TCP")),
        _Due(_RAY, "from", ray, (_EVERY_PORT,)),
        _Due(_RAY, "to", ray, (_EVERY_PORT,)),
        _Due(("head", "worker"), "from", (_CLIENTS,), (http, grpc)),
        _Due(("head",), "from", (_OPERATOR,), (8265, http)),
        _Due(_RAY, "from", (_PROMETHEUS,), (8080, 9101, 44217, 44227, 30000)),
        _Due(("head",), "to", (_PRIVATE,), (gcs, 5432, 443, 6443)),
        _Due(("worker",), "to", (_PRIVATE,), (6379,)),
        _Due((release.keepers,), "to", (_PRIVATE,), (5432, vault, 6379)),
        _Due(("migration",), "to", (_PRIVATE,), (5432,)),
    )


def _ports_told(release: Release) -> tuple[int, int]:
    """Return the ports of GCS' Redis and of Vault, which manifests tell; those of the other Redis and of PostgreSQL are in Secrets."""
    told = dict(chain.from_iterable(release.environment(group.ray).items() for group in release.workers))
    redis = at(release.cluster, "gcsFaultToleranceOptions", "redisAddress")
    return _port_behind(str(redis), 6379), _port_behind(told.get("APP__VAULT__ADDRESS", ""), 8200)


def _port_behind(address: str, usual: int) -> int:
    """Return the port that policies see: of a Service that of its pods, which is the usual one, and else that of the address."""
    match = _URL.match(address)
    if not match or "." not in match["host"] or ".svc" in match["host"]:
        return usual
    return int(match["port"] or {"http": 80, "https": 443}.get(match["scheme"], usual))


def network(release: Release) -> Iterator[str]:
    """The pods are closed, but for what must be open."""
    due = _due(release)
    for pod in release.pods:
        wanted = {opening for each in due if pod.component in each.components for opening in each.openings()}
        found = _opened(release, pod)
        for opening in sorted(found.keys() - wanted):
            yield f"{pod.name}: {found[opening]} opens {opening}, where nobody has business; take it out, or narrow it"
        yield from (f"{pod.name}: no NetworkPolicy opens {opening}, which is needed; add it" for opening in sorted(wanted - found.keys()))


def _opened(release: Release, pod: Pod) -> Mapping[_Opening, str]:
    """Add up what the policies open for a pod, each with the name of a policy that does."""
    found: dict[_Opening, str] = {}
    place = at(release.service, "metadata", "namespace")
    here = [each for each in release.of("NetworkPolicy") if at(each, "metadata", "namespace") == place]
    policies = [each for each in here if pod.is_selected(at(each, "spec", "podSelector"))]
    for kind, direction, side in (("Ingress", "from", "from"), ("Egress", "to", "to")):
        closing = [each for each in policies if kind in _kinds(each)]
        if not closing:
            found[_Opening(direction, _EVERYBODY, _EVERY_PORT)] = f"no NetworkPolicy of {kind} selects it, which"
        for policy in closing:
            for rule in items(policy, "spec", kind.lower()):
                for whom in chain.from_iterable(_whom(release, each) for each in rule.get(side) or [{}]):
                    ports = [_port(each) for each in items(rule, "ports")] or [_EVERY_PORT]
                    found |= {_Opening(direction, whom, port): f"NetworkPolicy {at(policy, 'metadata', 'name')}" for port in ports}
    return found


def _kinds(policy: Document) -> list[str]:
    return items(policy, "spec", "policyTypes") or (["Ingress", "Egress"] if at(policy, "spec", "egress") else ["Ingress"])


def _whom(release: Release, peer: Document) -> Iterator[str]:
    """Name whom a peer is: by a word of ours, if it is somebody who may have business here, or as it stands."""
    pods, namespaces = peer.get("podSelector"), at(peer, "namespaceSelector", "matchLabels") or {}
    if not peer:
        yield _EVERYBODY
    elif "ipBlock" in peer:
        cidr = str(at(peer, "ipBlock", "cidr"))
        yield _PRIVATE if _is_private(cidr) else cidr
    elif peer.keys() == {"podSelector"} and at(pods, "matchLabels", "app.kubernetes.io/name") == _APP:
        yield from sorted({pod.component for pod in release.pods if pod.is_selected(pods)})
    elif peer == _OF_CLIENTS:
        yield _CLIENTS
    else:
        named = peer.get("namespaceSelector") == {"matchLabels": {"kubernetes.io/metadata.name": next(iter(namespaces.values()), None)}}
        known = (name for name, labels in _NEIGHBOURS.items() if named and pods == {"matchLabels": labels})
        yield next(known, json.dumps(peer, sort_keys=True))


def _is_private(cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError:
        return False
    if isinstance(network, ipaddress.IPv6Network):
        return network.subnet_of(_PRIVATE_IPV6)
    return any(network.subnet_of(each) for each in _PRIVATE_IPV4)


def _port(port: Document) -> str:
    last = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port.get('port', _EVERY_PORT)}{last}/{port.get('protocol', 'TCP')}"


def _numbered(port: object) -> str:
    return f"{port}/TCP" if isinstance(port, int) else str(port)
