"""What stands beside the RayService: budgets, the migration, monitors and alerts."""

import re
from collections.abc import Iterator
from importlib.metadata import version

from api.observability import Metrics
from kuberay.documents import Document, at, items
from kuberay.release import HEAD, Group, Release

_METRIC = re.compile(r"[a-z_]+(?=\{)")
_OF_MONITORS = re.compile(r'\b(job|endpoint)="([^"]*)"')
_ALARM = re.compile(r"^# HELP (\w+) .*an alarm$", re.MULTILINE)
_OF_OTHERS = ("up", "haproxy_", "ray_", "kube_", "container_")


def budgets(release: Release) -> Iterator[str]:
    """Each group has a budget in whole numbers that lets a drain take one pod at a time, and the head by hand alone."""
    groups, covered = {group.name: group for group in release.groups}, set()
    for budget in release.of("PodDisruptionBudget"):
        name, spec = at(budget, "metadata", "name"), budget.get("spec") or {}
        least, group = spec.get("minAvailable"), at(spec, "selector", "matchLabels", "ray.io/group")
        if not isinstance(least, int) or isinstance(least, bool) or "maxUnavailable" in spec:
            yield f"PodDisruptionBudget {name}: write minAvailable as a whole number: a RayCluster has no scale to take a share of"
        if group not in groups:
            yield f"PodDisruptionBudget {name}: selects the group {group}, which is not there; name one by ray.io/group"
        elif not groups[group].pod.is_selected(spec["selector"]):
            yield f"PodDisruptionBudget {name}: selects the group {group} by labels that it has not; leave them out"
        else:
            yield from (f"PodDisruptionBudget {name}: {problem}" for problem in _kept(release, groups[group], least))
        covered.add(group)
    yield from (
        f"the group {group} has no PodDisruptionBudget; a drain of nodes would take all of it" for group in sorted(groups.keys() - covered)
    )


def _kept(release: Release, group: Group, kept: object) -> Iterator[str]:
    """Compare what a drain leaves with what is ready at least: pods that serve are ready with a replica alone, signers without one."""
    if group.name == HEAD:
        if kept != 1:
            yield f"minAvailable is {kept}; write 1, so that the head is taken by hand alone"
        return
    ready, what = int(group.document.get("minReplicas") or 0), "minReplicas of the group"
    if group.port("serve"):
        ready, what = min((at(each, "autoscaling_config", "min_replicas") or 1 for each in release.serving), default=1), "min_replicas"
    if ready < 2:
        yield f"{what} is {ready}, so either a drain takes the only one, or it never ends; write 2 at least"
    elif kept != ready - 1:
        yield f"minAvailable is {kept}; write {ready - 1}, one less than {what}: with more a drain never ends, with less it takes too many"


def migrations(release: Release) -> Iterator[str]:
    """One job of the release's name migrates, and the head waits for it without changing anything."""
    expected = f"wallets-migrate-{version('crypto-wallets-service').replace('.', '-')}"
    jobs = [each for each in release.of("Job") if items(each, "spec", "template", "spec", "containers", 0, "command")[1:] == ["migrate"]]
    if [at(each, "metadata", "name") for each in jobs] != [expected]:
        yield f"there must be one migration Job, named {expected}: a Job cannot be changed, so each release has its own"
    for job in jobs:
        if not at(job, "spec", "activeDeadlineSeconds") or not at(job, "spec", "backoffLimit"):
            yield "the migration Job needs activeDeadlineSeconds and a backoffLimit, or it waits for ever"
    commands = [items(each, "command") for each in items(release.head.pod.spec, "initContainers")]
    if [command[:2] for command in commands] != [["crypto-wallets", "check-schema"]]:
        yield "the head's one init container must run crypto-wallets check-schema, which changes nothing"


def monitors(release: Release) -> Iterator[str]:
    """Monitors name ports that pods have, and alerts metrics that there are."""
    named = {port.get("name") for group in release.groups for port in items(group.ray, "ports")}
    for monitor in release.of("PodMonitor"):
        for endpoint in items(monitor, "spec", "podMetricsEndpoints"):
            if endpoint.get("port") not in named:
                yield f"PodMonitor {at(monitor, 'metadata', 'name')}: no pod has a port {endpoint.get('port')}"
    known = set(re.findall(rb"^# TYPE (\w+)", Metrics().render(), re.MULTILINE))
    names = {name.decode() for name in known} | {f"{name.decode()}_bucket" for name in known}
    for rule in _alerts(release):
        for metric in _METRIC.findall(str(rule.get("expr"))):
            if metric not in names and not metric.startswith(_OF_OTHERS):
                yield f"alert {rule.get('alert')}: there is no metric {metric}"
        if str(rule.get("expr")).count("(") != str(rule.get("expr")).count(")"):
            yield f"alert {rule.get('alert')}: its parentheses do not match"
    yield from _unheard(release)
    yield from _unmade(release)
    yield from _silent(release)


def _unmade(release: Release) -> Iterator[str]:
    """Alerts look at labels that Prometheus gives: `job` is a label of the pods, or the monitor's name; `endpoint` is a port."""
    made: dict[str, set[str]] = {"job": set(), "endpoint": set()}
    for monitor in release.of("PodMonitor"):
        label, metadata = at(monitor, "spec", "jobLabel"), monitor.get("metadata") or {}
        selected = [pod for pod in release.pods if pod.is_selected(at(monitor, "spec", "selector"))]
        made["job"] |= {pod.labels.get(label, "") for pod in selected} if label else {f"{metadata.get('namespace')}/{metadata.get('name')}"}
        made["endpoint"] |= {str(each.get("port")) for each in items(monitor, "spec", "podMetricsEndpoints")}
    for rule in _alerts(release):
        for label, value in _OF_MONITORS.findall(str(rule.get("expr"))):
            if value not in made[label]:
                yield f"alert {rule.get('alert')}: no PodMonitor makes {label}={value}; write one of {', '.join(sorted(made[label]))}"


def _alerts(release: Release) -> list[Document]:
    return [rule for each in release.of("PrometheusRule") for group in items(each, "spec", "groups") for rule in items(group, "rules")]


def _silent(release: Release) -> Iterator[str]:
    """Whoever holds keys is asked for the service's metrics, where it tells them."""
    for group in (each for each in release.workers if each.pod.component == release.keepers):
        asked = {
            group.port(str(endpoint.get("port")))
            for monitor in release.of("PodMonitor")
            if group.pod.is_selected(at(monitor, "spec", "selector"))
            for endpoint in items(monitor, "spec", "podMetricsEndpoints")
            if endpoint.get("path") == "/metrics"
        }
        told = release.environment(group.ray).get("APP__SIGNERS__METRICS_PORT")
        if not asked - {None, group.port("haproxy")}:
            yield f"{group.pod.name}: no PodMonitor asks {release.keepers}s for /metrics, so their alarms come to nobody; add one"
        elif release.keepers == "signer" and told not in {str(port) for port in asked}:
            yield f"{group.pod.name}: signers are asked on another port than APP__SIGNERS__METRICS_PORT; make them fit"


def _unheard(release: Release) -> Iterator[str]:
    """What a metric calls an alarm is one, alerts look at gRPC as at HTTP, and one knows how many replicas may run."""
    rules = _alerts(release)
    heard = {metric for rule in rules for metric in _METRIC.findall(str(rule.get("expr")))}
    for name in _ALARM.findall(Metrics().render().decode()):
        if name not in heard:
            yield f"{name} is an alarm by its own words, but no alert looks at it; write one, and its run book"
    most = next((at(each, "autoscaling_config", "max_replicas") for each in release.serving), None)
    for rule in rules:
        if rule.get("alert") == "WalletsAtMaximum" and not str(rule.get("expr")).endswith(f">= {most}"):
            yield f"alert WalletsAtMaximum: compares with another number than max_replicas, {most}, so it is never raised, or always"
        looked_at = _METRIC.findall(str(rule.get("expr")))
        yield from (
            f"alert {rule.get('alert')}: looks at {name}, but not at the same of gRPC"
            for name in looked_at
            if name.startswith("http_") and name.replace("http_", "grpc_", 1) not in looked_at
        )
