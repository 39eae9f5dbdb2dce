"""Port: what was decided in a roll-out, and how conversations went on either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from greenroom.session.model import Session


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions of one kind since a day: for how many users, and how often they asked."""

    assistant: str
    provider: str
    reason: str
    users: int
    times: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a conversation went on the other side, as its application tells.

    Attributes:
        id: The other side's own; told twice, it counts once.
        at: When it began; seconds since the epoch.
        failed: Whether it failed, by the application's own lights.
        first_word_s: From the click to the assistant's first word.
        micro_usd: What it cost, in millionths of a dollar.
    """

    id: str
    tenant: str
    assistant: str
    at: float
    failed: bool
    duration_s: float | None = None
    first_word_s: float | None = None
    micro_usd: int | None = None


class RolloutStore(Protocol):
    """Keeps decisions and outcomes. Every call may raise `Unavailable`."""

    async def note(
        self,
        assistant: str,
        tenant: str,
        user_id: str,
        provider: str,
        reason: str,
        now: float,
    ) -> None:
        """A decision was made; the same one of a day is counted, and not kept again."""
        ...

    async def decided(self, since: float, assistant: str | None = None) -> list[Decided]:
        """What was decided since the day of this time (UTC), by assistant, side and reason."""
        ...

    async def add(self, outcome: Outcome) -> bool:
        """Keep an outcome; False: it was told before, and is now as told last."""
        ...

    async def outcomes(
        self, since: float, assistant: str | None = None, *, limit: int
    ) -> list[Outcome]:
        """How conversations of the other side went, the newest first."""
        ...

    async def sessions(
        self, since: float, assistant: str | None = None, *, limit: int
    ) -> list[tuple[Session, float | None]]:
        """Our own sessions that were let in since then, the newest first.

        Each with the time of the assistant's first word; None: there was none, or it is erased.
        """
        ...
