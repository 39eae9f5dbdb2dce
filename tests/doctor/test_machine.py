"""What the doctor says about machines that are not this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.doctor import machine
from greenroom.doctor.finding import Level

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 10, 14), Level.PROBLEM),
        ((3, 11, 0), Level.OK),
        ((3, 13, 9), Level.OK),
        ((3, 14, 0), Level.WARNING),
    ],
)
def test_python(version: tuple[int, int, int], level: Level) -> None:
    finding = machine.python(version)
    assert finding.level is level
    assert ".".join(map(str, version)) in finding.message


def test_the_voice_is_found_or_how_to_get_it() -> None:
    assert machine.voice(lambda name: f"/usr/bin/{name}").message == "espeak-ng, /usr/bin/espeak-ng"
    missing = machine.voice(lambda name: None)
    assert missing.level is Level.PROBLEM
    assert "apt-get install espeak-ng" in missing.mend


def test_a_built_page_needs_no_node(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    assert machine.page(tmp_path, lambda name: None, lambda program: "").level is Level.OK


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("v18.19.0", "too old"),
        ("v20.18.1", "too old"),
        ("v20.19.0", "can do it"),
        ("v22.11.0", "too old"),
        ("v22.12.0", "can do it"),
        ("v24.0.1", "can do it"),
        ("what?", "too old"),
    ],
)
def test_a_page_that_is_not_built_needs_a_recent_node(
    tmp_path: Path, version: str, told: str
) -> None:
    finding = machine.page(tmp_path, lambda name: "/usr/bin/node", lambda program: version)
    assert finding.level is Level.PROBLEM
    assert told in finding.message
    assert "make run" in finding.mend
    nobody = machine.page(tmp_path, lambda name: None, lambda program: version)
    assert "no Node.js" in nobody.message


def test_how_bots_start() -> None:
    assert machine.starting("fork").level is Level.OK
    assert "100 MB" in machine.starting("spawn").message


@pytest.mark.parametrize(("count", "level"), [(1, Level.WARNING), (2, Level.OK)])
def test_cores(count: int, level: Level) -> None:
    finding = machine.cores(count)
    assert (finding.level, f"about {5 * count} calls" in finding.message) == (level, True)


@pytest.mark.parametrize(
    ("free_mib", "level", "told"),
    [
        (320, Level.PROBLEM, "not enough"),
        (420, Level.WARNING, "room for 3 calls"),
        (1100, Level.OK, "20 calls"),
    ],
)
def test_memory(free_mib: int, level: Level, told: str) -> None:
    finding = machine.memory(free_mib * MIB)
    assert finding.level is level
    assert told in finding.message
