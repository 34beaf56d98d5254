"""Render manifests, and read them as strictly as the API server does."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent

Document = dict[str, Any]


class ManifestError(Exception):
    """Manifests cannot be rendered or read; the message says why."""


class _Loader(yaml.CSafeLoader):
    """YAML without dates, and without a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                msg = f"line {node.start_mark.line + 1}: the key {key} is given twice"
                raise ManifestError(msg)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> list[Document]:
    """Read every document of a YAML text.

    Raises:
        ManifestError: It is not YAML, has a key twice, or a document that is no mapping.
    """
    try:
        documents = [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
    except yaml.YAMLError as error:
        msg = f"not YAML: {error}"
        raise ManifestError(msg) from error
    if not all(isinstance(each, dict) for each in documents):
        msg = "a document is no mapping"
        raise ManifestError(msg)
    return documents


def at(value: object, *path: str | int) -> Any:
    """Return what is at a path of keys and indexes, or None where it ends before."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def items(value: object, *path: str | int) -> list[Any]:
    """Return the list at a path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def find_tool(name: str) -> str | None:
    """Return the path of `kubectl` or `helm`: the one that `make test` has installed, or that of the PATH."""
    installed = Path(sys.executable).parent / name
    return str(installed) if installed.exists() else shutil.which(name)


def kustomized(overlay: Path) -> list[Document]:
    """Render an overlay, as `kubectl kustomize` does.

    Raises:
        ManifestError: kubectl is not there, or refuses it.
    """
    return parse(run_tool("kubectl", "kustomize", str(overlay)))


def templated(values: Sequence[Path], *settings: str, namespace: str = "crypto-wallets") -> list[Document]:
    """Render the chart with files of values and settings such as `image.tag=x`, as `helm template` does.

    Raises:
        ManifestError: helm is not there, or refuses it.
    """
    files = [argument for path in values for argument in ("--values", str(path))]
    given = [argument for setting in settings for argument in ("--set", setting)]
    return parse(run_tool("helm", "template", "wallets", str(FOLDER / "chart"), "--namespace", namespace, *files, *given))


def run_tool(tool: str, *arguments: str) -> str:
    """Return what `kubectl` or `helm` prints.

    Raises:
        ManifestError: It is not there, or fails.
    """
    path = find_tool(tool)
    if path is None:
        msg = f"{tool} is not installed, so nothing was rendered"
        raise ManifestError(msg)
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)  # noqa: S603  # no shell; the program is a found kubectl or helm, and the operator names the files
    if done.returncode != 0:
        msg = f"{tool} refuses it: {done.stderr.strip()}"
        raise ManifestError(msg)
    return done.stdout
