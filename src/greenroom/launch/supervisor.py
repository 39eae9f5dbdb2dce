"""The supervisor: an asyncio process with a lifetime of its own that starts, watches and ends bots.

Started as ``python -m greenroom.launch.supervisor --state-dir DIR``; see `greenroom.launch` for who
outlives whom. Exits are kept, in the journal of the state directory, until they are forgotten.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import structlog

from greenroom.launch import kernel
from greenroom.launch.config import Config, supervisor_log
from greenroom.launch.door import Door
from greenroom.launch.hatch import Hatchery
from greenroom.launch.journal import Journal
from greenroom.launch.launches import Launches
from greenroom.launch.ledger import Ledger
from greenroom.launch.reaper import Reaper
from greenroom.launch.spawning import SpawningHatchery
from greenroom.launch.state import StateDir, lock_or_none
from greenroom.launch.zygotes import ForkingHatchery

# A predecessor that is just leaving may hold the lock for a moment.
LOCK_WITHIN_S = 2.0
# On SIGTERM or `shutdown` every bot gets SIGTERM at once and SIGKILL after this long.
STOP_TERM_S = 5.0
ALREADY_RUNNING = 3


class Supervisor:
    """Signals, idleness and the order in which things end."""

    def __init__(self, state: StateDir, config: Config, log: structlog.stdlib.BoundLogger) -> None:
        self._state = state
        self._config = config
        self._log = log
        self._stop = asyncio.Event()
        self._reaper = Reaper()
        self._hatchery = self._make_hatchery()
        ledger = Ledger(Journal(state))
        self._launches = Launches(state, ledger, self._hatchery, self._reaper, log)
        self._door = Door(state, config, self._launches, ledger, self._hatchery, self.stop, log)

    async def run(self) -> None:
        """Until somebody stops it or nobody needs it."""
        self._listen_to_signals()
        kernel.adopt_orphans()
        self._log.info("supervisor.started", pid=os.getpid(), method=self._config.method)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._launches.run())
            idling = tasks.create_task(self._stop_when_idle())
            async with self._door.open():
                await self._stop.wait()
                self._log.info("supervisor.stopping", launches=self._launches.count)
                await self._launches.end_all(term_s=STOP_TERM_S)
                # Nobody looks for them after us.
                self._reaper.kill_strays(())
            running.cancel()
            idling.cancel()
        self._hatchery.close()
        self._log.info("supervisor.stopped")

    def stop(self) -> None:
        """End every bot politely, then this process. A second call hurries."""
        if self._stop.is_set():
            self._launches.end_now()
        self._stop.set()

    def _make_hatchery(self) -> Hatchery:
        config = self._config
        if config.method == "fork":
            return ForkingHatchery(config, self._state.logs, self._reaper, self._log)
        self._log.warning(
            "supervisor.spawning",
            why="fork is not safe on this system, or spawn was asked for",
            cost="every bot imports everything itself: seconds, and about 100 MB each",
        )
        return SpawningHatchery(config.host, config.preload_within_s, self._reaper)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reaper.collect)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def _stop_when_idle(self) -> None:
        idle_s, tick_s = 0.0, min(1.0, self._config.idle_exit_s / 4)
        while idle_s < self._config.idle_exit_s:
            await asyncio.sleep(tick_s)
            busy = self._launches.count or self._door.clients
            idle_s = 0.0 if busy else idle_s + tick_s
        self._log.info("supervisor.idle", idle_s=idle_s)
        self.stop()


def detach() -> None:
    """Leave the process that started us: it sees its child end at once, and we go on alone."""
    if os.fork() > 0:
        os._exit(0)
    os.setsid()


def take_lock(state: StateDir) -> None:
    """Become the only supervisor of this directory, or leave."""
    give_up_at_s = time.monotonic() + LOCK_WITHIN_S
    while lock_or_none(state.lock) is None:
        if time.monotonic() > give_up_at_s or _somebody_serves(state):
            sys.exit(ALREADY_RUNNING)
        time.sleep(0.05)


def _somebody_serves(state: StateDir) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(state.socket)) == 0


def main() -> None:
    """Parse, detach if asked to, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--detach", action="store_true", help="go on in a session of its own")
    Config.add_arguments(parser)
    args = parser.parse_args()
    if args.detach:
        detach()
    state = StateDir.prepare(args.state_dir)
    take_lock(state)
    config = Config.from_arguments(args)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(state, config))


async def _run(state: StateDir, config: Config) -> None:
    await Supervisor(state, config, supervisor_log(state)).run()


if __name__ == "__main__":
    main()
