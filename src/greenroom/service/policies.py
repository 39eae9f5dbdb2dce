"""How long each call to something outside may take, and how often it is tried: one table.

Two kinds share one arithmetic (exponential, with jitter, bounded). A call that somebody waits for
is tried again at once, in memory, by tenacity. An effect's tries are rows with a time, so that
they outlive this process; see `greenroom.service.dispatch`.

The store has no row: its adapters bound every connection, statement and wait for one
(`greenroom.store`), and whoever asked decides what an `Unavailable` means to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from greenroom.errors import GreenroomError, Unavailable
from greenroom.service.tracing import span
from greenroom.session.facts import EffectKind
from greenroom.wire.tools import MAX_TIMEOUT_S

log = structlog.get_logger("greenroom.outside")

T = TypeVar("T")

# What may pass by itself. A refusal does not.
PASSING = (Unavailable, OSError, TimeoutError)


class Outside(StrEnum):
    """Every call that leaves the process, but the store's."""

    ENSURE_ROOM = "rooms.ensure"
    CLOSE_ROOM = "rooms.close"
    OPEN_ROOM = "rooms.open"
    NAME_ROOM = "rooms.name_at"
    ADMIT = "rooms.admit"
    KEEP_ROOMS = "rooms.keep"
    OCCUPANTS = "rooms.occupants"
    LAUNCH_BOT = "launcher.start"
    END_BOT = "launcher.end"
    TELL_BOT = "link.tell"
    RUN_TOOL = "tools.run"
    ASK_TOOL = "tools.ask"
    EXCLUDE = "sessions.exclude"  # within the store; its tries are counted like any effect's
    TRICKLE = "link.trickle"
    LIVING = "launcher.living"
    FORGET = "launcher.forget"
    HALT = "launcher.halt"
    RESUME = "launcher.resume"
    HALTED = "launcher.halted"
    KEY_SET = "keyset.read"
    FLAGS = "flags.ask"
    VAPI = "vapi.list"


@dataclass(frozen=True, slots=True)
class Policy:
    """One call's bounds.

    Attributes:
        timeout_s: How long one try may take.
        attempts: How many tries, the first included.
        first_wait_s: Before the second try; it doubles each time.
        most_wait_s: Before any try, jitter included.
        jitter_s: At most so much is added at random, so that many do not come back at once.
        durable: Its tries are rows in the database.
    """

    timeout_s: float
    attempts: int = 1
    first_wait_s: float = 0.25
    most_wait_s: float = 10.0
    jitter_s: float = 0.25
    durable: bool = False

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after this try (1 is the first)."""
        tried = RetryCallState(AsyncRetrying(), None, (), {})
        tried.attempt_number = attempt
        return self._wait_s(tried)

    def _wait_s(self, tried: RetryCallState) -> float:
        """By the arithmetic, and not before the time that we were told to come back."""
        by_number = wait_exponential_jitter(
            multiplier=self.first_wait_s, max=self.most_wait_s, jitter=self.jitter_s
        )
        error = tried.outcome.exception() if tried.outcome else None
        return max(by_number(tried), told_to_wait_s(error))

    def _may_pass(self, error: BaseException) -> bool:
        """Nobody who waits is made to wait longer than this for one more try."""
        return isinstance(error, PASSING) and told_to_wait_s(error) <= self.most_wait_s

    def retrying(self, call: Outside) -> AsyncRetrying:
        """The tries that are made in memory."""

        def tell(tried: RetryCallState) -> None:
            error = tried.outcome.exception() if tried.outcome else None
            log.warning(
                "outside.again",
                call=call.value,
                attempt=tried.attempt_number,
                timeout_s=self.timeout_s,
                error=type(error).__name__,
            )

        return AsyncRetrying(
            stop=stop_after_attempt(1 if self.durable else self.attempts),
            wait=self._wait_s,
            retry=retry_if_exception(self._may_pass),
            before_sleep=tell,
            reraise=True,
        )


def told_to_wait_s(error: BaseException | None) -> float:
    """How long whoever was asked wants to be left alone (``Retry-After``); 0: it did not say."""
    return (error.retry_after_s or 0.0) if isinstance(error, GreenroomError) else 0.0


def _durable(timeout_s: float) -> Policy:
    # Eight tries take about half a minute: as long as a page waits for its bot.
    return Policy(timeout_s, attempts=8, durable=True)


POLICIES: dict[Outside, Policy] = {
    Outside.ENSURE_ROOM: _durable(10.0),
    Outside.CLOSE_ROOM: _durable(10.0),
    # A page waits for its token, and has a microphone open.
    Outside.ADMIT: Policy(6.0, attempts=3),
    Outside.OPEN_ROOM: Policy(6.0, attempts=3),
    Outside.NAME_ROOM: Policy(6.0, attempts=3),
    # They are done every quarter of a minute anyway.
    Outside.KEEP_ROOMS: Policy(10.0),
    Outside.OCCUPANTS: Policy(10.0),
    Outside.LAUNCH_BOT: _durable(10.0),
    Outside.END_BOT: _durable(10.0),
    Outside.TELL_BOT: _durable(3.0),
    # Each tool has a time limit of its own, which ends earlier, and is told to the bot.
    Outside.RUN_TOOL: _durable(MAX_TIMEOUT_S + 10.0),
    # Within that limit: a far side that comes back at once is worth a second try.
    Outside.ASK_TOOL: Policy(MAX_TIMEOUT_S, attempts=3, most_wait_s=5.0),
    Outside.EXCLUDE: _durable(10.0),
    Outside.TRICKLE: Policy(3.0),
    Outside.LIVING: Policy(10.0),
    Outside.FORGET: Policy(10.0, attempts=3),
    Outside.HALT: Policy(2.0, attempts=2),
    Outside.RESUME: Policy(2.0, attempts=2),
    Outside.HALTED: Policy(2.0),
    # A user waits for it who has a token already; with the keys of before it is not missed.
    Outside.KEY_SET: Policy(4.0, attempts=2),
    # A page waits for it before it shows its button; the record's own word is as good.
    Outside.FLAGS: Policy(1.0),
    # A command waits for a page of assistants.
    Outside.VAPI: Policy(10.0, attempts=4),
}

EFFECT_CALLS: dict[EffectKind, Outside] = {
    EffectKind.ENSURE_ROOM: Outside.ENSURE_ROOM,
    EffectKind.CLOSE_ROOM: Outside.CLOSE_ROOM,
    EffectKind.LAUNCH_BOT: Outside.LAUNCH_BOT,
    EffectKind.END_BOT: Outside.END_BOT,
    EffectKind.TELL_BOT: Outside.TELL_BOT,
    EffectKind.RUN_TOOL: Outside.RUN_TOOL,
    EffectKind.EXCLUDE: Outside.EXCLUDE,
}


async def outside(call: Outside, do: Callable[[], Awaitable[T]], *, attempt: int = 1) -> T:
    """Make a call by its policy.

    Args:
        call: Which one.
        do: Makes it; it may be made again.
        attempt: Which try of a durable call this is.

    Raises:
        Unavailable: It did not answer in time, on none of the tries.
        Exception: Whatever else it raised on the last try.
    """
    policy = POLICIES[call]
    async for tried in policy.retrying(call):
        with tried:
            number = attempt if policy.durable else tried.retry_state.attempt_number
            with span(call.value, attempt=number, timeout_s=policy.timeout_s):
                return await _in_time(call, do, policy.timeout_s)
    raise AssertionError("the last try returns or raises")


async def _in_time(call: Outside, do: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    try:
        async with asyncio.timeout(timeout_s):
            return await do()
    except TimeoutError as error:
        raise Unavailable(f"{call.value} did not answer within {timeout_s:g} s.") from error
