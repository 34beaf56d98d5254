"""See a rendered release as its parts: the RayService, its groups of pods, what they are told, and everything beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from kuberay.documents import Document, ManifestError, at, items, parse
from kuberay.pods import Pod

HEAD = "headgroup"
"""What the operator writes into the label ray.io/group of the head."""


@dataclass(frozen=True, slots=True)
class Group:
    """The head, or a group of workers."""

    name: str
    start: Mapping[str, str]
    pod: Pod
    document: Document

    @property
    def ray(self) -> Document:
        """The container of Ray, which is the first."""
        return next(iter(items(self.pod.spec, "containers")), {})

    def port(self, name: str) -> int | None:
        """Return the number of Ray's port with this name."""
        return next((each.get("containerPort") for each in items(self.ray, "ports") if each.get("name") == name), None)


class Release:
    """All documents of a rendering."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def of(self, kind: str) -> list[Document]:
        """Return every document of a kind."""
        return [each for each in self.documents if each.get("kind") == kind]

    def names(self, kind: str) -> set[str]:
        """Return the names of the documents of a kind."""
        return {str(at(each, "metadata", "name")) for each in self.of(kind)}

    @cached_property
    def service(self) -> Document:
        """The RayService.

        Raises:
            ManifestError: There is none, or more than one.
        """
        found = self.of("RayService")
        if len(found) != 1:
            msg = f"there are {len(found)} RayServices; a release has one"
            raise ManifestError(msg)
        return found[0]

    @cached_property
    def cluster(self) -> Document:
        """The configuration of its Ray cluster."""
        return at(self.service, "spec", "rayClusterConfig") or {}

    @cached_property
    def head(self) -> Group:
        """The head."""
        return _group(HEAD, self.cluster.get("headGroupSpec") or {})

    @cached_property
    def workers(self) -> list[Group]:
        """The groups of workers."""
        return [_group(str(each.get("groupName")), each) for each in items(self.cluster, "workerGroupSpecs")]

    @property
    def groups(self) -> list[Group]:
        """The head and the workers."""
        return [self.head, *self.workers]

    @property
    def pods(self) -> Iterator[Pod]:
        """Every template of a pod."""
        yield from (group.pod for group in self.groups)
        for job in self.of("Job"):
            template = at(job, "spec", "template") or {}
            yield Pod(f"Job {at(job, 'metadata', 'name')}", at(template, "metadata", "labels") or {}, template.get("spec") or {})

    @property
    def keepers(self) -> str:
        """The component of the pods that hold keys."""
        return "signer" if any(self.environment(group.ray).get("APP__TOPOLOGY") == "isolated" for group in self.groups) else "worker"

    @cached_property
    def serve(self) -> Document:
        """What `serveConfigV2` says.

        Raises:
            ManifestError: It is not one YAML document.
        """
        documents = parse(str(at(self.service, "spec", "serveConfigV2") or ""))
        if len(documents) != 1:
            msg = "spec.serveConfigV2 is no YAML document"
            raise ManifestError(msg)
        return documents[0]

    @property
    def deployments(self) -> list[Document]:
        """The deployments of Serve's application."""
        return [each for application in items(self.serve, "applications") for each in items(application, "deployments")]

    @property
    def serving(self) -> list[Document]:
        """Those of them that clients reach: all but signers."""
        return [each for each in self.deployments if each.get("name") != "Signer"]

    def environment(self, container: Document) -> dict[str, str]:
        """Return what a container is told by ConfigMaps and in plain values."""
        config_maps = {at(each, "metadata", "name"): each.get("data") or {} for each in self.of("ConfigMap")}
        told: dict[str, str] = {}
        for source in items(container, "envFrom"):
            data = config_maps.get(at(source, "configMapRef", "name"), {})
            told |= {f"{source.get('prefix') or ''}{name}": value for name, value in data.items()}
        for each in items(container, "env"):
            reference = at(each, "valueFrom", "configMapKeyRef") or {}
            value = each.get("value", at(config_maps.get(reference.get("name")), str(reference.get("key"))))
            if value is not None:
                told[each["name"]] = str(value)
        return told


def _group(name: str, document: Document) -> Group:
    template = document.get("template") or {}
    labels = {**(at(template, "metadata", "labels") or {}), "ray.io/group": name, "ray.io/node-type": "head" if name == HEAD else "worker"}
    pod = Pod(f"group {name}", labels, template.get("spec") or {})
    return Group(name, document.get("rayStartParams") or {}, pod, document)
