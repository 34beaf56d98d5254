"""What every pod must be: restricted, of a fixed image, with an identity of its own, and given the memory that was measured."""

import re
from collections.abc import Iterator

from kuberay.documents import Document, at, items
from kuberay.pods import Pod, in_environment
from kuberay.release import Release
from serve_app.haproxy import CLUSTER_TEMPORARY

_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
_OF_THE_POD = {"runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "appArmorProfile", "seLinuxOptions", "procMount"}
_SIZE = re.compile(r"^([0-9]+)(Ki|Mi|Gi)$")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_LEAST_MEBIBYTES = {"head": 2048, "worker": 1024, "signer": 1024, "migration": 128}
"""The requests that were measured; kuberay/README.md has the figures."""


def images(release: Release) -> Iterator[str]:
    """An image is what was tested: named by digest, or loaded into the node by hand and never pulled."""
    named = {str(container.get("image")) for pod in release.pods for container in pod.containers}
    if len(named) > 1:
        yield f"there are {len(named)} images, so that one release migrates and another one runs; name one: {', '.join(sorted(named))}"
    for pod in release.pods:
        for container in pod.containers:
            image = str(container.get("image"))
            tag = image.rpartition("/")[2].partition(":")[2]
            is_loaded = container.get("imagePullPolicy") == "Never" and tag not in {"", "latest"}
            if not _DIGEST.match(image) and not is_loaded:
                yield f"{pod.name}: the image {image} may change under its tag; name it by digest (kustomize edit set image ...@sha256:...)"


def restricted(release: Release) -> Iterator[str]:
    """What the Pod Security Standard `restricted` asks for, and a root that cannot be written to."""
    for pod in release.pods:
        context = pod.spec.get("securityContext") or {}
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") != 1000 or context.get("fsGroup") != 1000:
            yield f"{pod.name}: securityContext must have runAsNonRoot: true, runAsUser: 1000 and fsGroup: 1000"
        if at(context, "seccompProfile", "type") != "RuntimeDefault":
            yield f"{pod.name}: securityContext.seccompProfile.type must be RuntimeDefault"
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(name):
                yield f"{pod.name}: {name} opens the node to the pod; take it out"
        if any("hostPath" in volume for volume in items(pod.spec, "volumes")):
            yield f"{pod.name}: a hostPath volume opens the node to the pod; use an emptyDir"
        yield from _restricted_containers(pod)
    yield from _restricted_autoscaler(release)


def _restricted_containers(pod: Pod) -> Iterator[str]:
    written = {volume["name"] for volume in items(pod.spec, "volumes") if "emptyDir" in volume}
    for container in pod.containers:
        where = f"{pod.name}, {container.get('name')}"
        yield from _restricted_container(where, container.get("securityContext") or {})
        mounted = {each.get("mountPath") for each in items(container, "volumeMounts") if each.get("name") in written}
        if str(CLUSTER_TEMPORARY) not in mounted:
            yield f"{where}: the root is read-only, so an emptyDir must be mounted at {CLUSTER_TEMPORARY}, where Ray and HAProxy write"


def _restricted_autoscaler(release: Release) -> Iterator[str]:
    yield from _restricted_container("the autoscaler", at(release.cluster, "autoscalerOptions", "securityContext") or {})


def _restricted_container(where: str, context: dict[str, object]) -> Iterator[str]:
    if (
        context.get("allowPrivilegeEscalation") is not False
        or context.get("capabilities") != {"drop": ["ALL"]}
        or context.get("privileged")
    ):
        yield f"{where}: securityContext must have allowPrivilegeEscalation: false, drop all capabilities, and add none"
    for name in sorted(context.keys() & _OF_THE_POD):
        yield f"{where}: securityContext.{name} would stand above that of the pod; take it out"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{where}: securityContext.readOnlyRootFilesystem must be true"


def accounts(release: Release) -> Iterator[str]:
    """Each pod has an identity of its own kind, and a token only where a volume of its own says so."""
    known = release.names("ServiceAccount")
    for pod in release.pods:
        if pod.spec.get("serviceAccountName") not in known:
            yield f"{pod.name}: the ServiceAccount {pod.spec.get('serviceAccountName')} is not among the manifests; add it"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name}: automountServiceAccountToken must be false"
    for account in release.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {at(account, 'metadata', 'name')}: automountServiceAccountToken must be false"


def references(release: Release) -> Iterator[str]:
    """Every ConfigMap that is named is there, but for the two that others make."""
    known = release.names("ConfigMap")
    for pod in release.pods:
        for container in pod.containers:
            for name in (each.name for each in in_environment(container) if each.kind == "configMap"):
                if name not in known:
                    yield f"{pod.name}: there is no ConfigMap {name}; is its kind of place missing in base/names.yaml?"


def memory(release: Release) -> Iterator[str]:
    """Every container asks for the memory that was measured, and is held to a limit that leaves room."""
    for pod in release.pods:
        for container in pod.containers:
            request, limit = (_bytes(at(container, "resources", kind, "memory")) for kind in ("requests", "limits"))
            if not request or not limit or limit < request:
                yield f"{pod.name}, {container.get('name')}: give resources a memory request, and a limit that is not below it"
        least = _LEAST_MEBIBYTES.get(pod.component, 0)
        main: Document = next(iter(items(pod.spec, "containers")), {})
        if _bytes(at(main, "resources", "requests", "memory")) < least * 2**20:
            yield f"{pod.name}: needs {least} MiB, as measured; ask for no less"


def spread(release: Release) -> Iterator[str]:
    """The workers of one cluster are spread over nodes and zones, not counted together with those of the cluster before."""
    for group in release.workers:
        constraints = items(group.pod.spec, "topologySpreadConstraints")
        if {each.get("topologyKey") for each in constraints} != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{group.pod.name}: topologySpreadConstraints must spread over zones and over hosts"
        for constraint in constraints:
            if constraint.get("matchLabelKeys") != ["ray.io/cluster"]:
                yield f"{group.pod.name}: matchLabelKeys must be [ray.io/cluster], or an upgrade is placed by where the old cluster is"
            if any(group.pod.labels.get(key) != value for key, value in (at(constraint, "labelSelector", "matchLabels") or {}).items()):
                yield f"{group.pod.name}: the labelSelector of its topologySpreadConstraints does not select it"


def _bytes(text: object) -> int:
    match = _SIZE.match(str(text))
    return int(match[1]) * _UNITS[match[2]] if match else 0
