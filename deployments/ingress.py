"""Be the ingress of a topology: what Serve's HAProxy sends requests to."""

from functools import partial

from fastapi import FastAPI

from api.edge import Edge
from api.grpc.call import Slots
from api.grpc.server import GrpcServer, Handlers
from api.http import create_http_app
from deployments.replica import HardenedReplica
from deployments.serve_corrections import answer_directly, answer_grpc_by
from deployments.settings import Settings
from deployments.wiring import OpenCustody, open_edge


class Ingress(HardenedReplica):
    """Authenticate and limit requests, and answer them by a custody."""

    async def open_app(self, settings: Settings, open_custody: OpenCustody) -> None:
        """Open the application that Serve is given."""
        answer_directly()
        edge = await self._resources.enter_async_context(open_edge(settings, open_custody))
        self._app = create_http_app(edge)
        answer_grpc_by(partial(self._serve_grpc, edge))
        self.tell_start(edge.metrics)

    def _serve_grpc(self, edge: Edge, slots: Slots, more: Handlers) -> GrpcServer:
        self._grpc_server = GrpcServer(edge, slots, more)
        return self._grpc_server

    async def end_streams(self) -> None:
        """Have the streams of gRPC end after what is under way: for whoever is about to end this replica's HAProxy.

        Serve ends a replica that it takes away in the same way, but only after it has waited for HAProxy to hear of that.
        """
        self._grpc_server.end_streams()

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Give Serve the application to call; built here, so that nothing of it is pickled."""
        return self._app
