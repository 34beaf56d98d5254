"""What processes are told by settings and mounted files: all that the service asks for before it starts, and no secret in a value."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from deployments.requirements import require_custody, require_database, require_dependencies, require_edge, without_custody
from deployments.settings import ConfigurationError, Settings, load, secret_names
from kuberay.documents import Document, items
from kuberay.pods import Pod, Source, in_environment
from kuberay.release import Release

Requirement = Callable[[Settings], object]

_RAY_SETTINGS = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "0",
    "RAY_SERVE_HAPROXY_BINARY_PATH": "/opt/crypto-wallets/haproxy/haproxy",
    "FORWARDED_ALLOW_IPS": "none",
}
_REQUIREMENTS: Mapping[tuple[str, str], Requirement] = {
    ("inline", "worker"): require_dependencies,
    ("isolated", "worker"): require_edge,
    ("isolated", "signer"): require_custody,
}
"""By topology and component; a head has no replica."""

_KEYS = {
    "APP__SERVER__API_KEY_FILE": ("wallets-api-key", "api-key"),
    "APP__SERVER__PREVIOUS_API_KEY_FILE": ("wallets-api-key", "previous-api-key"),
    "APP__DATABASE__URL_FILE": ("wallets-database-url", "url"),
    "APP__REDIS__URL_FILE": ("wallets-redis-url", "url"),
}
"""The Secret and its key that each file is from, as kuberay/README.md has them made."""

_HARMLESS = {"APP__DATABASE__URL": "postgresql://user:password@database/wallets", "APP__REDIS__URL": "redis://redis:6379/0"}
_HARMLESS_OTHERWISE = "x" * 32


def files(release: Release) -> Iterator[str]:
    """Every setting that names a file has one, mounted from a Secret or a token that must be there; and no secret stands in a value."""
    for pod in release.pods:
        for volume in items(pod.spec, "volumes"):
            if not {"emptyDir", "projected", "hostPath"} & volume.keys():
                yield f"{pod.name}: the volume {volume.get('name')} is neither an emptyDir nor projected; mount its files by `projected`"
        for container in pod.containers:
            yield from (f"{pod.name}, {container.get('name')}: {problem}" for problem in _files(release, pod, container))


def _files(release: Release, pod: Pod, container: Document) -> Iterator[str]:
    environment, mounted, secrets = release.environment(container), pod.files(container), secret_names()
    for name, value in environment.items():
        if name in secrets:
            yield f"{name} is a secret; name a mounted file by {name}_FILE"
        if not (name.startswith("APP__") and name.endswith("_FILE")):
            continue
        if value not in mounted:
            yield f"{name} names {value}, but no Secret is mounted there; add it to the volume `secrets`"
        elif name.removesuffix("_FILE") in secrets:
            yield from _from_secret(name, mounted[value])
    for source in in_environment(container):
        if source.kind == "secret":
            yield f"the Secret {source.name} is in the environment, which every process inherits; mount it, and name its file by a setting"


def _from_secret(name: str, source: Source) -> Iterator[str]:
    if source.kind != "secret":
        yield f"{name} must come from a Secret, not from a {source.kind}"
    elif (source.name, source.key) != _KEYS.get(name, (source.name, source.key)):
        secret, key = _KEYS[name]
        yield f"{name} is from the key {source.key} of {source.name}, but kuberay/README.md makes the key {key} of {secret}; write that"
    if source.is_optional:
        yield f"{name}: its Secret is optional, so a pod starts without it, and its replicas refuse to; take `optional` out"


def settings(release: Release) -> Iterator[str]:
    """The service would start with what it is told, and Ray is told what security depends on."""
    for group in release.groups:
        environment = release.environment(group.ray)
        topology = environment.get("APP__TOPOLOGY", "inline")
        requirement = _REQUIREMENTS.get((topology, group.pod.component))
        read = environment if requirement in {require_dependencies, require_custody} else without_custody(environment)
        yield from (f"{group.pod.name}: {line}" for line in _refused(read, requirement))
        for name, value in _RAY_SETTINGS.items():
            if environment.get(name) != value:
                yield f"{group.pod.name}: {name} must be {value}; base/config/ray.env says why"
    for pod in release.pods:
        for container in pod.containers:
            if items(container, "command")[1:2] in (["migrate"], ["check-schema"]):
                problems = _refused(release.environment(container), require_database)
                yield from (f"{pod.name}, {container.get('name')}: {line}" for line in problems)


def _refused(environment: Mapping[str, str], requirement: Requirement | None) -> Iterator[str]:
    """Say what of the settings the service would refuse, were there the right content in each file."""
    with TemporaryDirectory() as folder:
        try:
            read = load(dict(_readable(environment, Path(folder))))
            if requirement:
                requirement(read)
        except ConfigurationError as error:
            yield from (f"{line}{_remedy(line)}" for line in str(error).splitlines())


def _readable(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if name.startswith("APP__") and name.endswith("_FILE"):
            file = folder / name
            file.write_text(_HARMLESS.get(name.removesuffix("_FILE"), _HARMLESS_OTHERWISE))
            yield name, str(file)
        elif name.startswith("APP__"):
            yield name, value


def _remedy(line: str) -> str:
    name, _, problem = line.partition(": ")
    if not problem.startswith("is not set"):
        return ""
    if name in secret_names():
        return f". Mount its Secret, and name the file by {name}_FILE"
    return ". Set it in a ConfigMap of base/config, by a configMapGenerator of your overlay"
