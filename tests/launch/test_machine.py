"""How busy the machine is: a container's own figures where it is bounded, else the machine's."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from greenroom.launch.machine import WINDOW_S, MachineCapacity

MIB = 1024 * 1024


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The files of a container that may use one core and a half, and a gigabyte."""
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{1024 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{900 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {76 * MIB}\n")
    worked(tmp_path, 100.0)
    return tmp_path


def worked(container: Path, core_s: float) -> None:
    (container / "cpu.stat").write_text(f"usage_usec {int(core_s * 1e6)}\nuser_usec 1\n")


def test_nothing_is_said_before_there_is_something_to_compare(container: Path) -> None:
    capacity = MachineCapacity(container)
    assert capacity.load() is None
    capacity.sample(0.0)
    assert capacity.load() is None


def test_a_container_is_measured_against_its_own_bounds(container: Path) -> None:
    capacity = MachineCapacity(container)
    capacity.sample(0.0)
    worked(container, 102.4)
    capacity.sample(2.0)
    load = capacity.load()
    assert load is not None
    assert load.cores <= 1.5
    assert load.busy_cores == pytest.approx(1.2)
    assert load.free_bytes == 200 * MIB


def test_only_the_last_seconds_count(container: Path) -> None:
    capacity = MachineCapacity(container)
    for second in range(30):  # a core and a half at first, then idle
        worked(container, 100 + 1.5 * min(second, 20))
        capacity.sample(float(second))
    load = capacity.load()
    assert load is not None
    assert load.busy_cores == 0
    assert WINDOW_S < 29 - 20


@pytest.mark.parametrize(
    ("cpu", "memory"), [("max 100000", "max"), ("", ""), ("broken", "broken"), ("-1 100000", "-1")]
)
def test_without_bounds_the_machine_counts(tmp_path: Path, cpu: str, memory: str) -> None:
    (tmp_path / "cpu.max").write_text(cpu)
    (tmp_path / "memory.max").write_text(memory)
    capacity = MachineCapacity(tmp_path)
    capacity.sample(0.0)
    capacity.sample(1.0)
    load = capacity.load()
    assert load is not None
    assert load.cores >= 1
    assert load.busy_cores >= 0
    assert load.free_bytes > 0


async def test_it_goes_on_until_cancelled(container: Path) -> None:
    capacity = MachineCapacity(container)
    measuring = asyncio.create_task(capacity.run())
    while not capacity._samples:
        await asyncio.sleep(0)
    measuring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await measuring
