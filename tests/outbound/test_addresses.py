"""Which addresses are public, and which are somebody's own network in whatever clothes."""

from __future__ import annotations

import pytest

from greenroom.outbound.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # shared between carriers' customers
        "169.254.169.254",  # the metadata service of most clouds
        "192.0.0.192",  # and of another
        "100.100.100.200",  # and of a third
        "198.18.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "3fff::1",
        "2001:20::1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2002:a9fe:a9fe::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, its client at 10.0.0.1
        "localhost",
        "",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
    ],
)
def test_these_are_not_public(address: str) -> None:
    """FAILURES 29."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "64:ff9b::8.8.8.8",
    ],
)
def test_these_are_public(address: str) -> None:
    assert is_public(address)
