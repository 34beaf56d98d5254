"""What KubeRay and Ray would refuse, ignore, or do in another way than was meant."""

import math
from collections.abc import Iterator
from importlib.metadata import version

from kuberay.documents import at, items
from kuberay.release import Group, Release
from serve_app.haproxy import CLUSTER_TEMPORARY

_LONGEST_NAME = 47
_PRE_STOP = "sleep"
_SLACK_SECONDS = 10
_OF_THE_OPERATOR = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}


def cluster_names(release: Release) -> Iterator[str]:
    """The operator adds to the name of a RayService, and a Service has at most 63 characters."""
    name = str(at(release.service, "metadata", "name"))
    if len(name) > _LONGEST_NAME:
        yield f"the RayService's name has {len(name)} characters; shorten it to {_LONGEST_NAME}"
    installed = version("ray")
    if release.cluster.get("rayVersion") != installed:
        yield f"rayVersion is {release.cluster.get('rayVersion')}, but the image has Ray {installed}; write that"


def upgrade(release: Release) -> Iterator[str]:
    """Only a second whole cluster takes gRPC along, and the old one stays until nobody asks it any more."""
    spec = release.service["spec"]
    kind = at(spec, "upgradeStrategy", "type")
    if kind != "NewCluster":
        yield f"upgradeStrategy.type is {kind}; write NewCluster: the incremental strategy has no gRPC and ignores serveService"
    for name in ("serviceUnhealthySecondThreshold", "deploymentUnhealthySecondThreshold"):
        if name in spec:
            yield f"{name} is not used any more; leave it out"
    delay = spec.get("rayClusterDeletionDelaySeconds") or 60
    if not 120 <= delay <= 300:
        yield f"rayClusterDeletionDelaySeconds is {delay}; write 120 to 300: longer than the longest request, and than the drain"
    if spec.get("excludeHeadPodFromServeSvc"):
        yield "excludeHeadPodFromServeSvc leaves the service without endpoints for a moment of each upgrade; leave it out"


def head(release: Release) -> Iterator[str]:
    """The head runs no replica, and keeps little in its object store."""
    if release.head.start.get("num-cpus") != "0":
        yield 'the head takes replicas; write num-cpus: "0" in its rayStartParams'
    for group in release.groups:
        if not 75 * 2**20 <= int(group.start.get("object-store-memory") or 0) <= 2**30:
            yield f'{group.pod.name}: write object-store-memory: "100000000"; Ray would take 30 % of the memory, and needs 75 MiB'


def autoscaler(release: Release) -> Iterator[str]:
    """Ray's own autoscaler, version 2, on a root that cannot be written to."""
    if not release.cluster.get("enableInTreeAutoscaling"):
        yield "enableInTreeAutoscaling is off, so no pod would come for a replica that finds no room; turn it on"
    options = release.cluster.get("autoscalerOptions") or {}
    if options.get("version") != "v2":
        yield "autoscalerOptions.version is to be written out as v2"
    if str(CLUSTER_TEMPORARY) not in [mount.get("mountPath") for mount in items(options, "volumeMounts")]:
        yield f"autoscalerOptions has no volume at {CLUSTER_TEMPORARY}, where Ray writes; mount the head's there"


def authentication(release: Release) -> Iterator[str]:
    """Whoever reaches Ray's ports runs code in it, unless it asks for a token."""
    options = release.cluster.get("authOptions") or {}
    if options.get("mode") != "token" or not options.get("secretName"):
        yield "authOptions must have mode: token and a secretName: without a token Ray runs the code of whoever reaches it"
    for group in release.groups:
        names = {str(each.get("name")) for each in items(group.ray, "env")} | release.environment(group.ray).keys()
        for name in sorted(names & _OF_THE_OPERATOR):
            yield f"{group.pod.name}: {name} is set by the operator, from authOptions; take ours out, which would stand above it"


def fault_tolerance(release: Release) -> Iterator[str]:
    """GCS comes back from Redis, whose password is in a Secret."""
    options = release.cluster.get("gcsFaultToleranceOptions") or {}
    if not options.get("redisAddress"):
        yield "gcsFaultToleranceOptions.redisAddress is missing: with the head, the whole cluster would be lost; name a Redis for GCS alone"
    if not at(options, "redisPassword", "valueFrom", "secretKeyRef", "name"):
        yield "gcsFaultToleranceOptions.redisPassword must come from a Secret (valueFrom.secretKeyRef)"
    if options.get("externalStorageNamespace"):
        yield "externalStorageNamespace makes two clusters share one state during an upgrade; leave it out"
    if any(each.get("name") == "REDIS_PASSWORD" for container in release.head.pod.containers for each in items(container, "env")):
        yield "REDIS_PASSWORD in the head's environment is refused together with gcsFaultToleranceOptions; leave it out"


def ports(release: Release) -> Iterator[str]:
    """Clients reach 80 and 81; the ports behind them are those that Serve opens, and have the names that the operator looks for."""
    expected = {"serve": (80, at(release.serve, "http_options", "port")), "serve-grpc": (81, at(release.serve, "grpc_options", "port"))}
    offered = {each.get("name"): each for each in items(release.service, "spec", "serveService", "spec", "ports")}
    for name, (port, serves) in expected.items():
        if not isinstance(serves, int):
            yield f"serveConfigV2 has no port {name}: write 3000 as http_options.port and 3001 as grpc_options.port"
        if at(offered, name, "port") != port or at(offered, name, "targetPort") != name:
            yield f"serveService must have port {port} named {name}, with the name as targetPort: signers, which lack it, are no endpoints"
        for group in (each for each in release.groups if each.pod.labels.get("app.kubernetes.io/component") != "signer"):
            if group.port(name) != serves:
                yield f"{group.pod.name}: the port {name} is {group.port(name)}, but serveConfigV2 opens {serves}; make them one"
    if at(offered, "serve-grpc", "appProtocol") != "kubernetes.io/h2c":
        yield "the port serve-grpc needs appProtocol: kubernetes.io/h2c, by which proxies know gRPC"
    for group in release.groups:
        if group.port("metrics") != 8080:
            yield f"{group.pod.name}: the port metrics must be 8080, where Ray has its metrics"


def shutdown(release: Release) -> Iterator[str]:
    """A pod is given the time that its node takes to drain."""
    for group in release.groups:
        environment = release.environment(group.ray)
        drain = int(environment.get("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S") or 0)
        if drain < int(environment.get("RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S") or 30) + 30:
            yield f"{group.pod.name}: RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S is {drain}; give the drain 30 s more than the proxy's minimum"
        command = [str(each) for each in items(group.ray, "lifecycle", "preStop", "exec", "command")]
        pause = int(command[1]) if len(command) == 2 and command[0] == _PRE_STOP and command[1].isdigit() else None
        if pause is None:
            yield f"{group.pod.name}: preStop must be a sleep of seconds and nothing else; `ray stop` would end what is in flight"
        grace = int(group.pod.spec.get("terminationGracePeriodSeconds") or 30)
        if grace < (pause or 0) + drain + _SLACK_SECONDS:
            yield f"{group.pod.name}: terminationGracePeriodSeconds is {grace}; write at least preStop + drain + {_SLACK_SECONDS} s"


def room(release: Release) -> Iterator[str]:
    """The bounds of the workers hold what the bounds of the replicas ask for, and a place more."""
    for group in release.workers:
        least, now, most = (int(group.document.get(key) or 0) for key in ("minReplicas", "replicas", "maxReplicas"))
        if not 1 <= least <= now <= most <= 1000:
            yield f"{group.pod.name}: 1 <= minReplicas <= replicas <= maxReplicas must hold, but they are {least}, {now} and {most}"
    for deployment in release.deployments:
        scaling, places = deployment.get("autoscaling_config") or {}, [_places(group, deployment) for group in release.workers]
        minimum = sum(count * int(group.document.get("minReplicas") or 0) for count, group in zip(places, release.workers, strict=True))
        maximum = sum(count * int(group.document.get("maxReplicas") or 0) for count, group in zip(places, release.workers, strict=True))
        name, least, most = deployment.get("name"), scaling.get("min_replicas", 1), scaling.get("max_replicas", 1)
        if minimum <= least:
            yield f"{name}: minReplicas of the workers has {minimum} places for {least} replicas; give one more, for a new one beside them"
        if maximum <= most:
            yield f"{name}: maxReplicas of the workers has {maximum} places for {most} replicas; give one more, for a new one beside them"
        if deployment.get("max_surge_percent", 0) <= 0:
            yield f"{name}: max_surge_percent is 0, which stops old replicas before new ones are ready; write 34"


def _places(group: Group, deployment: dict[str, object]) -> int:
    """Count the replicas of a deployment that a pod of the group has room for."""
    options = at(deployment, "ray_actor_options") or {}
    if any(f'"{name}"' not in str(group.start.get("resources", "")).replace("\\", "") for name in options.get("resources") or {}):
        return 0
    by_cores = math.floor(int(group.start.get("num-cpus") or 0) / (options.get("num_cpus") or 1))
    limit = deployment.get("max_replicas_per_node")
    return min(by_cores, limit) if isinstance(limit, int) else by_cores
