"""Mistakes in the NetworkPolicies: doors that are left open, and doors that are shut to who must come in."""

from tests.kuberay.changes import Change, Mistake, add, both, drop, put, serve

_POLICY = "NetworkPolicy/wallets"
_ANY: dict[str, object] = {}
"""A selector of everything."""


def _found(name: str, says: str, make: Change, overlay: str = "production") -> Mistake:
    return Mistake(name, "network", says, make, overlay)


NETWORK = (
    # Shut.
    _found("no policy for clients", "opens 3000/TCP from clients", drop(f"{_POLICY}-clients")),
    _found("no gRPC for clients", "opens 3001/TCP from clients", drop(f"{_POLICY}-clients spec ingress 0 ports 1")),
    _found("Ray apart from itself", "opens every port from worker", drop(f"{_POLICY}-ray")),
    _found("signers apart from Ray", "opens every port from signer", put(f"{_POLICY}-ray spec ingress", []), "isolated"),
    _found("a head without Redis", "group headgroup: no NetworkPolicy opens 6379/TCP to private", drop(f"{_POLICY}-head")),
    _found("no operator", "opens 8265/TCP from the operator", drop(f"{_POLICY}-operator")),
    _found("no metrics", "opens 8080/TCP from Prometheus", drop(f"{_POLICY}-prometheus")),
    _found("no migration", "opens 5432/TCP to private addresses", drop(f"{_POLICY}-migration")),
    _found("no DNS", "opens 53/UDP to DNS", put(f"{_POLICY}-closed spec egress", [])),
    _found("DNS over UDP alone", "opens 53/TCP to DNS", drop(f"{_POLICY}-closed spec egress 0 ports 1")),
    _found("Vault closed", "opens 8200/TCP to private", drop(f"{_POLICY}-custody")),
    _found(
        "Vault elsewhere",
        "opens 443/TCP to private",
        put("ConfigMap/wallets-custody-settings data APP__VAULT__ADDRESS", "https://vault.example.com"),
    ),
    _found(
        "GCS' Redis elsewhere",
        "opens 6380/TCP to private",
        put("RayService/wallets spec rayClusterConfig gcsFaultToleranceOptions redisAddress", "rediss://gcs.example.com:6380"),
    ),
    _found("clients on a port of before", "opens 8000/TCP from clients", serve("http_options port", 8000)),
    _found("a policy in another namespace", "opens 3000/TCP from clients", put(f"{_POLICY}-clients metadata namespace", "default")),
    # Open.
    _found("open pods", "no NetworkPolicy of Ingress selects it", drop(f"{_POLICY}-closed")),
    _found("closed in one direction", "no NetworkPolicy of Ingress selects it", put(f"{_POLICY}-closed spec policyTypes", ["Egress"])),
    _found(
        "other pods than ours closed", "of Ingress selects it", put(f"{_POLICY}-closed spec podSelector matchLabels", {"app": "wallets"})
    ),
    _found("everybody", "3000/TCP from everybody", drop(f"{_POLICY}-clients spec ingress 0 from")),
    _found("all ports", "every port from clients", drop(f"{_POLICY}-clients spec ingress 0 ports")),
    _found("GCS for clients", "6379/TCP from clients", add(f"{_POLICY}-clients spec ingress 0 ports", {"port": 6379})),
    _found("the job API for clients", "8265/TCP from clients", add(f"{_POLICY}-clients spec ingress 0 ports", {"port": 8265})),
    _found("a range of ports", "3000-9000/TCP from clients", put(f"{_POLICY}-clients spec ingress 0 ports 0 endPort", 9000)),
    _found("anywhere", "5432/TCP to everybody", drop(f"{_POLICY}-custody spec egress 0 to")),
    _found("the Internet", "8200/TCP to 0.0.0.0/0", put(f"{_POLICY}-custody spec egress 0 to 0 ipBlock cidr", "0.0.0.0/0")),
    _found("no address", "8200/TCP to 10.0.0.1/8", put(f"{_POLICY}-custody spec egress 0 to 0 ipBlock cidr", "10.0.0.1/8")),
    _found("Ray for everybody", 'from {"namespaceSelector": {}}', put(f"{_POLICY}-ray spec ingress 0 from", [{"namespaceSelector": _ANY}])),
    _found("Ray for the namespace", 'from {"podSelector": {}}', put(f"{_POLICY}-ray spec ingress 0 from", [{"podSelector": _ANY}])),
    _found("Ray for migrations", "every port from migration", drop(f"{_POLICY}-ray spec ingress 0 from 0 podSelector matchExpressions")),
    _found(
        "an operator of any namespace",
        "8265/TCP from {",
        put(f"{_POLICY}-operator spec ingress 0 from 0 namespaceSelector", _ANY),
    ),
    _found("whoever is in the operator's namespace", "8265/TCP from {", drop(f"{_POLICY}-operator spec ingress 0 from 0 podSelector")),
    _found(
        "a Prometheus of any namespace",
        "8080/TCP from {",
        put(f"{_POLICY}-prometheus spec ingress 0 from 0 namespaceSelector", _ANY),
    ),
    _found(
        "gateways with the database",
        "group gateways: NetworkPolicy wallets-custody opens 5432/TCP to private",
        put(f"{_POLICY}-custody spec podSelector matchLabels app.kubernetes.io/component", "worker"),
        "isolated",
    ),
    _found(
        "all components but one",
        "group headgroup: NetworkPolicy wallets-custody opens 8200/TCP",
        both(
            drop(f"{_POLICY}-custody spec podSelector matchLabels app.kubernetes.io/component"),
            put(
                f"{_POLICY}-custody spec podSelector matchExpressions",
                [{"key": "app.kubernetes.io/component", "operator": "NotIn", "values": ["migration"]}],
            ),
        ),
    ),
)
