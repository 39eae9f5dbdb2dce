"""Launchers with a supervisor of their own, and one that many tests share."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from greenroom.launch.local import LocalLauncher
from tests.launch.helpers import (
    HOST,
    PRELOAD_WITHIN_S,
    Exits,
    eventually,
    exits_of,
    kin_of,
    supervisors_of,
)


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A short path: a socket is to be named in it."""
    with tempfile.TemporaryDirectory(prefix="gr-") as directory:
        yield Path(directory)


@pytest.fixture
async def launcher(state_dir: Path) -> AsyncIterator[LocalLauncher]:
    """A launcher with a supervisor of its own; afterwards nothing of it may live."""
    launcher = LocalLauncher(state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
    yield launcher
    supervisors = supervisors_of(state_dir)
    await launcher.shutdown()
    await eventually(lambda: not supervisors_of(state_dir))
    await eventually(lambda: not any(map(kin_of, supervisors)))


@pytest.fixture(scope="session")
def shared_state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gr-") as directory:
        yield Path(directory)
        asyncio.run(LocalLauncher(Path(directory), host=HOST).shutdown())


@pytest.fixture
async def shared(shared_state_dir: Path) -> AsyncIterator[LocalLauncher]:
    """A launcher on a supervisor that other tests use too."""
    launcher = LocalLauncher(shared_state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
    yield launcher
    await launcher.close()


@pytest.fixture
async def exits(shared: LocalLauncher) -> AsyncIterator[Exits]:
    """The exits of the shared supervisor."""
    async with exits_of(shared) as exits:
        yield exits
