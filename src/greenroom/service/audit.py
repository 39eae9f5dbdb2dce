"""Putting on record who did what, whatever came of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from greenroom.errors import GreenroomError
from greenroom.ports.audit import DONE, Act, Actor, AuditStore, Entry
from greenroom.ports.clock import Clock
from greenroom.wire.operators import AuditLine
from greenroom.wire.translate import rfc3339

log = structlog.get_logger("greenroom.audit")

# What is neither done nor refused: cancelled, or a mistake of ours.
FAILED = "failed"
# What somebody names may be anything, and a line stays for ever.
MAX_TARGET_CHARS = 300


@dataclass(slots=True)
class Doing:
    """An act that is under way; whoever does it may say more of it as it comes to be known."""

    target: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def audit_line(entry: Entry) -> AuditLine:
    """A line of the log as it is shown."""
    return AuditLine(
        id=entry.id,
        at=rfc3339(entry.at),
        actor_kind=str(entry.actor.kind),
        actor=entry.actor.name,
        address=entry.actor.address,
        act=str(entry.act),
        target=entry.target,
        outcome=entry.outcome,
        detail=entry.detail,
    )


class Audit:
    """The audit log, as those write it who do something."""

    def __init__(self, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def entry(self, actor: Actor, act: Act, target: str = "", **detail: Any) -> Entry:
        """A line of what is done now, for whoever keeps it in a transaction of their own."""
        return Entry(self._clock.now(), actor, act, target, detail=detail)

    @contextlib.asynccontextmanager
    async def of(
        self, actor: Actor, act: Act, target: str = "", **detail: Any
    ) -> AsyncIterator[Doing]:
        """Put on record what is done within the block, and how it ended.

        The act comes first: a stop button must work while the database does not. If the line
        cannot be kept then, it goes to the server's own log, and the act stands.
        """
        doing, outcome = Doing(target, detail), FAILED
        try:
            yield doing
            outcome = DONE
        except GreenroomError as error:
            outcome = error.code
            raise
        finally:
            now = self._clock.now()
            target = doing.target[:MAX_TARGET_CHARS]
            await self._keep(Entry(now, actor, act, target, outcome, doing.detail))

    async def _keep(self, entry: Entry) -> None:
        try:
            await self._store.add(entry)
        except GreenroomError as error:
            log.error(
                "audit.not_kept",
                why=error.message,
                act=str(entry.act),
                actor=entry.actor.name,
                actor_kind=str(entry.actor.kind),
                address=entry.actor.address,
                target=entry.target,
                outcome=entry.outcome,
            )
