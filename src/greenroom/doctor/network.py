"""The network: the server's port, and the addresses that this machine can offer for audio."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence

import psutil

from greenroom.doctor.finding import Finding, ok, problem, warning

LOOPBACK_MEND = (
    "Set GREENROOM_ALLOW_LOOPBACK_MEDIA=1, and start Chromium with "
    "--allow-loopback-in-peer-connection."
)

HolderOf = Callable[[int], str | None]


def port(host: str, number: int, holder_of: HolderOf) -> Finding:
    """Whether the server can listen where it is meant to.

    Args:
        host: The address.
        number: The port; 0 is any that is free.
        holder_of: Who listens on a port, as a command line; None if nobody may tell.
    """
    error = _cannot_bind(host, number)
    if error is None:
        return ok("port", f"{host}:{number} is free" if number else "any free one")
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(number) or "somebody whom this user may not see"
        if "greenroom" in holder:
            return ok("port", f"{host}:{number} is held by a running Greenroom ({holder})")
        mend = f"Stop that, or choose another: GREENROOM_PORT={number + 1 if number < 65535 else 0}"
        return problem("port", f"{host}:{number} is taken by {holder}.", mend)
    if error.errno == errno.EACCES:
        mend = "Use a port above 1023, with a proxy in front."
        return problem("port", f"{host}:{number} may not be used by this user.", mend)
    mend = "Set GREENROOM_HOST to an address of this machine, 127.0.0.1 say."
    return problem("port", f"Nobody can listen on {host}:{number}: {error.strerror}.", mend)


def _cannot_bind(host: str, number: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def listener_on(number: int) -> str | None:
    """The process that listens on a port, as a command line; None if this user may not know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and _port_of(connection.laddr) == number:
                if connection.pid is None:
                    return None
                process = psutil.Process(connection.pid)
                return f"{' '.join(process.cmdline()[:4])}, pid {connection.pid}"
    except psutil.Error:
        pass
    return None


def _port_of(address: object) -> int | None:
    """Psutil has an empty tuple for an address that it cannot tell."""
    return getattr(address, "port", None)


def ice(addresses: Sequence[str], *, loopback_allowed: bool) -> Finding:
    """Which addresses this machine can offer for audio.

    Args:
        addresses: Those of its interfaces, loopback left out, as aioice gathers them.
        loopback_allowed: Whether 127.0.0.1 is offered, too (``GREENROOM_ALLOW_LOOPBACK_MEDIA``).
    """
    told = ", ".join(sorted(addresses, key=_ipv4_first))
    if addresses and not loopback_allowed:
        return ok("audio over", told)
    if addresses:
        return ok("audio over", f"{told}, 127.0.0.1")
    if loopback_allowed:
        return warning(
            "audio over",
            "127.0.0.1 only: this machine can hold calls with itself.",
            "Start Chromium with --allow-loopback-in-peer-connection.",
        )
    message = "This machine has no network interface but loopback, which WebRTC leaves out."
    return problem("audio over", message, LOOPBACK_MEND)


def _ipv4_first(address: str) -> tuple[bool, str]:
    return ":" in address, address


def relay(*, host_is_loopback: bool, ice_urls: Sequence[str], addresses: Sequence[str]) -> Finding:
    """Whether callers from elsewhere can reach the audio."""
    if host_is_loopback:
        return ok("audio from outside", "not needed: only this machine can reach the server")
    if any(url.startswith(("turn:", "turns:")) for url in ice_urls):
        return ok("audio from outside", "by a TURN server, where nothing shorter works")
    mend = 'Set GREENROOM_ICE_SERVERS=\'[{"urls": ["turn:…"], "username": …, "credential": …}]\''
    reachable = any(_is_public(address) for address in addresses)
    if not reachable and not ice_urls:
        message = "Only private addresses, and no STUN or TURN: callers need the same network."
        return warning("audio from outside", message, mend)
    message = "Without a TURN server, callers behind strict firewalls hear nothing."
    return warning("audio from outside", message, mend)


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.split("%")[0]).is_global
