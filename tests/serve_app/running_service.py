"""The service over HTTP on loopback: the real edge and domain, on ports in memory, without Ray."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.http import create_http_app
from tests.api.conftest import World


@contextmanager
def running(world: World) -> Iterator[str]:
    """Serve `world` in a thread and yield the URL."""
    config = uvicorn.Config(create_http_app(world.edge()), host="127.0.0.1", port=0, lifespan="off", ws="none", log_level="critical")
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def announced_startup(*arguments: object, **named: object) -> None:
        await startup(*arguments, **named)  # type: ignore[arg-type]  # passed through as they come
        started.set()

    server.startup = announced_startup  # type: ignore[method-assign]  # uvicorn tells nobody when it listens
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(20)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
