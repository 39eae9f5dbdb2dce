"""Carrying effects out: each idempotent, bounded in time, tried again, buried in sight.

Each session has two lanes: what is told to its bot, and what is done in the world. A lane keeps
its order and waits for its first effect; the lanes never wait for each other, so a bot that does
not listen cannot keep its own end waiting. A command waits for the bot's link, however long.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

import structlog

from greenroom.errors import GreenroomError, Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import Launcher, LaunchOrder
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import PendingEffect, Store
from greenroom.service.links import Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.sessions import EFFECTS_TOPIC
from greenroom.session.facts import EffectKind
from greenroom.session.model import Session, Stage
from greenroom.wire.link import Command, CommandKind

log = structlog.get_logger("greenroom.dispatch")

EFFECT_TIMEOUT_S = 10.0
TELL_TIMEOUT_S = 3.0
POLL_S = 1.0
MOST_ATTEMPTS = 8


class Lane(StrEnum):
    """What is kept in order together."""

    BOT = "bot"
    WORLD = "world"


def _lane(kind: EffectKind) -> Lane:
    return Lane.BOT if kind is EffectKind.TELL_BOT else Lane.WORLD


class Dispatcher:
    """Reads pending effects and carries them out.

    Args:
        link_url: Where bots dial, e.g. ``ws://127.0.0.1:8642/link``.
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
        metrics: Metrics,
        *,
        link_url: str,
        memory_limit_bytes: int,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._launcher = launcher
        self._rooms = rooms
        self._links = links
        self._keyring = keyring
        self._metrics = metrics
        self._link_url = link_url
        self._memory_limit_bytes = memory_limit_bytes
        self._busy: set[tuple[str, Lane]] = set()

    async def run(self) -> None:
        """Dispatch until cancelled; what is under way is cancelled with it and done again later."""
        self._busy.clear()  # lanes that were cancelled before their first step have left no trace
        async with asyncio.TaskGroup() as group, self._hub.subscribe(EFFECTS_TOPIC) as waiter:
            while True:
                await self._begin_lanes(group)
                await waiter.wait(POLL_S)

    async def _begin_lanes(self, group: asyncio.TaskGroup) -> None:
        try:
            due = await self._store.due_kinds(self._clock.now())
        except Unavailable as error:
            log.warning("store.unavailable", error=error.message)
            return
        lanes = {(session_id, _lane(kind)) for session_id, kind in due}
        for session_id, lane in sorted(lanes - self._busy):
            self._busy.add((session_id, lane))
            group.create_task(self._run_lane(session_id, lane))

    async def _run_lane(self, session_id: str, lane: Lane) -> None:
        """Carry out a lane's effects, oldest first, until one must wait or none is left."""
        try:
            while effect := await self._first(session_id, lane):
                session = await self._store.get(session_id)
                if effect.due_at > self._clock.now() or not await self._dispatch(session, effect):
                    return
        except Unavailable as error:
            log.warning("store.unavailable", session=session_id, error=error.message)
        except Exception:
            self._metrics.uncaught.labels(place="dispatch").inc()
            log.exception("lane.uncaught", session=session_id, lane=lane.value)
        finally:
            self._busy.discard((session_id, lane))

    async def _first(self, session_id: str, lane: Lane) -> PendingEffect | None:
        effects = await self._store.effects_of(session_id)
        return next((effect for effect in effects if _lane(effect.kind) is lane), None)

    async def _dispatch(self, session: Session, effect: PendingEffect) -> bool:
        """Carry one effect out. False: it must wait, and its lane with it."""
        try:
            async with asyncio.timeout(EFFECT_TIMEOUT_S):
                settled = await self._carry_out(session, effect)
        except (GreenroomError, OSError, TimeoutError) as error:
            await self._failed(effect, error)
            return False
        except Exception as error:
            self._metrics.uncaught.labels(place="dispatch").inc()
            log.exception("effect.uncaught", session=session.id, kind=effect.kind.value)
            await self._failed(effect, error)
            return False
        if settled:
            await self._store.settle_effect(effect.id)
        return settled

    async def _carry_out(self, session: Session, effect: PendingEffect) -> bool:
        payload = effect.payload
        match effect.kind:
            case EffectKind.ENSURE_ROOM:
                await self._rooms.ensure(payload["room"])
            case EffectKind.LAUNCH_BOT:
                if session.stage.is_live:
                    await self._launcher.start(self._order(session, effect))
            case EffectKind.TELL_BOT:
                return await self._tell(session, effect)
            case EffectKind.END_BOT:
                await self._launcher.end(
                    payload["launch_id"], polite_s=payload["polite_s"], term_s=payload["term_s"]
                )
            case EffectKind.CLOSE_ROOM:
                await self._rooms.close(payload["room"])
        return True

    def _order(self, session: Session, effect: PendingEffect) -> LaunchOrder:
        launch_id = effect.payload["launch_id"]
        return LaunchOrder(
            launch_id=launch_id,
            session_id=session.id,
            bot=effect.payload["bot"],
            link_url=self._link_url,
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
            return False  # told when it links again; see `Sessions` and the link's door
        kind = CommandKind(effect.payload["kind"])
        command = Command(command_id=str(effect.id), kind=kind, data=effect.payload["data"])
        await link.tell(command, TELL_TIMEOUT_S)
        return True

    async def _failed(self, effect: PendingEffect, error: BaseException) -> None:
        self._metrics.effects_failed.labels(kind=effect.kind.value).inc()
        reason = f"{type(error).__name__}: {error}"[:500]
        fields = {"session": effect.session_id, "kind": effect.kind.value, "error": reason}
        if effect.attempts + 1 >= MOST_ATTEMPTS:
            self._metrics.effects_dead.labels(kind=effect.kind.value).inc()
            log.error("effect.dead", **fields)
            await self._store.bury_effect(effect.id, reason)
            return
        log.warning("effect.failed", attempt=effect.attempts + 1, **fields)
        wait_s = backoff_s(effect.attempts)
        await self._store.postpone_effect(effect.id, self._clock.now() + wait_s, reason)


def backoff_s(attempts: int) -> float:
    """Seconds until the next try: a quarter, doubling, at most ten."""
    return float(min(10.0, 0.25 * 2.0**attempts))
