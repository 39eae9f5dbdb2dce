"""The launcher for agents on Pipecat Cloud: what it starts it finds again, and stops for certain.

What cannot be stopped there (no private key, or a deployment that has no stop) is told as ended
with the time that it may go on: it is heard by nobody then, and billed to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from greenroom.errors import AgentsFull, BadRequest, Unavailable
from greenroom.launch import halt
from greenroom.launch.pipecat_cloud.capacity import AgentCapacity
from greenroom.launch.pipecat_cloud.client import (
    CannotTell,
    CloudClient,
    CloudSession,
    LaunchRefused,
    NotReached,
)
from greenroom.launch.pipecat_cloud.journal import CloudJournal, Launched
from greenroom.ports.clock import Clock
from greenroom.ports.launcher import BotExit, BotProcess, ExitCause, LaunchOrder
from greenroom.ports.store import Halt
from greenroom.wire.handover import body_for

log = structlog.get_logger("greenroom.launcher")

LOOK_EVERY_S = 3.0
# A session that was begun shows in the list within this; before, its absence says nothing.
LISTED_WITHIN_S = 30.0
# Times told in whole seconds, and a clock that is being set, may mislead by so much.
CLOCKS_DIFFER_S = 5.0
STOP_AGAIN_S = 1.0
# An agent that is told that it is over is gone within this; and its session is not kept waiting.
GOES_WITHIN_S = 3.0
GONE_AGAIN_S = 0.5
# What could not be stopped is tried again so often, as long as it may run.
LEFTOVERS_AGAIN_S = 10.0
SHUTDOWN_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Stop:
    """An end that has begun. ``at_s``: when politeness is over, by the monotonic clock."""

    at_s: float
    task: asyncio.Task[None]


class PipecatCloudLauncher:
    """`greenroom.ports.launcher.Launcher` on Pipecat Cloud.

    It has no supervisor beside it: it looks at what lives while `exits` is read, and goes on after
    a restart of the server.

    The deployment must be Greenroom's own. A session whose start got no answer has no name here;
    whatever was begun on the deployment in those seconds, and by nobody whom we know, is stopped
    before it is tried again: there are never two agents for one launch.

    Args:
        client: Asks about the one agent that is launched.
        state_dir: Where it is remembered; the brake is there, too.
        clock: The time.
        capacity: Told when the pool is full.
        max_session_s: How long the deployment lets a session run at most.
        look_every_s: How often it looks what lives.
    """

    starts_cold = True

    def __init__(
        self,
        client: CloudClient,
        state_dir: Path,
        clock: Clock,
        capacity: AgentCapacity | None = None,
        *,
        max_session_s: float = 7_200.0,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._client = client
        self._root = state_dir
        self._clock = clock
        self._capacity = capacity
        self._max_session_s = max_session_s
        self._look_every_s = look_every_s
        self._journal = CloudJournal(state_dir)
        self._starting: dict[str, asyncio.Lock] = {}
        self._stops: dict[str, _Stop] = {}
        self._changed = asyncio.Event()
        self._leftovers_at_s = 0.0

    # ---- starting

    async def start(self, order: LaunchOrder) -> None:
        """See the port. What Pipecat Cloud refuses for good is told as an exit (`REFUSED`).

        Raises:
            AgentsFull: Every agent of the pool is taken.
            Unavailable: It could not be asked; tried again, it is begun once all the same.
        """
        if order.session is None:
            raise BadRequest("An agent elsewhere must be told of its session.")
        lock = self._starting.setdefault(order.launch_id, asyncio.Lock())
        try:
            async with lock:
                await self._start(order)
        finally:
            self._starting.pop(order.launch_id, None)

    async def _start(self, order: LaunchOrder) -> None:
        halt.refuse_if_pulled(self._root)
        if self._journal.was_forgotten(order.launch_id):
            return
        before = self._journal.get(order.launch_id)
        if before is not None:
            if before.exit is not None or before.cloud_id is not None:
                return
            await self._stop_strays(before)
            if (after := self._journal.get(order.launch_id)) is None or after.exit is not None:
                return
        now = self._clock.now()
        launched = Launched(
            launch_id=order.launch_id,
            session_id=order.session_id,
            asked_at=now,
            ends_at=now + min(order.wall_clock_s, self._max_session_s),
        )
        self._keep(launched)
        assert order.session is not None
        try:
            body = body_for(order.session, order.link_url, order.secret)
            cloud_id = await self._client.start(body)
        except AgentsFull as full:
            self._journal.drop(order.launch_id)
            if self._capacity is not None:
                self._capacity.refused(full.retry_after_s)
            raise
        except NotReached:
            self._journal.drop(order.launch_id)
            raise
        except LaunchRefused as refused:
            facts = {"status": refused.status, "code": refused.code, "why": refused.why}
            log.error("launch.refused", launch=order.launch_id, session=order.session_id, **facts)
            self._exit(launched, ExitCause.REFUSED, last_words=f"{refused.code} {refused.why}")
            return
        log.info("launch.started", launch=order.launch_id, session=order.session_id, cloud=cloud_id)
        self._keep(launched.model_copy(update={"cloud_id": cloud_id}))

    async def _stop_strays(self, lost: Launched) -> None:
        """End what may have been begun by a start that got no answer."""
        known = {one.cloud_id for one in self._journal.all()}
        try:
            active = await self._client.active()
        except CannotTell:
            # Whether one runs nobody can say; a second beside it would be worse than none.
            self._exit(lost, ExitCause.REFUSED, still_runs_s=self._max_session_s)
            return
        # How long ago each was begun, by their clock: ours may be wrong by more than a little.
        now = self._clock.now()
        now_there, asked_ago_s = self._client.their_time(now), max(0.0, now - lost.asked_at)
        for stray in active:
            ago_s = now_there - stray.created_at
            if stray.id not in known and ago_s <= asked_ago_s + CLOCKS_DIFFER_S:
                log.warning("launch.stray", launch=lost.launch_id, cloud=stray.id)
                with contextlib.suppress(CannotTell):
                    await self._client.stop(stray.id)

    # ---- ending

    async def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """See the port. There is no signal but one: it is stopped once `polite_s` are over."""
        launched = self._journal.get(launch_id)
        if launched is None or launched.exit is not None:
            return
        at_s = time.monotonic() + polite_s
        earlier = self._stops.get(launch_id)
        if earlier is not None and not earlier.task.done():
            if earlier.at_s <= at_s:
                return
            earlier.task.cancel()
        task = asyncio.create_task(self._stop(launch_id, polite_s))
        self._stops[launch_id] = _Stop(at_s, task)

    async def _stop(self, launch_id: str, polite_s: float) -> None:
        """Stop a launch, until it is known to be gone, or that nobody can."""
        await asyncio.sleep(polite_s)
        while (launched := self._journal.get(launch_id)) and launched.exit is None:
            try:
                await self._stop_once(launched)
            except Unavailable as error:
                log.warning("launch.not_stopped_yet", launch=launch_id, error=error.message)
            except Exception:
                log.exception("launch.stop_failed", launch=launch_id)
            await asyncio.sleep(STOP_AGAIN_S)

    async def _stop_once(self, launched: Launched) -> None:
        if launched.cloud_id is not None:
            self._keep(launched.model_copy(update={"stopping": True}))
            await self._stop_known(launched.launch_id, launched.cloud_id)
        elif launched.launch_id not in self._starting:
            await self._stop_strays(launched)
            self._exit(launched, ExitCause.ENDED)

    async def _stop_known(self, launch_id: str, cloud_id: str) -> None:
        left_s, runs = 0.0, False
        try:
            if not await self._client.stop(cloud_id):
                runs = await self._runs_on(cloud_id)
                left_s = self._left_s(launch_id) if runs else 0.0
        except CannotTell:
            with contextlib.suppress(CannotTell):
                runs = await self._runs_on(cloud_id)
                if not runs:
                    return self._ended(launch_id, 0.0)
            left_s = self._left_s(launch_id)
        if left_s > 0:
            log.warning("launch.cannot_be_stopped", launch=launch_id, cloud=cloud_id, for_s=left_s)
        return self._ended(launch_id, left_s, deaf=runs)

    async def _runs_on(self, cloud_id: str) -> bool:
        """Whether an agent that was told to go is there still, once it has had time for that."""
        until_s = time.monotonic() + GOES_WITHIN_S
        while True:
            there = await self._client.get(cloud_id)
            if there is None or there.ended:
                return False
            if time.monotonic() >= until_s:
                return True
            await asyncio.sleep(GONE_AGAIN_S)

    def _ended(self, launch_id: str, left_s: float, *, deaf: bool = False) -> None:
        launched = self._journal.get(launch_id)
        if launched is not None:
            self._exit(launched, ExitCause.ENDED, still_runs_s=left_s, deaf=deaf)

    def _left_s(self, launch_id: str) -> float:
        """How long an agent goes on that nobody can stop: until its deployment's own limit."""
        launched = self._journal.get(launch_id)
        if launched is None:
            return 0.0
        return max(0.0, launched.asked_at + self._max_session_s - self._clock.now())

    # ---- looking

    async def living(self) -> list[BotProcess]:
        """See the port. ``progress`` says whether it is a cold start; ``pid`` is 0."""
        return [
            BotProcess(one.launch_id, one.session_id, 0, one.asked_at, _progress(one), 0)
            for one in self._journal.all()
            if one.exit is None
        ]

    async def exits(self) -> AsyncIterator[BotExit]:
        """See the port. While it is read, it looks what lives."""
        told: set[str] = set()
        now_s = asyncio.get_running_loop().time
        look_at_s = now_s()
        while True:
            self._changed.clear()
            for one in self._journal.all():
                if one.exit is not None and one.launch_id not in told:
                    told.add(one.launch_id)
                    yield one.exit
            told &= {one.launch_id for one in self._journal.all()}
            try:
                async with asyncio.timeout_at(look_at_s):
                    await self._changed.wait()
            except TimeoutError:
                await self.look()
                look_at_s = now_s() + self._look_every_s

    async def look(self) -> None:
        """Compare what is remembered with what lives there; without an answer nothing changes."""
        await self._stop_leftovers()
        waiting = [one for one in self._journal.all() if one.exit is None]
        if not waiting:
            return
        try:
            active = {one.id: one for one in await self._client.active()}
        except (CannotTell, Unavailable):
            active = None
        now = self._clock.now()
        for one in waiting:
            if one.cloud_id is not None and active is not None:
                await self._compare(one, active.get(one.cloud_id))
            if now >= one.ends_at:
                await self.end(one.launch_id, polite_s=0.0, term_s=0.0)

    async def _stop_leftovers(self) -> None:
        """Stop what could not be stopped: a key may be good again, or a deployment another one."""
        now, now_s = self._clock.now(), time.monotonic()
        if now_s < self._leftovers_at_s:
            return
        self._leftovers_at_s = now_s + LEFTOVERS_AGAIN_S
        for one in self._journal.leftovers():
            assert one.cloud_id is not None
            assert one.runs_until is not None
            try:
                if now < one.runs_until and await self._cannot_be_stopped(one):
                    return
            except (CannotTell, Unavailable):
                return  # the others will not fare better
            self._journal.drop_leftover(one.launch_id)

    async def _cannot_be_stopped(self, one: Launched) -> bool:
        """Whether a try to stop this agent was in vain, and it goes on. Raises as the client."""
        assert one.cloud_id is not None
        if await self._client.stop(one.cloud_id):
            log.info("launch.stopped_after_all", launch=one.launch_id, cloud=one.cloud_id)
            return False
        there = await self._client.get(one.cloud_id)
        return there is not None and not there.ended

    async def _compare(self, one: Launched, there: CloudSession | None) -> None:
        current = self._journal.get(one.launch_id)
        if current is None or current.exit is not None or one.cloud_id is None:
            return
        if there is not None:
            if not current.seen or current.cold != there.cold:
                if there.cold and not current.cold:
                    log.info("launch.cold", launch=one.launch_id, cloud=one.cloud_id)
                self._keep(current.model_copy(update={"seen": True, "cold": there.cold}))
            return
        if not current.seen and self._clock.now() < current.asked_at + LISTED_WITHIN_S:
            return
        with contextlib.suppress(CannotTell, Unavailable):
            ended = await self._client.get(one.cloud_id)
            if ended is None or ended.ended:
                failed = ended is not None and ended.failed
                self._exit(current, ExitCause.EXITED, exit_code=1 if failed else 0)

    # ---- remembering

    def _exit(
        self,
        launched: Launched,
        cause: ExitCause,
        *,
        exit_code: int | None = None,
        last_words: str = "",
        still_runs_s: float = 0.0,
        deaf: bool = False,
    ) -> None:
        """Put its one exit on record."""
        current = self._journal.get(launched.launch_id) or launched
        if current.exit is not None:
            return
        if cause is ExitCause.EXITED and current.stopping:
            cause, exit_code = ExitCause.ENDED, 0
        if cause is ExitCause.ENDED and self._clock.now() >= current.ends_at:
            cause = ExitCause.WALL_CLOCK
        exit_ = BotExit(
            launched.launch_id,
            launched.session_id,
            cause,
            0 if cause in (ExitCause.ENDED, ExitCause.WALL_CLOCK) else exit_code,
            None,
            last_words,
            self._clock.now(),
            still_runs_s,
            deaf,
        )
        goes_on = still_runs_s > 0 and current.cloud_id is not None
        runs_until = self._clock.now() + still_runs_s if goes_on else None
        self._keep(current.model_copy(update={"exit": exit_, "runs_until": runs_until}))

    def _keep(self, launched: Launched) -> None:
        try:
            self._journal.put(launched)
        except OSError as error:  # a full disk must keep nobody from being stopped
            log.error("launch.not_kept", launch=launched.launch_id, error=str(error))
        self._changed.set()

    async def forget(self, launch_id: str) -> None:
        """See the port."""
        self._journal.forget(launch_id)
        self._stops.pop(launch_id, None)

    # ---- the brake, and the end

    async def halt(self, reason: str) -> None:
        """See the port.

        Raises:
            Unavailable: The state directory cannot be written.
        """
        try:
            await asyncio.to_thread(halt.pull, self._root, reason)
        except OSError as error:
            raise Unavailable("The state folder cannot be written.") from error

    async def resume(self) -> bool:
        """See the port; raises as `halt` does."""
        try:
            return await asyncio.to_thread(halt.release, self._root)
        except OSError as error:
            raise Unavailable("The state folder cannot be written.") from error

    async def halted(self) -> Halt | None:
        """See the port."""
        return await asyncio.to_thread(halt.pulled, self._root)

    async def warm(self, bot: str) -> None:
        """See the port. Which instances are kept warm is the deployment's to say."""

    async def close(self) -> None:
        """See the port. Agents go on; ends that have begun are taken up again by the next."""
        tasks = [stop.task for stop in self._stops.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def shutdown(self) -> None:
        """See the port.

        Raises:
            Unavailable: Some could not be stopped in time.
        """
        for one in self._journal.all():
            await self.end(one.launch_id, polite_s=0.0, term_s=0.0)
        began_s = time.monotonic()
        while any(one.exit is None for one in self._journal.all()):
            if time.monotonic() - began_s > SHUTDOWN_WITHIN_S:
                raise Unavailable("Pipecat Cloud does not stop every agent.")
            await asyncio.sleep(0.05)


def _progress(launched: Launched) -> str:
    if launched.stopping:
        return "stopping"
    if launched.cloud_id is None:
        return "launching"
    if launched.cold:
        return "cold_start"
    return "started" if launched.cold is None else "warm_start"
