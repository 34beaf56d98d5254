"""Check the overlays, or the chart with files of values: `python -m kuberay.check [OVERLAY...] [--values FILE...]`.

`KUBERAY_CRDS` names a folder with KubeRay's CRDs (`ray.io_*.yaml`); where it is not set they are asked of the cluster that kubectl reaches,
and where there is none RayServices are judged by the rules alone, which is said. One line a problem; the exit code is 1 if there is one.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kuberay.documents import FOLDER, Document, ManifestError, at, kustomized, run_tool, templated
from kuberay.release import Release
from kuberay.rules import broken
from kuberay.schemas import Schemas

OVERLAYS = tuple(sorted(path.parent.name for path in FOLDER.glob("overlays/*/kustomization.yaml")))
_KINDS = ("rayservices", "rayclusters")
_KUBECTL_SECONDS = 10


def problems(documents: Sequence[Document], schemas: Schemas) -> Iterator[str]:
    """Say what is wrong with the documents of a release, each with what to do."""
    for document in documents:
        for problem in schemas.problems(document):
            yield f"schema: {document.get('kind')} {at(document, 'metadata', 'name')}: {problem}"
    for rule, problem in broken(Release(documents)):
        yield f"{rule}: {problem}"


@contextmanager
def crds() -> Iterator[Path | None]:
    """Lend the folder with KubeRay's CRDs: the one that `KUBERAY_CRDS` names, or one filled from a cluster; None where there is neither."""
    named = os.environ.get("KUBERAY_CRDS")
    if named:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) if all(_fetched(kind, Path(folder)) for kind in _KINDS) else None


def _fetched(kind: str, folder: Path) -> bool:
    try:
        definition = run_tool("kubectl", "get", "crd", f"{kind}.ray.io", "--output", "yaml", f"--request-timeout={_KUBECTL_SECONDS}s")
    except ManifestError:
        return False
    (folder / f"ray.io_{kind}.yaml").write_text(definition)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the arguments name, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kuberay.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("overlay", nargs="*", help=f"folders or names of overlays; all of them if none is given: {', '.join(OVERLAYS)}")
    parser.add_argument("--values", type=Path, action="append", help="check the chart with this file of values instead")
    chosen = parser.parse_args(arguments)
    if chosen.values:
        return _report({"chart": partial(templated, chosen.values)})
    return _report({name: partial(kustomized, _folder(name)) for name in chosen.overlay or OVERLAYS})


def _folder(name: str) -> Path:
    return FOLDER / "overlays" / name if name in OVERLAYS else Path(name)


def _report(renderings: dict[str, Callable[[], list[Document]]]) -> int:
    count = 0
    with crds() as folder:
        schemas = Schemas(folder)
        if not schemas.judges_ray:
            sys.stdout.write("KUBERAY_CRDS is not set and no cluster is reached, so RayServices are not compared with KubeRay's schema\n")
        for name, render in renderings.items():
            found: list[str] = []
            try:
                found.extend(problems(render(), schemas))
            except ManifestError as error:
                found.append(str(error))
            count += len(found)
            sys.stdout.writelines(f"{name}: {line}\n" for line in found or ["ok"])
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
