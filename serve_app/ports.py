"""Find free TCP ports, and tell who holds one that is not."""

import errno
import ipaddress
import secrets
import socket

import psutil


class PortError(Exception):
    """The service cannot listen where it shall; the message says why."""


def require_free(host: str, port: int) -> None:
    """See that `host:port` can be listened on.

    Serve's proxy shares its port with whoever sets the same option (SO_REUSEPORT), silently; so this is asked before.

    Raises:
        PortError: It is taken, by whom; or the address is not this machine's; or the port needs privileges.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a past connection's remains hold nothing
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise PortError(_reason(host, port, error)) from error


def _reason(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by {who_holds(host, port) or 'a process that cannot be seen from here'}"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs privileges; choose one above 1023"
    return f"{host} is no address of this machine"


def who_holds(host: str, port: int) -> str | None:
    """Return name and process id of who listens on the port, as `nginx (pid 123)`; None if it cannot be seen."""
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        if connection.laddr.port == port and _meet(host, connection.laddr.ip):
            return _named(connection.pid)
    return None


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _meet(wanted: str, held: str) -> bool:
    try:
        one, other = ipaddress.ip_address("127.0.0.1" if wanted == "localhost" else wanted), ipaddress.ip_address(held)
    except ValueError:
        return True
    return one == other or one.is_unspecified or other.is_unspecified


def free_ports(count: int) -> list[int]:
    """Return TCP ports of loopback that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def free_port_range(count: int) -> int:
    """Return the first of `count` ports in a row, all free now, below the range from which the system gives out ports.

    Raises:
        RuntimeError: There is no such range.
    """
    for _ in range(200):
        first = 12_000 + secrets.randbelow(19_000 - count)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    msg = f"no {count} free ports in a row between 12000 and 31000"
    raise RuntimeError(msg)


def is_free(port: int) -> bool:
    """Tell whether a TCP port of loopback can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a past connection's remains hold nothing
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
