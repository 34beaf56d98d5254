"""Have Ray Serve open a gRPC port, and keep its own proxy from serving anything on one.

Serve opens ports for gRPC where it is given functions that add services to a server. Ours adds none: a replica serves what
`deployments.serve_corrections.answer_grpc_by` says, and the proxy that Serve runs beside HAProxy would hand requests on through Ray.
"""

from typing import Protocol

from ray.serve._private import default_impl

from deployments.replacing import replace_in

NO_SERVICES = f"{__name__}.add_nothing"

_LOOPBACK = "127.0.0.1"


def add_nothing(_servicer: object, _server: object) -> None:
    """Add no service to a server of Serve's."""


def keep_on_loopback() -> list[object]:
    """Have this process of Serve's open its gRPC port on loopback, for which Serve 2.60 has no switch; return no middleware.

    That is for one machine. In a cluster the HAProxies of other nodes are not ready before they have found that port well, so it stays open
    between Ray's pods, and the NetworkPolicies close it to all others; nothing of ours is served there.

    Serve calls what `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names where it makes a proxy, and opens that port afterwards.

    Raises:
        RuntimeError: This version of Ray does it in another way, so the port would be open.
    """
    replace_in(default_impl, "add_grpc_address", _on_loopback)
    return []


class _Server(Protocol):
    def add_insecure_port(self, address: str) -> int: ...


def _on_loopback(server: _Server, address: str) -> None:
    server.add_insecure_port(f"{_LOOPBACK}:{address.rpartition(':')[2]}")
