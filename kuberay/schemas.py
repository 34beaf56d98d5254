"""Judge each document by the schema of its kind, with every field that the schema does not name refused.

Core kinds are judged by `kubernetes-validate`. The CRDs of KubeRay are not ours to keep: they are read from a folder. Of other operators we
use a few fields, and `foreign_schemas.yaml` names these alone, so that a field beyond them is looked at before it is used.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from kuberay.documents import FOLDER, Document, ManifestError

KUBERNETES = "1.32"
"""The oldest version of Kubernetes for which the manifests are written."""

_INTEGERS = {"int32": 2**31, "int64": 2**63}
_COPIED = (
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minProperties",
    "maxProperties",
    "required",
)
_METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}

Schema = dict[str, Any]


class Schemas:
    """The schemas of every kind that we use; `crds` is the folder with KubeRay's, and without it RayServices are not judged."""

    def __init__(self, crds: Path | None) -> None:
        self._known: dict[tuple[str, str], Schema] = dict(_foreign())
        if crds is not None:
            self._known |= dict(_of_folder(crds))
        self.judges_ray = crds is not None

    def problems(self, document: Document) -> Iterator[str]:
        """Say what of a document its schema refuses."""
        api_version, kind = str(document.get("apiVersion")), str(document.get("kind"))
        schema = self._known.get((api_version, kind))
        if schema is not None:
            for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
                yield f"{_path(error.absolute_path)}: {error.message[:200]}"
        elif not api_version.startswith("ray.io/") or self.judges_ray:
            yield from _core_problems(document)


def _core_problems(document: Document) -> Iterator[str]:
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{_path(error.absolute_path)}: {error.message[:200]}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"apiVersion: there is no {document.get('kind')} of {document.get('apiVersion')} in Kubernetes {KUBERNETES}"


def _path(steps: Any) -> str:
    return ".".join(str(step) for step in steps) or "the document"


def _foreign() -> Iterator[tuple[tuple[str, str], Schema]]:
    for entry in yaml.safe_load((FOLDER / "foreign_schemas.yaml").read_text()):
        properties = {"apiVersion": {}, "kind": {}, "metadata": _METADATA, "spec": entry["spec"]}
        closed = {"type": "object", "required": ["metadata", "spec"], "additionalProperties": False, "properties": properties}
        yield (entry["apiVersion"], entry["kind"]), {**closed, "$defs": entry.get("$defs", {})}


def _of_folder(folder: Path) -> Iterator[tuple[tuple[str, str], Schema]]:
    found = sorted(folder.glob("ray.io_*.yaml"))
    if not found:
        msg = f"{folder}: there is no CRD of ray.io here"
        raise ManifestError(msg)
    for path in found:
        spec = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            schema = _closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = _METADATA
            schema["required"] = ["metadata", "spec"]
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def _closed(node: Mapping[str, Any]) -> Schema:
    """Turn a structural schema (apiextensions.k8s.io/v1) into a JSON Schema that accepts what the API server would keep."""
    schema: Schema = {key: node[key] for key in _COPIED if key in node}
    properties = node.get("properties", {})
    # The API server fills defaults in before it looks for what is required.
    schema["required"] = [name for name in node.get("required", ()) if "default" not in properties.get(name, {})]
    types = ["integer", "string"] if node.get("x-kubernetes-int-or-string") else [node["type"]] if "type" in node else []
    if types:
        schema["type"] = [*types, "null"] if node.get("nullable") else types
    bound = _INTEGERS.get(node.get("format", ""))
    if bound is not None:
        schema |= {"minimum": max(node.get("minimum", -bound), -bound), "maximum": min(node.get("maximum", bound - 1), bound - 1)}
    if "items" in node:
        schema["items"] = _closed(node["items"])
    if properties:
        schema["properties"] = {name: _closed(each) for name, each in properties.items()}
    if "object" in types and not node.get("x-kubernetes-preserve-unknown-fields"):
        more = node.get("additionalProperties", False)
        schema["additionalProperties"] = _closed(more) if isinstance(more, dict) else bool(more)
    return schema
