"""Renderings of the overlays, made once a session, and the schemas that they are judged by."""

import copy
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from kuberay.documents import FOLDER, Document, find_tool, kustomized
from kuberay.schemas import Schemas

Render = Callable[[str], list[Document]]

_rendered = cache(kustomized)


@pytest.fixture(scope="session")
def render() -> Render:
    """Render an overlay by its name, into documents that the test may change."""
    if find_tool("kubectl") is None:
        pytest.skip("kubectl is not here, and there is none to install for this kind of machine")
    return lambda overlay: copy.deepcopy(_rendered(FOLDER / "overlays" / overlay))


@pytest.fixture(scope="session")
def crds() -> Path:
    """The folder with KubeRay's CRDs."""
    named = os.environ.get("KUBERAY_CRDS")
    if not named:
        pytest.skip("KUBERAY_CRDS names no folder with KubeRay's CRDs, which are not ours to keep")
    return Path(named)


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """Every schema but KubeRay's."""
    return Schemas(None)


@pytest.fixture(scope="session")
def all_schemas(crds: Path) -> Schemas:
    """Every schema, with KubeRay's."""
    return Schemas(crds)
