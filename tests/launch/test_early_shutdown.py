"""A launcher that is shut down before its supervisor has come up leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psutil

from greenroom.launch.local import LocalLauncher


async def test_shutting_down_while_the_supervisor_starts_leaves_none(tmp_path: Path) -> None:
    state_dir = tmp_path / "s"
    launcher = LocalLauncher(state_dir, host="greenroom.testing.hosts")
    starting = asyncio.create_task(launcher.living())
    async with asyncio.timeout(10):
        while not (state_dir / "supervisor.err").exists():  # made right before it is started
            await asyncio.sleep(0.001)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert not [child for child in psutil.Process().children() if _is_of(child, state_dir)]
    await launcher.shutdown()
    _, alive = psutil.wait_procs(_supervisors(state_dir), timeout=5)  # it idles for a minute
    assert alive == []


def _supervisors(state_dir: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is_of(process, state_dir)]


def _is_of(process: psutil.Process, state_dir: Path) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return f"--state-dir={state_dir}" in process.cmdline()
    return False
