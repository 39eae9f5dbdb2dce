"""Port: the effects of changes, stored with them, which wait to be carried out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from greenroom.session.facts import EffectKind
from greenroom.session.model import Session


class AlreadySettled(Exception):
    """The effect that a change was to settle is struck off already: this is its second time."""


@dataclass(frozen=True, slots=True)
class GivenContext:
    """What an assistant was given to know, as it may be kept. ``by_page``: its user's word."""

    text: str
    by_page: bool


@dataclass(frozen=True, slots=True)
class NewEffect:
    """An effect to be committed with a change.

    ``context``: what is kept of it when it was carried out, with what was said.
    """

    kind: EffectKind
    payload: dict[str, Any]
    context: GivenContext | None = None


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """An effect that has yet to be carried out. ``attempts``: how often it was tried."""

    id: int
    session_id: str
    kind: EffectKind
    payload: dict[str, Any]
    attempts: int
    due_at: float


class EffectStore(Protocol):
    """Keeps effects until they are settled. An id is one effect's for ever.

    Every call may raise `Unavailable`.
    """

    async def due_kinds(self, now: float) -> set[tuple[str, EffectKind]]:
        """Which sessions have effects due by ``now``, and of which kinds: all, however many."""
        ...

    async def of(self, session_id: str) -> list[PendingEffect]:
        """All effects of a session that are still pending, oldest first."""
        ...

    async def next(
        self, session_id: str, kinds: Collection[EffectKind], *, settled: int | None = None
    ) -> tuple[PendingEffect, Session] | None:
        """The oldest pending effect of a session that is of one of these kinds, and the session.

        Args:
            session_id: Whose effects.
            kinds: Of which kinds.
            settled: The one before, which was carried out: it is struck off first, at one go.
        """
        ...

    async def due(self, kind: EffectKind, now: float) -> list[PendingEffect]:
        """All effects of one kind that are due by ``now``, of whichever session, oldest first."""
        ...

    async def settle(self, effect_id: int) -> None:
        """The effect was carried out: it is struck off."""
        ...

    async def postpone(self, effect_id: int, due_at: float, error: str) -> None:
        """The effect failed; try again at ``due_at``."""
        ...

    async def bury(self, effect_id: int, error: str) -> None:
        """The effect failed for good: a dead letter, kept in sight."""
        ...
