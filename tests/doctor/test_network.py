"""Ports that are taken, and machines that have nothing but loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from greenroom.doctor import network
from greenroom.doctor.finding import Level


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield int(listener.getsockname()[1])


def test_a_free_port_is_free(taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    assert network.port("127.0.0.1", free, lambda number: None).level is Level.OK
    assert network.port("127.0.0.1", 0, lambda number: None).level is Level.OK


def test_a_taken_port_names_its_holder_and_another(taken: int) -> None:
    finding = network.port("127.0.0.1", taken, network.listener_on)
    assert finding.level is Level.PROBLEM
    assert "pytest" in finding.message or "python" in finding.message
    assert f"GREENROOM_PORT={taken + 1}" in finding.mend


def test_a_port_of_another_users_process_is_taken_all_the_same(taken: int) -> None:
    finding = network.port("127.0.0.1", taken, lambda number: None)
    assert "may not see" in finding.message


def test_a_running_greenroom_is_no_problem(taken: int) -> None:
    held = network.port("127.0.0.1", taken, lambda number: "python greenroom serve, pid 7")
    assert held.level is Level.OK


@pytest.mark.parametrize("host", ["192.0.2.77", "no.such.host.invalid"])
def test_an_address_of_another_machine_cannot_be_listened_on(host: str) -> None:
    finding = network.port(host, 8642, lambda number: None)
    assert finding.level is Level.PROBLEM
    assert "GREENROOM_HOST" in finding.mend


def test_a_machine_with_an_interface_can_be_called() -> None:
    finding = network.ice(["fd00::2", "192.0.2.2"], loopback_allowed=False)
    assert (finding.level, finding.message) == (Level.OK, "192.0.2.2, fd00::2")
    both = network.ice(["192.0.2.2"], loopback_allowed=True)
    assert both.message == "192.0.2.2, 127.0.0.1"


def test_a_loopback_only_machine_is_told_what_to_do() -> None:
    finding = network.ice([], loopback_allowed=False)
    assert finding.level is Level.PROBLEM
    assert "GREENROOM_ALLOW_LOOPBACK_MEDIA=1" in finding.mend
    assert "--allow-loopback-in-peer-connection" in finding.mend
    allowed = network.ice([], loopback_allowed=True)
    assert allowed.level is Level.WARNING
    assert "--allow-loopback-in-peer-connection" in allowed.mend


def test_callers_from_outside_need_a_relay() -> None:
    def finding(host_is_loopback: bool, urls: list[str], address: str) -> Level:
        return network.relay(
            host_is_loopback=host_is_loopback, ice_urls=urls, addresses=[address]
        ).level

    assert finding(True, [], "10.0.0.2") is Level.OK
    assert finding(False, [], "10.0.0.2") is Level.WARNING
    assert finding(False, ["stun:a.example"], "8.8.8.8") is Level.WARNING
    assert finding(False, ["turn:a.example"], "10.0.0.2") is Level.OK
