"""Every rule, in one table: what the documents of a release say together, and what an operator, Ray or the service would make of it."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from kuberay.beside_rules import budgets, migrations, monitors
from kuberay.network_rules import network
from kuberay.pod_rules import accounts, images, memory, references, restricted, spread
from kuberay.probe_rules import probes
from kuberay.ray_rules import authentication, autoscaler, cluster_names, fault_tolerance, head, ports, room, shutdown, upgrade
from kuberay.release import Release
from kuberay.serve_rules import serve_config
from kuberay.told_rules import files, settings
from kuberay.topology_rules import topology

Rule = Callable[[Release], Iterator[str]]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "names": cluster_names,
        "upgrade": upgrade,
        "head": head,
        "autoscaler": autoscaler,
        "authentication": authentication,
        "fault tolerance": fault_tolerance,
        "ports": ports,
        "probes": probes,
        "shutdown": shutdown,
        "room": room,
        "serve config": serve_config,
        "topology": topology,
        "images": images,
        "restricted pods": restricted,
        "service accounts": accounts,
        "secrets": files,
        "settings": settings,
        "references": references,
        "memory": memory,
        "spread": spread,
        "budgets": budgets,
        "network": network,
        "migration": migrations,
        "monitoring": monitors,
    }
)


def broken(release: Release) -> Iterator[tuple[str, str]]:
    """Say which rules a release breaks, with what to do."""
    for name, rule in RULES.items():
        for problem in rule(release):
            yield name, problem
