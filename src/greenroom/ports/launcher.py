"""Port: bringing bot processes to life, watching them, and ending them for certain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from greenroom.ports.store import Halt
from greenroom.wire.link import SessionSpec


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """One bot process to be started.

    Attributes:
        launch_id: Unique per launch; starting the same one twice starts one process.
        session_id: For logs and lists.
        bot: Dotted module or path of a ``.py`` file with ``async def bot(runner_args)``.
        link_url: WebSocket address the bot dials.
        secret: The launch's own secret; never logged, never in an environment.
        join_within_s: Killed if its pipeline does not run by then.
        wall_clock_s: Killed after that long, whatever anybody says.
        memory_limit_bytes: Private memory (USS) above which it is killed.
        session: What it is to know of its session, room and body included; for launchers that hand
            it over themselves. Without it the bot is told on the link.
    """

    launch_id: str
    session_id: str
    bot: str
    link_url: str
    secret: str
    join_within_s: float
    wall_clock_s: float
    memory_limit_bytes: int
    session: SessionSpec | None = None


class ExitCause(StrEnum):
    """Why a bot process is no more (or never was)."""

    EXITED = "exited"  # by itself, with `exit_code`
    SIGNALLED = "signalled"  # by a signal that we did not send (segfault, OOM killer)
    ENDED = "ended"  # because we asked
    JOIN_DEADLINE = "join_deadline"
    WALL_CLOCK = "wall_clock"
    MEMORY = "memory"
    IMPORT_FAILED = "import_failed"  # last_words: the traceback
    IMPORT_HUNG = "import_hung"  # last_words: where it hung
    HOST_DIED = "host_died"  # the process that forks died, and its children with it
    REFUSED = "refused"  # whoever was to carry it will not, however often it is asked
    UNKNOWN = "unknown"  # asked about a launch that left no record


@dataclass(frozen=True, slots=True)
class BotExit:
    """The end of one launch. ``last_words``: the tail of its standard error, ≤ 4,000 characters.

    ``still_runs_s``: nobody can end it, and so long at most it goes on without its session.
    ``deaf``: it was told to go, and has not gone.
    """

    launch_id: str
    session_id: str
    cause: ExitCause
    exit_code: int | None
    signal: int | None
    last_words: str
    at_s: float
    still_runs_s: float = 0.0
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class BotProcess:
    """A launch under way. ``private_bytes``: USS at the last look, 0 before the first.

    ``pid`` is 0, and ``progress`` ``"launching"``, as long as the bot's module is being imported.
    """

    launch_id: str
    session_id: str
    pid: int
    started_at_s: float
    progress: str
    private_bytes: int


class Launcher(Protocol):
    """Starts, lists and ends bot processes.

    Guarantees: `start` and `end` are idempotent by launch id. Every started launch is followed
    by exactly one `BotExit`, delivered at least once: it is kept until `forget`. No bot process
    survives the launcher's own supervisor, and none its `wall_clock_s`.
    Once `halt` has returned no launch begins until `resume`, whoever asked for it and whenever;
    that outlives this process, the launcher's own and the machine's.
    Every call is bounded in time and raises `Unavailable` when the supervisor does not answer.

    Attributes:
        starts_cold: A launch may have to wait until a machine for it is made.
    """

    starts_cold: bool

    async def start(self, order: LaunchOrder) -> None:
        """Begin a launch; returns once it is under way, not once the bot is ready.

        Raises:
            Halted: Between `halt` and `resume`.
        """
        ...

    async def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """Wait `polite_s` for the bot to exit by itself, then SIGTERM, then after `term_s` SIGKILL.

        Returns at once. A second call with shorter times hurries. Unknown launches are ignored.
        """
        ...

    async def living(self) -> list[BotProcess]:
        """The processes that live now."""
        ...

    def exits(self) -> AsyncIterator[BotExit]:
        """Exits as they happen, beginning with those not yet forgotten. One consumer."""
        ...

    async def forget(self, launch_id: str) -> None:
        """The exit of this launch is on record; it need not be kept."""
        ...

    async def halt(self, reason: str) -> None:
        """Begin no launch from now on; what lives is left alone."""
        ...

    async def resume(self) -> bool:
        """Launches may begin again; whether they might not before."""
        ...

    async def halted(self) -> Halt | None:
        """Whether launches are refused, since when and why."""
        ...

    async def warm(self, bot: str) -> None:
        """Preload a bot, so that its first launch is as fast as the others."""
        ...

    async def close(self) -> None:
        """Let go of the supervisor without ending it or any bot."""
        ...

    async def shutdown(self) -> None:
        """End every bot, then the supervisor."""
        ...
