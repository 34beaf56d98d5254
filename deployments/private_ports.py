"""Keep Ray Serve from opening ports in a replica that nobody needs."""

from ray.serve._private import replica


def close_handle_port() -> None:
    """Have this replica open no port for calls from other deployments.

    Serve 2.60 gives each replica a gRPC server on all interfaces that unpickles what it receives, without authentication: whoever reaches
    it runs code in the process that holds keys. A replica that is called through the ingress alone does not need it. Call this in the
    deployment's constructor, before Serve opens the port.

    Raises:
        RuntimeError: This version of Ray does it in another way, so the port would be open.
    """
    if not hasattr(replica, "add_port_to_grpc_server"):
        msg = "this version of Ray opens its handle port in a way that is not known here; use the locked version"
        raise RuntimeError(msg)
    replica.add_port_to_grpc_server = _no_port


def _no_port(_server: object, _address: str) -> int:
    return 0
