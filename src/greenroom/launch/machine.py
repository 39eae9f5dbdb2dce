"""Measuring this machine: how many of its cores are busy, and how much memory is free."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import psutil

from greenroom.session.policy import Load

SAMPLE_EVERY_S = 1.0
# Long enough to pass over a single launch or a page's reload, short enough to see a crowd come.
WINDOW_S = 5.0
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    busy_core_s: float


class MachineCapacity:
    """Implements `greenroom.ports.capacity.Capacity` for the machine, or container, we run on.

    Args:
        cgroup: Where a container's bounds stand (cgroup v2). Without bounds there, the whole
            machine counts, and whatever else runs on it.
    """

    def __init__(self, cgroup: Path = _CGROUP) -> None:
        self._cgroup = cgroup
        self._samples: deque[_Sample] = deque()
        self._cores = _usable_cores()

    def load(self) -> Load | None:
        """See `Capacity.load`."""
        if len(self._samples) < 2:
            return None
        first, last = self._samples[0], self._samples[-1]
        busy = (last.busy_core_s - first.busy_core_s) / (last.at_s - first.at_s)
        return Load(self._bounded_cores(), max(0.0, busy), self._free_bytes())

    async def run(self) -> None:
        """See `Capacity.run`."""
        while True:
            self.sample(time.monotonic())
            await asyncio.sleep(SAMPLE_EVERY_S)

    def sample(self, now_s: float) -> None:
        """Look once. Reads a few lines from the kernel, so it does not wait."""
        self._samples.append(_Sample(now_s, self._busy_core_s()))
        # One that is older than the window stays, so that the window is always covered.
        while len(self._samples) > 2 and self._samples[1].at_s <= now_s - WINDOW_S:
            self._samples.popleft()

    def _bounded_cores(self) -> float:
        return min(self._cores, _quota_cores(self._cgroup) or self._cores)

    def _busy_core_s(self) -> float:
        """Seconds of work so far, over all cores: the container's if it is bounded, else all."""
        if _quota_cores(self._cgroup) is not None:
            used_us = _numbers(self._cgroup / "cpu.stat").get("usage_usec")
            if used_us is not None:
                return used_us / 1e6
        times = psutil.cpu_times()
        # What waits for a disk is idle; what the hypervisor took is not there for us.
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - guest)

    def _free_bytes(self) -> int:
        free = int(psutil.virtual_memory().available)
        most = _number(self._cgroup / "memory.max")
        used = _number(self._cgroup / "memory.current")
        if most is None or used is None:
            return free
        # The kernel takes its file cache back before it lets a container run out of memory.
        cache = _numbers(self._cgroup / "memory.stat").get("inactive_file", 0)
        return min(free, most - used + cache)


def _usable_cores() -> float:
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    return float(os.cpu_count() or 1)


def _quota_cores(cgroup: Path) -> float | None:
    """How many cores the container may use; None: as many as there are."""
    words = _read(cgroup / "cpu.max").split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return int(words[0]) / int(words[1])


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _numbers(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
