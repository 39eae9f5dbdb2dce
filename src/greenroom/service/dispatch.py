"""Carrying effects out: each idempotent, bounded in time, tried again, buried in sight.

Each session has lanes: what is told to its bot, what is done in the world, and what other sessions
of its people are to know. A lane keeps its order and waits for its first effect; the lanes never
wait for each other, so a bot that does not listen cannot keep its own end waiting. A command waits
for the bot's link, however long. Tool calls have no order: they run side by side.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum

import structlog

from greenroom.errors import AgentsFull, GreenroomError, Halted, RoomsRefused, Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.effects import AlreadySettled, PendingEffect
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import BotExit, ExitCause, Launcher, LaunchOrder
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import (
    Store,
)
from greenroom.service.entrance import Entrance, shape_of
from greenroom.service.exclusion import Exclusion
from greenroom.service.links import Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.policies import (
    EFFECT_CALLS,
    POLICIES,
    Outside,
    outside,
    told_to_wait_s,
)
from greenroom.service.sessions import EFFECTS_TOPIC, Sessions
from greenroom.service.specs import spec_of
from greenroom.service.tools import Tools
from greenroom.service.tracing import span
from greenroom.session.facts import EffectKind
from greenroom.session.inputs import BotStarting, NoPlace
from greenroom.session.model import EndReason, Session, SessionKind, Stage
from greenroom.wire.link import Command, CommandKind
from greenroom.wire.tools import ToolCallData

log = structlog.get_logger("greenroom.dispatch")

POLL_S = 1.0
# What was to be told to bots that never link is looked at so often: their sessions may have ended.
UNLINKED_AGAIN_S = 15.0
# With thousands of effects due, as when everything is stopped, a look at them takes tens of
# milliseconds, and each that is settled asks for another. Then looks take a fifth of the time.
MANY_DUE = 256
REST_PER_LOOK = 4
# So many tool calls of one session run at once; what its model asks for beyond waits its turn.
CALLS_AT_ONCE = 8


class Lane(StrEnum):
    """What is kept in order together."""

    BOT = "bot"
    WORLD = "world"
    PEOPLE = "people"
    TOOLS = "tools"


def _lane(kind: EffectKind) -> Lane:
    match kind:
        case EffectKind.TELL_BOT:
            return Lane.BOT
        case EffectKind.EXCLUDE:
            return Lane.PEOPLE
        case EffectKind.RUN_TOOL:
            return Lane.TOOLS
        case _:
            return Lane.WORLD


_KINDS = {lane: [kind for kind in EffectKind if _lane(kind) is lane] for lane in Lane}


class Dispatcher:
    """Reads pending effects and carries them out.

    Args:
        link_url: Where bots dial, e.g. ``ws://127.0.0.1:8642/link``; None: nobody listens there,
            and launches wait for a server.
        memory_limit_bytes: Private memory a bot may use.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        launcher: Launcher,
        rooms: Rooms,
        links: Links,
        keyring: Keyring,
        sessions: Sessions,
        tools: Tools,
        metrics: Metrics,
        *,
        link_url: str | None,
        memory_limit_bytes: int,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._launcher = launcher
        self._rooms = rooms
        self._entrance = Entrance(rooms, clock, sessions)
        self._links = links
        self._keyring = keyring
        self._sessions = sessions
        self._tools = tools
        self._exclusion = Exclusion(store, sessions, metrics)
        self._metrics = metrics
        self._link_url = link_url
        self._memory_limit_bytes = memory_limit_bytes
        self._busy: set[tuple[str, Lane]] = set()
        self._calls: set[tuple[str, str]] = set()  # by session and call
        # By session, the launch whose bot could not be told anything: until it links there is no
        # use in looking at it whenever anybody else has an effect.
        self._unlinked: dict[str, str] = {}

    async def run(self) -> None:
        """Dispatch until cancelled; what is under way is cancelled with it and done again later."""
        # Lanes that were cancelled before their first step have left no trace.
        self._busy.clear()
        self._calls.clear()
        async with asyncio.TaskGroup() as group, self._hub.subscribe(EFFECTS_TOPIC) as waiter:
            looked_at_s = time.monotonic()
            while True:
                if time.monotonic() - looked_at_s >= UNLINKED_AGAIN_S:
                    looked_at_s = time.monotonic()
                    self._unlinked.clear()
                looking_s = time.monotonic()
                if await self._begin_lanes(group) > MANY_DUE:
                    await asyncio.sleep(REST_PER_LOOK * (time.monotonic() - looking_s))
                await waiter.wait(POLL_S)

    async def _begin_lanes(self, group: asyncio.TaskGroup) -> int:
        """Begin what is due and not under way; returns how much is due."""
        try:
            due = await self._store.effects.due_kinds(self._clock.now())
        except Unavailable as error:
            log.warning("store.unavailable", error=error.message)
            return 0
        if any(kind is EffectKind.RUN_TOOL for _, kind in due):
            await self._begin_calls(group)
        lanes = {(session_id, _lane(kind)) for session_id, kind in due}
        for session_id, lane in sorted(lanes - self._busy):
            if lane is Lane.TOOLS or (lane is Lane.BOT and self._waits_for_its_link(session_id)):
                continue
            self._busy.add((session_id, lane))
            group.create_task(self._run_lane(session_id, lane))
        return len(due)

    def _waits_for_its_link(self, session_id: str) -> bool:
        launch_id = self._unlinked.get(session_id)
        return launch_id is not None and self._links.get(launch_id) is None

    async def _run_lane(self, session_id: str, lane: Lane) -> None:
        """Carry out a lane's effects, oldest first, until one must wait or none is left."""
        try:
            done = None
            while found := await self._store.effects.next(session_id, _KINDS[lane], settled=done):
                effect, session = found
                if effect.due_at > self._clock.now() and not _is_moot(effect, session):
                    return
                with span(f"effect.{effect.kind.value}", session):
                    if not await self._dispatch(session, effect):
                        return
                done = effect.id
        except Unavailable as error:
            log.warning("store.unavailable", session=session_id, error=error.message)
        except Exception:
            self._metrics.uncaught.labels(place="dispatch").inc()
            log.exception("lane.uncaught", session=session_id, lane=lane.value)
        finally:
            self._busy.discard((session_id, lane))

    async def _begin_calls(self, group: asyncio.TaskGroup) -> None:
        # One that ends while we read may have been due when it was read, and is settled by now.
        busy = set(self._calls)
        try:
            due = await self._store.effects.due(EffectKind.RUN_TOOL, self._clock.now())
        except Unavailable as error:
            log.warning("store.unavailable", error=error.message)
            return
        for effect in due:
            call = (effect.session_id, effect.payload["call"]["toolCallId"])
            running = sum(session_id == effect.session_id for session_id, _ in self._calls)
            if call not in busy | self._calls and running < CALLS_AT_ONCE:
                self._calls.add(call)
                group.create_task(self._run_call(effect, call))

    async def _run_call(self, effect: PendingEffect, call: tuple[str, str]) -> None:
        settled = False
        try:
            session = await self._store.get(effect.session_id)
            with span(f"effect.{effect.kind.value}", session):
                settled = await self._dispatch(session, effect)
        except Unavailable as error:
            log.warning("store.unavailable", session=effect.session_id, error=error.message)
        except Exception:
            self._metrics.uncaught.labels(place="dispatch").inc()
            log.exception("call.uncaught", session=effect.session_id)
        finally:
            self._calls.discard(call)
            if settled:  # one that had to wait its turn may begin
                self._hub.publish(EFFECTS_TOPIC)

    async def _dispatch(self, session: Session, effect: PendingEffect) -> bool:
        """Carry one effect out. False: it must wait, and its lane with it."""
        try:
            return await self._carry_out(session, effect)
        except AlreadySettled:
            return True
        except (GreenroomError, OSError) as error:
            await self._failed(effect, error)
            return False
        except Exception as error:
            self._metrics.uncaught.labels(place="dispatch").inc()
            log.exception("effect.uncaught", session=session.id, kind=effect.kind.value)
            await self._failed(effect, error)
            return False

    async def _carry_out(self, session: Session, effect: PendingEffect) -> bool:
        payload, launcher = effect.payload, self._launcher
        match effect.kind:
            case EffectKind.ENSURE_ROOM:
                if session.stage.is_live:  # nobody comes any more, and a room would be left open
                    shape = shape_of(session)
                    await self._outside(effect, lambda: self._rooms.ensure(session.room, shape))
            case EffectKind.LAUNCH_BOT:
                return await self._launch(session, effect)
            case EffectKind.TELL_BOT:
                return await self._tell(session, effect)
            case EffectKind.END_BOT:
                polite_s, term_s = payload["polite_s"], payload["term_s"]
                await self._outside(
                    effect,
                    lambda: launcher.end(payload["launch_id"], polite_s=polite_s, term_s=term_s),
                )
            case EffectKind.CLOSE_ROOM:
                if not (self._rooms.tells and await self._has_begun_anew(session)):
                    await self._outside(effect, lambda: self._rooms.close(payload["room"]))
            case EffectKind.EXCLUDE:
                await self._exclusion.settle(payload["user_id"], session.tenant)
            case EffectKind.RUN_TOOL:
                if session.stage.is_live:
                    await self._outside(effect, lambda: self._tools.run(session, effect))
                else:  # nobody hears what would come of it
                    await self._store.effects.settle(effect.id)
        return True

    async def _has_begun_anew(self, session: Session) -> bool:
        """Whether the user talks in this room again: a late close must not put them out."""
        live = await self._store.live_of(session.user_id, session.assistant, session.tenant)
        waits = live is not None and live.stage is Stage.QUEUED  # and may never come in
        return live is not None and live.room == session.room and not waits

    async def _outside(self, effect: PendingEffect, do: Callable[[], Awaitable[object]]) -> None:
        await outside(EFFECT_CALLS[effect.kind], do, attempt=effect.attempts + 1)

    async def _launch(self, session: Session, effect: PendingEffect) -> bool:
        """Whether the launch needs no further try."""
        if session.stage.is_live and self._link_url is None:
            return False
        try:
            if session.stage.is_live and await self._start(session, effect):
                return True
        except AgentsFull as full:
            no_place = NoPlace(self._again_in_s(effect, full))
            if (await self._sessions.apply(session.id, no_place)).stage is Stage.CONNECTING:
                raise
            return True
        await self._tell_that_none_came(session)
        return True

    def _again_in_s(self, effect: PendingEffect, error: BaseException) -> float | None:
        """When an effect that has failed with this is tried again; None: it is not."""
        policy, attempt = POLICIES[EFFECT_CALLS[effect.kind]], effect.attempts + 1
        if attempt >= policy.attempts or isinstance(error, RoomsRefused):
            return None
        return max(policy.wait_s(attempt), told_to_wait_s(error))

    async def _start(self, session: Session, effect: PendingEffect) -> bool:
        """Whether it was launched; it is not when everything was stopped, and its session ends."""
        order = self._order(session, effect, self._link_url or "")
        if (
            self._launcher.starts_cold
        ):  # elsewhere: it is handed over, and not only told on the link
            order = replace(order, session=spec_of(session, await self._entrance.bot(session)))
        halt = await self._store.halted()
        if halt is None:
            try:
                self._links.launched(session.launch_id)
                await self._outside(effect, lambda: self._launcher.start(order))
                if self._rooms.tells and session.kind is SessionKind.VOICE:
                    await self._exclusion.begin(session)
                if self._launcher.starts_cold:
                    await self._sessions.apply(session.id, BotStarting())
                return True
            except Halted:  # the brake is pulled first, and put on record a moment later
                halt = await outside(Outside.HALTED, self._launcher.halted)
        note = halt.reason if halt is not None else ""
        await self._sessions.stop(session.id, None, EndReason.EMERGENCY, note or None)
        return False

    async def _tell_that_none_came(self, session: Session) -> None:
        """No bot was launched, so that no exit will be heard of: the end need not wait for one."""
        living = await outside(Outside.LIVING, self._launcher.living)
        if session.launch_id in {process.launch_id for process in living}:
            return  # it was launched before this server died; it is ended like any other
        now = self._clock.now()
        none = BotExit(session.launch_id, session.id, ExitCause.ENDED, None, None, "", now)
        await self._sessions.exited(none)

    async def _launch_given_up(self, effect: PendingEffect) -> None:
        """Nobody tries again: whoever waits for the bot need not wait for the join deadline."""
        launch_id, now = effect.payload["launch_id"], self._clock.now()
        none = BotExit(launch_id, effect.session_id, ExitCause.REFUSED, None, None, "", now)
        await self._sessions.exited(none)

    def _order(self, session: Session, effect: PendingEffect, link_url: str) -> LaunchOrder:
        launch_id = effect.payload["launch_id"]
        return LaunchOrder(
            launch_id=launch_id,
            session_id=session.id,
            bot=effect.payload["bot"],
            link_url=link_url,
            secret=self._keyring.launch_secret(launch_id),
            join_within_s=effect.payload["join_s"],
            wall_clock_s=effect.payload["wall_clock_s"],
            memory_limit_bytes=self._memory_limit_bytes,
        )

    async def _tell(self, session: Session, effect: PendingEffect) -> bool:
        """Whether the command needs no further try."""
        if session.stage is Stage.ENDED:
            return True
        link = self._links.get(effect.payload["launch_id"])
        if link is None:
            self._unlinked[session.id] = effect.payload["launch_id"]
            return False  # told when it links again; see the link's door
        kind = CommandKind(effect.payload["kind"])
        # Not the effect's own id: SQLite gives that of a settled effect to the next one.
        name = effect.payload["command"]
        command = Command(command_id=name, kind=kind, data=effect.payload["data"])
        timeout_s = POLICIES[Outside.TELL_BOT].timeout_s
        await self._outside(effect, lambda: link.tell(command, timeout_s))
        return True

    async def _failed(self, effect: PendingEffect, error: BaseException) -> None:
        self._metrics.effects_failed.labels(kind=effect.kind.value).inc()
        reason = f"{type(error).__name__}: {error}"[:500]
        policy = POLICIES[EFFECT_CALLS[effect.kind]]
        attempt = effect.attempts + 1
        fields = {
            "session": effect.session_id,
            "kind": effect.kind.value,
            "attempt": attempt,
            "timeout_s": policy.timeout_s,
            "error": reason,
        }
        again_in_s = self._again_in_s(effect, error)
        if again_in_s is None:
            self._metrics.effects_dead.labels(kind=effect.kind.value).inc()
            log.error("effect.dead", **fields)
            if effect.kind is EffectKind.RUN_TOOL:
                asked = ToolCallData.model_validate(effect.payload["call"])
                await self._tools.give_up(effect.session_id, asked)
            await self._store.effects.bury(effect.id, reason)
            if effect.kind is EffectKind.LAUNCH_BOT:
                await self._launch_given_up(effect)
            if effect.kind is EffectKind.ENSURE_ROOM:  # a bot would talk to nobody, for money
                await self._sessions.stop(effect.session_id, None, EndReason.LAUNCH_FAILED)
            return
        log.warning("effect.failed", **fields)
        await self._store.effects.postpone(effect.id, self._clock.now() + again_in_s, reason)


def _is_moot(effect: PendingEffect, session: Session) -> bool:
    """Whether it need not wait for its next try: nobody wants it, and its lane waits for it."""
    of_the_living = (EffectKind.ENSURE_ROOM, EffectKind.LAUNCH_BOT)
    return effect.kind in of_the_living and not session.stage.is_live
