"""Who watches: a diary that the database keeps itself, and outages that we caused."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.chaos.spans import Spans, outside_s

# A line for each new stage, and for each moment from which a deadline of the same stage runs anew:
# by the server's clock, which is set back, nobody could say afterwards when that was.
SQLITE_DIARY = """
CREATE TABLE chaos_diary (
  n INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, user_id TEXT, stage TEXT, at REAL);
CREATE TRIGGER chaos_born AFTER INSERT ON sessions BEGIN
  INSERT INTO chaos_diary (session_id, user_id, stage, at)
  VALUES (new.id, new.user_id, new.stage, (julianday('now') - 2440587.5) * 86400.0); END;
CREATE TRIGGER chaos_moved AFTER UPDATE ON sessions
  WHEN old.stage <> new.stage OR old.paused_at IS NOT new.paused_at
    OR old.last_activity_at IS NOT new.last_activity_at BEGIN
  INSERT INTO chaos_diary (session_id, user_id, stage, at)
  VALUES (new.id, new.user_id, new.stage, (julianday('now') - 2440587.5) * 86400.0); END;
"""
POSTGRES_DIARY = """
CREATE TABLE chaos_diary (
  n BIGSERIAL PRIMARY KEY, session_id TEXT, user_id TEXT, stage TEXT, at DOUBLE PRECISION);
CREATE FUNCTION chaos_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO chaos_diary (session_id, user_id, stage, at)
  VALUES (new.id, new.user_id, new.stage, extract(epoch FROM clock_timestamp())); RETURN new;
END $$;
CREATE TRIGGER chaos_born AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION chaos_write();
CREATE TRIGGER chaos_moved AFTER UPDATE ON sessions FOR EACH ROW
  WHEN (old.stage IS DISTINCT FROM new.stage OR old.paused_at IS DISTINCT FROM new.paused_at
    OR old.last_activity_at IS DISTINCT FROM new.last_activity_at)
  EXECUTE FUNCTION chaos_write();
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A session entered a stage, or a deadline in it began anew.

    ``at``: the machine's own time, which nobody moves.
    """

    session_id: str
    user_id: str
    stage: str
    at: float


class Outages(Spans):
    """When somebody who keeps deadlines could not: the server or the database was away."""

    def overlap_s(self, begin: float, end: float) -> float:
        """How much of a span was outage."""
        return max(0.0, end - begin) - outside_s(begin, end, self.all)

    def is_out(self, at: float, slack_s: float) -> bool:
        """Whether there was an outage at this moment or just before."""
        return any(a <= at <= b + slack_s for a, b in self.all)


class ServerTime:
    """What the server takes for the time: the machine's, moved now and then."""

    def __init__(self) -> None:
        self.moves: list[tuple[float, float]] = [(0.0, 0.0)]

    @property
    def offset_s(self) -> float:
        """By how much the server's clock is ahead now."""
        return self.moves[-1][1]

    def move(self, by_s: float) -> None:
        """The server's clock jumps."""
        self.moves.append((time.time(), self.offset_s + by_s))

    def reached_at(self, server_time: float, since: float) -> float:
        """When, by the machine's clock and not before ``since``, the server's clock was there."""
        ends = [at for at, _ in self.moves[1:]] + [float("inf")]
        for (begin, offset), end in zip(self.moves, ends, strict=True):
            at = max(server_time - offset, begin, since)
            if at < end:
                return at
        raise AssertionError("the last span never ends")
