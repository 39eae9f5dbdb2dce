"""One launch under way: what is known of it, and how that reads from outside."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.launch import logs
from greenroom.launch.hatch import Bot, RawExit
from greenroom.launch.watch import Watch
from greenroom.ports.launcher import BotExit, BotProcess, ExitCause, LaunchOrder
from greenroom.wire.process import BotSpec

# What `BotProcess.progress` says before the process has said anything.
LAUNCHING = "launching"


@dataclass(slots=True)
class Launch:
    """One launch under way. Everything else about it is derived from these."""

    order: LaunchOrder
    watch: Watch
    log: Path
    hatching: asyncio.Task[Bot] | None = None
    bot: Bot | None = None
    explained_in: Path | None = None
    progress: str = LAUNCHING
    private_bytes: int = 0
    started_at_s: float = field(default_factory=time.time)

    def as_process(self) -> BotProcess:
        """For lists. The pid is 0 as long as the bot's module is being imported."""
        return BotProcess(
            launch_id=self.order.launch_id,
            session_id=self.order.session_id,
            pid=self.bot.pid if self.bot else 0,
            started_at_s=self.started_at_s,
            progress=self.progress,
            private_bytes=self.private_bytes,
        )

    def as_exit(
        self, cause: ExitCause, returncode: int | None, last_words: str | None = None
    ) -> BotExit:
        """Its end. The secret is struck out of the last words, should the bot have printed it."""
        words = logs.tail(self.log) if last_words is None else last_words
        signalled = returncode is not None and returncode < 0
        return BotExit(
            launch_id=self.order.launch_id,
            session_id=self.order.session_id,
            cause=cause,
            exit_code=None if signalled else returncode,
            signal=-returncode if returncode is not None and signalled else None,
            last_words=words.replace(self.order.secret, "***") if self.order.secret else words,
            at_s=time.time(),
        )

    def as_spec(self) -> BotSpec:
        """What its process is told."""
        return BotSpec(
            launch_id=self.order.launch_id,
            session_id=self.order.session_id,
            bot=self.order.bot,
            link_url=self.order.link_url,
            secret=self.order.secret,
        )

    def cause_of(self, raw: RawExit) -> ExitCause:
        """Why it ended: first what we did to it, then what happened to it."""
        if self.watch.cause is not None:
            return self.watch.cause
        if raw.host_died:
            return ExitCause.HOST_DIED
        if raw.returncode is None:
            return ExitCause.UNKNOWN
        return ExitCause.SIGNALLED if raw.returncode < 0 else ExitCause.EXITED
