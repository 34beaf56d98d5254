"""See the template of a pod: its containers, and what they are given of Secrets, ConfigMaps and tokens, by whatever way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kuberay.documents import Document, at, items


@dataclass(frozen=True, slots=True)
class Source:
    """Whose a file or a variable is: `name` is that of the Secret or ConfigMap, or the audience of a token (the API server's is empty)."""

    kind: str
    name: str
    key: str = ""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """The template of a pod, whoever starts it."""

    name: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def component(self) -> str:
        """What it is of the service: head, worker, signer or migration."""
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def containers(self) -> list[Document]:
        """Its containers, those that run first included."""
        return [*items(self.spec, "initContainers"), *items(self.spec, "containers")]

    def is_selected(self, selector: Document | None) -> bool:
        """Tell whether a label selector (meta/v1) selects it."""
        wanted = at(selector, "matchLabels") or {}
        return all(self.labels.get(key) == value for key, value in wanted.items()) and all(
            _holds(each, self.labels.get(str(each.get("key")))) for each in items(selector, "matchExpressions")
        )

    def files(self, container: Document) -> Mapping[str, Source]:
        """Return each file that a container finds, with whose it is; of a source without items, the folder."""
        volumes = {volume.get("name"): list(_of_volume(volume)) for volume in items(self.spec, "volumes")}
        return {
            f"{mount.get('mountPath')}/{path}": source
            for mount in items(container, "volumeMounts")
            for path, source in volumes.get(mount.get("name"), ())
        }

    def given(self) -> Iterator[Source]:
        """Name everything that the pod is given, also what no container mounts, or what is a variable."""
        for volume in items(self.spec, "volumes"):
            yield from (source for _, source in _of_volume(volume))
        for container in self.containers:
            yield from in_environment(container)


def in_environment(container: Document) -> Iterator[Source]:
    """Name the Secrets and ConfigMaps that a container's variables are from."""
    for each in items(container, "env"):
        for kind, reference in (each.get("valueFrom") or {}).items():
            if kind in {"secretKeyRef", "configMapKeyRef"}:
                yield _source(kind.removesuffix("KeyRef"), reference, reference)
    for each in items(container, "envFrom"):
        yield from (_source(kind.removesuffix("Ref"), each[kind], {}) for kind in ("secretRef", "configMapRef") if kind in each)


def _of_volume(volume: Document) -> Iterator[tuple[str, Source]]:
    whole = [{kind: volume[kind]} for kind in ("secret", "configMap") if kind in volume]
    for kind, given in (pair for source in [*whole, *items(volume, "projected", "sources")] for pair in source.items()):
        if kind == "serviceAccountToken":
            yield str(at(given, "path")), Source(kind, str(at(given, "audience") or ""))
        else:
            yield from ((str(at(item, "path") or ""), _source(kind, given, item)) for item in items(given, "items") or [{}])


def _source(kind: str, given: object, item: object) -> Source:
    name, key = at(given, "name") or at(given, "secretName"), at(item, "key")
    return Source(kind, str(name or ""), str(key or ""), bool(at(given, "optional")))


def _holds(expression: Document, value: str | None) -> bool:
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
    return value is None
