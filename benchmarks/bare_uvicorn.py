"""Serve the application that a replica serves, from the same settings, under uvicorn alone: `python -m benchmarks.bare_uvicorn`.

This is the yardstick: what is slower than this, Ray Serve costs; what this costs, the application does. One process, uvloop and httptools,
as uvicorn's documentation advises.
"""

import sys

import uvicorn
import uvloop

from api.http import create_http_app
from deployments.requirements import require_dependencies
from deployments.settings import Settings, load
from deployments.wiring import open_custody, open_edge


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    async with open_edge(settings, open_custody) as edge:
        config = uvicorn.Config(
            create_http_app(edge),
            host=settings.server.host,
            port=settings.server.port,
            http="httptools",
            lifespan="off",
            ws="none",
            access_log=False,  # the edge writes one line a request, as it does on Serve
            log_level="warning",
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(require_dependencies(load()))))
