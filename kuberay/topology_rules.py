"""Who has the keys: that the deployments, the groups of pods and what each of them is given fit the topology."""

from collections.abc import Iterator

from kuberay.documents import at, items
from kuberay.pods import Pod, in_environment
from kuberay.release import Group, Release

_CLASSES = {"inline": {"WalletService"}, "isolated": {"Gateway", "Signer"}}
_SECRETS = {
    "head": {"wallets-database-url"},
    "migration": {"wallets-database-url"},
    "worker": {"wallets-api-key", "wallets-redis-url"},
}
"""What pods without keys may be given: gateways, where the topology is isolated, and those that look at the schema."""

_API_SERVER = ""


def topology(release: Release) -> Iterator[str]:
    """The deployments are those of the topology that the replicas are told, and only pods that hold keys have what custody needs."""
    told = {release.environment(group.ray).get("APP__TOPOLOGY", "inline") for group in release.groups}
    named = {str(each.get("name")) for each in release.deployments}
    if len(told) != 1 or named != _CLASSES.get(next(iter(told))):
        yield f"APP__TOPOLOGY is {' and '.join(sorted(told))}, but serveConfigV2 has {', '.join(sorted(named))}; make them fit"
    for group in release.workers:
        yield from _limits(release, group)
        yield from _metrics_ports(release, group)
    keepers = release.keepers
    accounts = {pod.spec.get("serviceAccountName") for pod in release.pods if pod.component == keepers}
    for pod in release.pods:
        if pod.component != keepers:
            yield from (f"{pod.name}: must not have {what}; only {keepers}s do" for what in _of_custody(release, pod, accounts))


def _of_custody(release: Release, pod: Pod, accounts: set[object]) -> Iterator[str]:
    """Name what a pod without keys is given beside its due, by whatever way."""
    may_have = _SECRETS.get(pod.component, set())
    if pod.spec.get("serviceAccountName") in accounts:
        yield f"the ServiceAccount {pod.spec.get('serviceAccountName')}, by which Vault knows who may decrypt"
    for source in pod.given():
        if source.kind == "secret" and source.name not in may_have:
            yield f"the Secret {source.name}"
        if source.kind == "serviceAccountToken" and (source.name, pod.component) != (_API_SERVER, "head"):
            yield f"a token for the audience {source.name or 'of the API server'}"
    autoscaler = [{"name": "autoscaler", **(release.cluster.get("autoscalerOptions") or {})}] if pod.component == "head" else []
    for container in [*pod.containers, *autoscaler]:
        names = {name for name in release.environment(container) if name.startswith(("APP__VAULT__", "APP__DATABASE__"))}
        sees_schema = pod.component == "migration" or container in items(pod.spec, "initContainers")
        yield from (f"the setting {name}" for name in sorted(names - ({"APP__DATABASE__URL_FILE"} if sees_schema else set())))
        if pod.component == "head" and not sees_schema:
            given = [*pod.files(container).values(), *in_environment(container)]
            secrets = {source.name for source in given if source.kind == "secret"}
            yield from (f"the Secret {name} in its container {container.get('name')}" for name in sorted(secrets))


def _limits(release: Release, group: Group) -> Iterator[str]:
    """HAProxy learns from a setting what Serve learns from its configuration."""
    told = release.environment(group.ray).get("APP__REPLICAS__MAX_ONGOING_REQUESTS")
    for deployment in release.serving:
        if str(deployment.get("max_ongoing_requests")) != told:
            yield f"{group.pod.name}: APP__REPLICAS__MAX_ONGOING_REQUESTS is {told}; write max_ongoing_requests of {deployment.get('name')}"


def _metrics_ports(release: Release, group: Group) -> Iterator[str]:
    """A port of a pod is one process's."""
    if group.pod.component != "signer" or "APP__SIGNERS__METRICS_PORT" not in release.environment(group.ray):
        return
    for deployment in release.deployments:
        if deployment.get("name") == "Signer" and at(deployment, "max_replicas_per_node") != 1:
            yield "Signer: max_replicas_per_node must be 1, or the second signer of a pod cannot open APP__SIGNERS__METRICS_PORT"
