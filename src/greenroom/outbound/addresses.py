"""Which network addresses are the public internet's, and which are somebody's own network."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# What is routed to everybody (RFC 4291); all of IPv6 outside it is special in one way or another.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# IPv4 addresses in IPv6's clothes: translators (RFC 6052) pass them on to the IPv4 within.
_NAT64 = IPv6Network("64:ff9b::/96")
# What IANA's registries of special addresses hold and not every Python's `ipaddress` knows:
# protocol assignments (a cloud's metadata service is among them), relays, documentation.
_SPECIAL_V4 = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_SPECIAL_V6 = (IPv6Network("2001::/23"), IPv6Network("3fff::/20"))


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet.

    Private, link-local, loopback, shared, multicast, reserved and documentation ranges do not,
    and with them no cloud's metadata service. An IPv6 address that stands for an IPv4 address
    (mapped, 6to4, Teredo, NAT64) is judged by that one.

    Args:
        address: An IPv4 or IPv6 address as text. Anything else is not public.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    return _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    if any(address in special for special in _SPECIAL_V4):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_public_v6(address: IPv6Address) -> bool:
    within = _embedded(address)
    if within is not None:
        return all(_is_public_v4(inner) for inner in within)
    if any(address in special for special in _SPECIAL_V6):
        return False
    return address in _GLOBAL_UNICAST and address.is_global


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...] | None:
    """The IPv4 addresses that an IPv6 address stands for, if it does."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return None
