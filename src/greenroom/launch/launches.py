"""The launches of one supervisor: each brought to life, watched, ended and accounted for once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import psutil
import structlog

from greenroom.errors import Draining
from greenroom.launch import halt, kernel, logs
from greenroom.launch.child import DUMP_SIGNAL
from greenroom.launch.hatch import Bot, Hatchery, HatchFailed, RawExit
from greenroom.launch.launch import Launch
from greenroom.launch.ledger import Ledger
from greenroom.launch.packets import Step
from greenroom.launch.reaper import Reaper
from greenroom.launch.state import StateDir
from greenroom.launch.watch import Measure, Now, Watch
from greenroom.ports.launcher import BotExit, BotProcess, ExitCause, LaunchOrder
from greenroom.wire.process import Progress

# The wall clock cannot be awaited, only looked at: this often, at least.
LOOK_S = 1.0
MEASURE_S = 2.0


class Launches:
    """Start, end, list; see `greenroom.ports.launcher.Launcher` for what they promise."""

    def __init__(
        self,
        state: StateDir,
        ledger: Ledger,
        hatchery: Hatchery,
        reaper: Reaper,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._state = state
        self._ledger = ledger
        self._hatchery = hatchery
        self._reaper = reaper
        self._log = log
        self._launches: dict[str, Launch] = {}
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._ending_all = False
        self._tasks = asyncio.TaskGroup()

    @property
    def count(self) -> int:
        """How many launches are under way."""
        return len(self._launches)

    async def run(self) -> None:
        """Watch until cancelled; then every bot is killed."""
        try:
            async with self._tasks:
                self._tasks.create_task(self._watch())
                self._tasks.create_task(self._measure())
        finally:
            for launch in self._launches.values():
                if launch.bot is not None:
                    kernel.kill_group(launch.bot.pid, signal.SIGKILL)

    def start(self, order: LaunchOrder) -> None:
        """Begin a launch, unless this launch id was seen before.

        Raises:
            Draining: The supervisor is ending.
            Halted: Everything was stopped.
        """
        if order.launch_id in self._launches or self._ledger.has_ended(order.launch_id):
            return
        halt.refuse_if_pulled(self._state.root)
        if self._ending_all:
            raise Draining("The supervisor is ending and starts no more bots.")
        self._ledger.started(order)
        log = self._state.logs / f"{order.launch_id}.log"
        launch = Launch(order, Watch(order, Now.read()), log)
        self._launches[order.launch_id] = launch
        self._empty.clear()
        self._changed.set()
        self._tasks.create_task(self._live(launch))

    def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """See `greenroom.ports.launcher.Launcher.end`."""
        launch = self._launches.get(launch_id)
        if launch is None:
            return
        if launch.bot is None:
            polite_s = term_s = 0.0  # nobody is there yet to be polite to
        launch.watch.end(Now.read(), polite_s=polite_s, term_s=term_s)
        self._changed.set()

    async def end_all(self, *, term_s: float) -> None:
        """SIGTERM to every bot, SIGKILL after `term_s`; returns when none is left."""
        self._ending_all = True
        self._end_each(term_s)
        await self._empty.wait()

    def end_now(self) -> None:
        """SIGKILL to every bot; hurries `end_all`."""
        self._end_each(0)

    def _end_each(self, term_s: float) -> None:
        for launch_id in self._launches:
            self.end(launch_id, polite_s=0, term_s=term_s)

    def living(self) -> list[BotProcess]:
        """Every launch under way."""
        return [launch.as_process() for launch in self._launches.values()]

    # ---- one launch

    async def _live(self, launch: Launch) -> None:
        """From the order to the exit; whatever happens in between, there is exactly one exit."""
        try:
            exit = await self._lifetime(launch)
        except Exception:
            self._log.exception("launch.lost", launch=launch.order.launch_id)
            if launch.bot is not None:
                kernel.kill_group(launch.bot.pid, signal.SIGKILL)
            exit = launch.as_exit(launch.watch.cause or ExitCause.UNKNOWN, None)
        del self._launches[launch.order.launch_id]
        if not self._launches:
            self._empty.set()
        try:
            self._ledger.record(exit)
        except OSError:
            self._log.exception("journal.failed", launch=exit.launch_id)
        try:
            logs.prune(self._state.logs, {other.log for other in self._launches.values()})
        except OSError:
            # It would end the group of tasks that every other bot's life hangs on.
            self._log.exception("pruning.failed")
        self._log.info(
            "launch.ended",
            launch=exit.launch_id,
            session=exit.session_id,
            cause=exit.cause,
            exit_code=exit.exit_code,
            signal=exit.signal,
            lived_s=round(exit.at_s - launch.started_at_s, 3),
        )

    async def _lifetime(self, launch: Launch) -> BotExit:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            try:
                with theirs:
                    launch.bot = bot = await self._hatch(launch, theirs)
            except HatchFailed as failed:
                return launch.as_exit(failed.cause, failed.returncode, failed.last_words)
            # Its end may have been asked for at the very moment in which it came to be.
            launch.watch.born()
            self._changed.set()
            listening = asyncio.create_task(self._talk(launch, ours))
            try:
                raw = await bot.exit
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        if raw.host_died:
            # The kernel kills the bot; what it started in its group is ours to kill.
            kernel.kill_group(bot.pid, signal.SIGKILL)
        return launch.as_exit(launch.cause_of(raw), raw.returncode)

    async def _hatch(self, launch: Launch, line: socket.socket) -> Bot:
        order = launch.order
        hatching = self._hatchery.hatch(order.launch_id, order.bot, line, launch.log)
        launch.hatching = asyncio.create_task(hatching)
        try:
            # Written while the process comes: nobody who launches waits for the log.
            await asyncio.sleep(0)
            self._log.info(
                "launch.started", launch=order.launch_id, session=order.session_id, bot=order.bot
            )
            return await launch.hatching
        except asyncio.CancelledError:
            launch.hatching.cancel()
            cause = launch.watch.cause
            if cause is None:
                raise
            if cause is ExitCause.JOIN_DEADLINE and launch.explained_in is not None:
                cause = ExitCause.IMPORT_HUNG
            words = logs.tail(launch.explained_in or launch.log)
            raise HatchFailed(cause, words) from None
        finally:
            launch.hatching = None

    async def _talk(self, launch: Launch, line: socket.socket) -> None:
        """Tell the bot its spec, and listen to how far it comes."""
        spec = launch.as_spec().to_json().encode() + b"\n"
        await asyncio.get_running_loop().sock_sendall(line, spec)
        reader, writer = await asyncio.open_unix_connection(sock=line)
        try:
            async for said in reader:
                progress = Step.model_validate_json(said).progress
                launch.progress = progress
                if progress is Progress.JOINED:
                    launch.watch.joined()
        finally:
            writer.close()

    # ---- all launches

    async def _watch(self) -> None:
        """Carry out what is due, then sleep until something may be due again."""
        while True:
            now = Now.read()
            for launch in list(self._launches.values()):
                self._take(launch, launch.watch.due(now))
            moments = [launch.watch.next_at_s() for launch in self._launches.values()]
            pause_s = min([LOOK_S, *(at_s - now.monotonic_s for at_s in moments)])
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause_s, 0.01) if moments else None):
                    await self._changed.wait()

    def _take(self, launch: Launch, measure: Measure) -> None:
        if measure is Measure.NOTHING:
            return
        if launch.bot is None:
            self._take_before_birth(launch, measure)
            return
        pid = launch.bot.pid
        match measure:
            case Measure.TERM:
                kernel.kill_group(pid, signal.SIGTERM)
            case Measure.DUMP:
                kernel.kill_one(pid, DUMP_SIGNAL)
            case Measure.KILL:
                kernel.kill_group(pid, signal.SIGKILL)
            case Measure.SETTLE if not launch.bot.exit.done():
                # Its zygote does not answer. What was sent SIGKILL is dead all the same.
                self._log.error("launch.unreaped", launch=launch.order.launch_id, pid=pid)
                launch.bot.exit.set_result(RawExit(None))

    def _take_before_birth(self, launch: Launch, measure: Measure) -> None:
        if measure is Measure.DUMP:
            order = launch.order
            launch.explained_in = self._hatchery.explain(order.launch_id, order.bot)
        elif launch.hatching is not None:
            launch.hatching.cancel()

    async def _measure(self) -> None:
        """Look at every bot's private memory, its log's size, and at strays, every `MEASURE_S`."""
        while True:
            await asyncio.sleep(MEASURE_S)
            try:
                for launch in list(self._launches.values()):
                    logs.trim(launch.log)
                    await self._look_at_memory(launch)
                self._kill_strays()
            except OSError:
                # A full disk, say; that must not cost anybody's call.
                self._log.exception("measuring.failed")

    async def _look_at_memory(self, launch: Launch) -> None:
        if launch.bot is None:
            return
        # Up to milliseconds of walking page tables in the kernel.
        launch.private_bytes = await asyncio.to_thread(_private_bytes, launch.bot.pid)
        launch.watch.saw_memory(Now.read(), launch.private_bytes)
        if launch.watch.cause is ExitCause.MEMORY:
            self._changed.set()

    def _kill_strays(self) -> None:
        living = {launch.bot.pid for launch in self._launches.values() if launch.bot}
        if strays := self._reaper.kill_strays(living):
            self._log.warning("strays.killed", count=strays)


def _private_bytes(pid: int) -> int:
    """Memory that this process shares with nobody (USS); 0 if it is no more."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0
