"""Run `crypto-wallets up` on Ray Serve as it comes, with its Python proxy in the place of HAProxy: `python -m benchmarks.python_proxy`.

The service has no setting for this, because nobody should want it; the benchmarks show what HAProxy is worth.
"""

from collections.abc import Mapping
from dataclasses import replace

from serve_app import machine
from serve_app.child import Child
from serve_app.cli import app
from serve_app.cluster import RayCluster

AS_IT_COMES = {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0"}


class AsItComes(RayCluster):
    """The cluster, its switches as Serve has them."""

    def child(self, environ: Mapping[str, str], url: str) -> Child:
        """See `RayCluster.child`."""
        child = RayCluster.child(self, environ, url)
        return replace(child, env={**child.env, **AS_IT_COMES})


if __name__ == "__main__":
    vars(machine)["RayCluster"] = AsItComes
    app(["up"])
