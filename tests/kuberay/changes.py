"""Change the documents of an overlay as a person might by mistake."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml

from kuberay.documents import Document

Change = Callable[[list[Document]], None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A change of the documents of an overlay, the rule that finds it, and a part of what the rule says."""

    name: str
    rule: str
    says: str
    make: Change
    overlay: str = "production"


def put(path: str, value: object) -> Change:
    """Set what is at a path, which begins with `Kind/name` (a name without its hash); steps are apart by spaces."""
    return partial(_put, path, value)


def drop(path: str) -> Change:
    """Take out what is at a path."""
    return partial(_drop, path)


def add(path: str, value: object) -> Change:
    """Add to the list at a path."""
    return partial(_add, path, value)


def serve(path: str, value: object) -> Change:
    """Set what is at a path of `serveConfigV2`; None takes it out."""
    return partial(_serve, path, value)


def both(*changes: Change) -> Change:
    """Make several changes."""

    def make(documents: list[Document]) -> None:
        for change in changes:
            change(documents)

    return make


def _parent(documents: list[Document], path: str) -> tuple[Any, Any]:
    start, *steps = path.split(" ")
    kind, _, name = start.partition("/")
    value: Any = next(each for each in documents if each["kind"] == kind and each["metadata"]["name"].startswith(name))
    *above, last = [int(step) if step.isdigit() else step for step in steps]
    for step in above:
        value = value[step]
    return value, last


def _put(path: str, value: object, documents: list[Document]) -> None:
    parent, last = _parent(documents, path)
    parent[last] = value


def _drop(path: str, documents: list[Document]) -> None:
    if " " not in path:
        kind, _, name = path.partition("/")
        documents[:] = [each for each in documents if not (each["kind"] == kind and each["metadata"]["name"].startswith(name))]
        return
    parent, last = _parent(documents, path)
    del parent[last]


def _add(path: str, value: object, documents: list[Document]) -> None:
    parent, last = _parent(documents, path)
    parent[last] = [*parent[last], value]


def _serve(path: str, value: object, documents: list[Document]) -> None:
    parent, last = _parent(documents, "RayService/wallets spec serveConfigV2")
    config = yaml.safe_load(parent[last])
    *above, final = [int(step) if step.isdigit() else step for step in path.split(" ")]
    place = config
    for step in above:
        place = place[step]
    if value is None:
        del place[final]
    else:
        place[final] = value
    parent[last] = yaml.safe_dump(config)
