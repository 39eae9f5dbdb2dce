"""Lets WebRTC run over 127.0.0.1, which aioice leaves out of its host candidates."""

from __future__ import annotations

from aioice import ice

_LOOPBACK = "127.0.0.1"
_interfaces_only = ice.get_host_addresses


def _with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    addresses: list[str] = _interfaces_only(use_ipv4=use_ipv4, use_ipv6=use_ipv6)
    return [*addresses, _LOOPBACK] if use_ipv4 else addresses


def allow_loopback(allowed: bool) -> None:
    """Have every ICE agent of this process gather 127.0.0.1 as well, or no longer.

    aioice 0.13 excludes the address in ``get_host_addresses`` and has no option for it. Without
    it, a machine that has no other network interface can hold no call with itself.
    Side effect: replaces that function in the ``aioice.ice`` module.
    """
    ice.get_host_addresses = _with_loopback if allowed else _interfaces_only
