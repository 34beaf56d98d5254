"""Make the HTTP application of the contract."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.limits import CallKind
from api import answers, docs, openapi, problems
from api.direct import DirectRoutes
from api.edge import Edge
from api.health import HealthMonitor
from api.middleware import EdgeMiddleware
from api.observability import METRICS_MEDIA_TYPE
from api.routes import HealthRoutes, WalletRoutes, batch_cost, guarded, range_cost
from wallets.errors import WalletError

__all__ = ["Edge", "create_http_app"]

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

_EVERYWHERE = (401, 429, 500, 503)
_WITH_BODY = (400, 413, 415, 422)
_ONCE = (400, 409, 422)
_OF_WALLET = (400, 404, 422)


def create_http_app(edge: Edge) -> FastAPI:
    """Make the application that serves `edge`."""
    app = _Application(
        title="Crypto Wallets Service",
        version=edge.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own would record the messages of errors and hand request bodies to whatever provider Ray has set up.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
        exception_handlers={
            WalletError: problems.on_error,
            RequestValidationError: problems.on_invalid,
            HTTPException: problems.on_http_error,
        },
    )
    routes = WalletRoutes(edge)
    _add_wallet_routes(app, edge, routes)
    _add_operations(app, edge)
    _add_docs(app)
    app.enter_by(edge, routes)
    return app


class _Application(FastAPI):
    """FastAPI with the edge's middleware around it, and the direct routes before it."""

    def enter_by(self, edge: Edge, routes: WalletRoutes) -> None:
        """Build the way of a request. Call it when every route is there."""
        by_name = {route.name: route for route in self.router.routes if isinstance(route, APIRoute)}
        direct = DirectRoutes(super().__call__, edge, routes, sign_route=by_name["sign"], address_route=by_name["get_address"])
        self._entrance = EdgeMiddleware(direct, edge.metrics, edge.access_log)

    def build_middleware_stack(self) -> ASGIApp:
        """Leave out the layer that answers a bug in plain text: the edge's middleware does that."""
        return ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=self.exception_handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the server."""
        await self._entrance(scope, receive, send)


def _add_wallet_routes(app: FastAPI, edge: Edge, routes: WalletRoutes) -> None:
    read, lock = guarded(edge), guarded(edge, remembered=True)
    create, sign = (guarded(edge, kind=kind, remembered=True) for kind in (CallKind.CREATE, CallKind.SIGN))

    def add(
        method: str, path: str, endpoint: Endpoint, model: type[BaseModel], tag: str, *statuses: int, route: type[APIRoute] = read
    ) -> None:
        is_once = getattr(route, "is_remembered", False)
        app.router.add_api_route(
            f"/api/v1{path}",
            endpoint,
            methods=[method],
            tags=[tag],
            responses={200: {"model": model}, **openapi.problem_responses(*sorted({*statuses, *_EVERYWHERE, *(_ONCE if is_once else ())}))},
            openapi_extra={"security": [{openapi.SECURITY_SCHEME: []}], **({"parameters": [openapi.IDEMPOTENCY_KEY]} if is_once else {})},
            route_class_override=route,
        )

    add("POST", "/wallets/{wallet_id}/sign", routes.sign, answers.SignAnswer, "accounts", *_WITH_BODY, 403, 404, route=sign)
    for path, endpoint in (("sign-message", routes.sign_message), ("sign-typed-data", routes.sign_typed_data)):
        add("POST", f"/wallets/{{wallet_id}}/{path}", endpoint, answers.SignMessageAnswer, "accounts", *_WITH_BODY, 403, 404, route=sign)
    add("POST", "/transactions/inspect", routes.inspect, answers.InspectAnswer, "transactions", *_WITH_BODY)
    batch, addresses = guarded(edge, batch_cost, CallKind.SIGN, remembered=True), guarded(edge, range_cost)
    add("POST", "/wallets/{wallet_id}/sign-batch", routes.sign_batch, answers.SignBatchAnswer, "accounts", *_WITH_BODY, route=batch)
    add("POST", "/sign-batch", routes.sign_wallets_batch, answers.SignBatchAnswer, "accounts", *_WITH_BODY, route=batch)
    derived = answers.AddressRange
    add("POST", "/wallets/{wallet_id}/addresses", routes.derive_addresses, derived, "accounts", *_WITH_BODY, 404, route=addresses)
    add("GET", "/wallets/{wallet_id}/address/{network}", routes.get_address, answers.AddressAnswer, "accounts", *_OF_WALLET)
    add("POST", "/wallets", routes.create_wallet, answers.WalletAnswer, "wallets", *_WITH_BODY, route=create)
    add("GET", "/wallets", routes.list_wallets, answers.WalletList, "wallets", 422)
    add("POST", "/wallets/import", routes.import_wallet, answers.WalletAnswer, "wallets", *_WITH_BODY, route=create)
    add("GET", "/wallets/{wallet_id}", routes.get_wallet, answers.WalletAnswer, "wallets", *_OF_WALLET)
    add("GET", "/addresses/{address}", routes.find_address, answers.AccountsAnswer, "accounts", *_OF_WALLET)
    add("POST", "/admin/lock", routes.lock, answers.LockAnswer, "admin", 422, route=lock)


def _add_operations(app: FastAPI, edge: Edge) -> None:
    routes = HealthRoutes(HealthMonitor(edge.custody.health))

    async def metrics() -> Response:
        """Return every metric of this node's processes in Prometheus' text format."""
        return Response(await asyncio.to_thread(edge.metrics.render), media_type=METRICS_MEDIA_TYPE)

    def add(path: str, endpoint: Endpoint, responses: dict[int | str, dict[str, Any]]) -> None:
        app.router.add_api_route(path, endpoint, methods=["GET"], tags=["operations"], responses=responses, route_class_override=APIRoute)

    add("/api/v1/health", routes.full, {200: {"model": answers.Health}, 503: {"model": answers.Health}})
    add("/api/v1/health/live", routes.live, {200: {"model": answers.Liveness}})
    add("/api/v1/health/ready", routes.ready, {200: {"model": answers.Readiness}, 503: {"model": answers.Readiness}})
    add("/metrics", metrics, {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text format"}})


def _add_docs(app: FastAPI) -> None:
    @cache
    def document() -> bytes:
        return orjson.dumps(openapi.describe(app))

    async def openapi_document() -> Response:
        return Response(document(), media_type="application/json")

    for path, endpoint in {
        "/api-docs/openapi.json": openapi_document,
        "/swagger-ui": docs.page,
        "/swagger-ui/": docs.page,
        "/swagger-ui/start.js": docs.start_script,
        "/swagger-ui/swagger-ui-bundle.js": docs.bundle,
        "/swagger-ui/swagger-ui.css": docs.style,
        "/swagger-ui/favicon.png": docs.icon,
    }.items():
        app.router.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)
