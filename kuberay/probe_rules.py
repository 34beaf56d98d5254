"""What the kubelet asks of pods: whether they take part, of those that serve; and never of one whether what it needs is well."""

from collections.abc import Iterator

from kuberay.documents import at, items
from kuberay.release import HEAD, Group, Release

_RAYLET = "wget -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success"
_PROXY = "wget -T 2 -q -O- http://localhost:{port}/-/healthz | grep success"
_SERVICE = "wget -T 2 -q -O /dev/null http://localhost:{port}/api/v1/health/ready"
_FIGURES = {"periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 2}


def probes(release: Release) -> Iterator[str]:
    """Workers have a readiness probe that asks Ray, and where they serve HAProxy and the service; all other probes are the operator's."""
    for group in release.groups:
        for container in group.pod.containers:
            for kind in ("livenessProbe", "startupProbe"):
                if kind in container:
                    yield f"{group.pod.name}: leave {kind} to the operator: one of ours would start pods anew while a database is away"
        if group.name != HEAD:
            yield from (f"{group.pod.name}: {problem}" for problem in _readiness(release, group))
        elif "readinessProbe" in group.ray:
            yield f"{group.pod.name}: leave readinessProbe to the operator, which hands over Serve's configuration when the head is ready"


def _readiness(release: Release, group: Group) -> Iterator[str]:
    probe = group.ray.get("readinessProbe") or {}
    questions = [_RAYLET, *([_PROXY, _SERVICE] if group.port("serve") else [])]
    expected = " && ".join(questions).format(port=at(release.serve, "http_options", "port"))
    command = items(probe, "exec", "command")
    if command[:2] != ["bash", "-c"] or " ".join(str(command[-1]).split()) != expected or len(command) != 3:
        yield f"readinessProbe must run bash -c '{expected}', or clients are sent to a pod that does not answer, or to none"
    if {name: probe.get(name) for name in _FIGURES} != _FIGURES:
        yield f"readinessProbe must have {', '.join(f'{name} {value}' for name, value in _FIGURES.items())}: it is left in 10 s"
