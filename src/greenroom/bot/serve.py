"""One session inside a bot process: link, room and bot brought together, and ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import traceback
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any, Protocol

from loguru import logger
from pipecat.runner.types import (
    DailyRunnerArguments,
    RunnerArguments,
    SmallWebRTCRunnerArguments,
    WebSocketRunnerArguments,
)

from greenroom.bot import load
from greenroom.bot.context import BotSession, current, enter, in_session
from greenroom.bot.link import FromGreenroom, LinkClient, LinkEnd, Reply
from greenroom.bot.room import Room
from greenroom.bot.trace import trace
from greenroom.wire.link import (
    Candidates,
    Command,
    CommandDone,
    CommandKind,
    Offer,
    OfferRefused,
    ReportKind,
    RoomKind,
    SessionSpec,
)
from greenroom.wire.process import BotSpec, ExitCode, Progress

# The page of a VAPI call is told why it ends; of a polite end this is the first third.
END_IS_TOLD_WITHIN_S = 0.2
SESSION_ENDS_WITHIN_S = 0.4
ROOM_CLOSES_WITHIN_S = 0.3
LINK_FLUSHES_WITHIN_S = 1.0
LINK_CLOSES_WITHIN_S = 0.6
REMEMBERED_COMMANDS = 1_000
# An offer that waits for the bot reaches it a millisecond behind the welcome; later on a machine
# that is busy.
OFFER_FOLLOWS_WITHIN_S = 0.1
ANSWER_LEAVES_WITHIN_S = 0.5


# Arguments with a way to the user that is not Greenroom's.
_MEET_ELSEWHERE = (DailyRunnerArguments, SmallWebRTCRunnerArguments, WebSocketRunnerArguments)


class Ending(Enum):
    """Why the session ends in this process."""

    ASKED = "Greenroom or the launcher asked for it"
    BOT_RETURNED = "bot() returned"
    BOT_RAISED = "bot() raised"
    LINK_REFUSED = "the link was refused or fenced"
    LINK_LOST = "the link could not be reached for too long"


EXIT_CODES = {
    Ending.ASKED: ExitCode.OK,
    Ending.BOT_RETURNED: ExitCode.OK,
    Ending.BOT_RAISED: ExitCode.BOT_RAISED,
    Ending.LINK_REFUSED: ExitCode.LINK_REFUSED,
    Ending.LINK_LOST: ExitCode.LINK_LOST,
}
# Why the session ended, where nobody else has said so; see `greenroom.session.model.EndReason`.
OWN_REASONS = {Ending.BOT_RETURNED: "bot_left", Ending.BOT_RAISED: "bot_crashed"}
LINK_ENDINGS = {
    LinkEnd.FENCED: Ending.LINK_REFUSED,
    LinkEnd.REFUSED: Ending.LINK_REFUSED,
    LinkEnd.LOST: Ending.LINK_LOST,
}


class Line(Protocol):
    """What reports go out by, and what Greenroom wants comes in by; see `LinkClient`."""

    async def welcomed(self) -> SessionSpec:
        """See `LinkClient.welcomed`."""
        ...

    def report(self, kind: ReportKind, data: dict[str, Any]) -> None:
        """See `LinkClient.report`."""
        ...

    def ephemeral(self, event: str, data: dict[str, Any]) -> None:
        """See `LinkClient.ephemeral`."""
        ...

    def reply(self, message: Reply) -> None:
        """See `LinkClient.reply`."""
        ...

    async def sent(self, within_s: float) -> bool:
        """See `LinkClient.sent`."""
        ...

    async def flush(self, within_s: float) -> bool:
        """See `LinkClient.flush`."""
        ...

    async def run(self) -> LinkEnd:
        """See `LinkClient.run`."""
        ...


class Serving:
    """Runs one bot for one session; must be made inside a running event loop.

    The link may come and go; the bot and its audio do not depend on it. The session ends when
    the bot returns or raises, when Greenroom sends ``end``, fences or refuses the link, when
    the link is gone for too long, or when `stop` is called; whichever comes first.

    Args:
        spec: What to run and whom to dial.
        module: Has the bot.
        progress: Told how far it has come; must not block.
        line: Makes what stands in for the link; called as `LinkClient` is.
        given: The arguments that whoever hosts this process has for the bot. A bot that meets
            its user elsewhere (in a Daily room, say) gets these, and no connection of ours.
    """

    def __init__(
        self,
        spec: BotSpec,
        module: ModuleType,
        progress: Callable[[Progress], None],
        *,
        line: Callable[..., Line] | None = None,
        given: Any = None,
    ) -> None:
        self._bot = load.entry(module)
        self._progress = progress
        self._given = given
        make: Callable[..., Line] = line or LinkClient
        self._link = make(spec, level=load.level(module), pid=os.getpid(), received=self._received)
        self._room: Room | None = None
        self._offers: asyncio.Queue[Offer | Candidates] = asyncio.Queue()
        self._commands: asyncio.Queue[Command | SessionSpec] = asyncio.Queue()
        self._carried_out: dict[str, None] = {}
        self._offer_came = asyncio.Event()
        self._offer_answered = asyncio.Event()
        self._parting: asyncio.Task[None] | None = None
        self._reason = ""
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        """End the session, as the command ``end`` does."""
        self._end(Ending.ASKED)

    async def run(self) -> int:
        """Serve the session to its end; returns the exit code. Bounded once it is ending."""
        link = asyncio.create_task(self._hold_link())
        session = asyncio.create_task(self._hold_session())
        for task in (link, session):
            task.add_done_callback(self._end_if_failed)
        try:
            ending = await self._ending
            await self._tell_the_end(ending)
            return EXIT_CODES[ending]
        finally:
            if self._parting is not None:
                await _cancel(self._parting, SESSION_ENDS_WITHIN_S)
            await _cancel(session, SESSION_ENDS_WITHIN_S)
            await self._close_room()
            # The link is last: what the others report on their way out is still to be told.
            if not link.done():
                await self._link.flush(LINK_FLUSHES_WITHIN_S)
            await _cancel(link, LINK_CLOSES_WITHIN_S)
            enter(None)

    async def _tell_the_end(self, ending: Ending) -> None:
        """Whoever in the bot wants to know is told; what they do about it is bounded."""
        if not in_session():
            return
        reason = self._reason or OWN_REASONS.get(ending, "")
        try:
            async with asyncio.timeout(END_IS_TOLD_WITHIN_S):
                await current().end(reason)
        except TimeoutError:
            pass
        except Exception:
            logger.exception("being told of the end failed in the bot")

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    def _end_if_failed(self, task: asyncio.Task[None]) -> None:
        """A mistake of ours must not leave a process that serves nobody; `_cancel` tells of it."""
        if not task.cancelled() and task.exception() is not None:
            self._end(Ending.BOT_RAISED)

    async def _hold_link(self) -> None:
        self._end(LINK_ENDINGS[await self._link.run()])

    async def _hold_session(self) -> None:
        spec = await self._link.welcomed()
        self._progress(Progress.LINKED)
        session, room = self._furnish(spec)
        async with asyncio.TaskGroup() as helpers:
            tasks = [
                helpers.create_task(self._take_offers(room)),
                helpers.create_task(self._carry_out_commands(session)),
            ]
            if room is not None:
                tasks.append(helpers.create_task(room.watch()))
                if spec.offer_follows:
                    await self._let_an_offer_pass()
            await self._run_bot(_arguments(room, spec, self._given))
            for task in tasks:
                task.cancel()

    def _furnish(self, spec: SessionSpec) -> tuple[BotSession, Room | None]:
        """The session, and its room if that is here; one on Daily is the bot's transport's."""
        trace(spec)
        session = BotSession(
            spec,
            report=self._link.report,
            ephemeral=self._link.ephemeral,
            user_present=self._user_present,
            joined=self._joined,
        )
        enter(session)
        if spec.room.kind is not RoomKind.LOCAL:
            return session, None
        self._room = Room(
            spec.room,
            report=self._link.report,
            returned=session.returned,
            taken=session.took_connection,
        )
        return session, self._room

    async def _let_an_offer_pass(self) -> None:
        """Answer the page first, whose offer follows the welcome.

        Otherwise the bot waits for no page: while it is made, that may still be asking for the
        microphone. But what a bot does to begin often blocks the loop for long, and the answer
        would have to wait for it, and the page for the answer.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OFFER_FOLLOWS_WITHIN_S):
                await self._offer_came.wait()
        if self._offer_came.is_set():
            await self._offer_answered.wait()
            await self._link.sent(ANSWER_LEAVES_WITHIN_S)

    async def _run_bot(self, arguments: RunnerArguments) -> None:
        arguments.pipeline_idle_timeout_secs = None
        try:
            await self._bot(arguments)
        except (Exception, SystemExit):
            traceback.print_exc()
            error = {"code": "bot_raised", "message": "The bot failed.", "fatal": True}
            self._link.report(ReportKind.ERROR, error)
            self._end(Ending.BOT_RAISED)
        else:
            self._end(Ending.BOT_RETURNED)

    async def _close_room(self) -> None:
        if self._room is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROOM_CLOSES_WITHIN_S):
                    await self._room.close()

    def _user_present(self) -> bool:
        # Of a room on Daily Greenroom is told who is there, and we are not: a word is never
        # left unsaid for it.
        return self._room is None or self._room.user_present

    def _joined(self) -> None:
        self._link.report(ReportKind.BOT_JOINED, {"level": current().level.value})
        self._progress(Progress.JOINED)

    # ---- what Greenroom says

    def _received(self, message: FromGreenroom) -> None:
        """Called for each message, in order; must not block."""
        if isinstance(message, SessionSpec):
            self._commands.put_nowait(message)
        elif not isinstance(message, Command):
            self._offers.put_nowait(message)
            if isinstance(message, Offer):
                self._offer_came.set()
        elif message.command_id in self._carried_out:
            self._link.reply(CommandDone(command_id=message.command_id))
        elif message.kind is CommandKind.END:
            self._done(message)
            self._reason = str(message.data.get("reason", ""))
            if self._parting is None and message.data.get("within_s"):
                self._parting = asyncio.create_task(self._part(message.data))
            else:  # at once, or asked again
                self._end(Ending.ASKED)
        else:
            self._commands.put_nowait(message)

    async def _part(self, data: dict[str, Any]) -> None:
        """Let the bot say its last word, then end the session, whatever came of it."""
        try:
            async with asyncio.timeout(float(data["within_s"])):
                await current().part(str(data["reason"]))
        except TimeoutError:
            pass
        except Exception:
            logger.exception("the last word failed in the bot")
        finally:
            self._end(Ending.ASKED)

    async def _take_offers(self, room: Room | None) -> None:
        while True:
            message = await self._offers.get()
            if room is None:
                if isinstance(message, Offer):
                    self._link.reply(_not_here(message))
            elif isinstance(message, Offer):
                self._link.reply(await room.take_offer(message))
                self._offer_answered.set()
            else:
                await room.take_candidates(message)

    async def _carry_out_commands(self, session: BotSession) -> None:
        while True:
            command = await self._commands.get()
            if isinstance(command, SessionSpec):
                await self._catch_up(session, command)
                continue
            if command.command_id not in self._carried_out:
                await self._carry_out(session, command.kind, command.data)
            self._done(command)

    async def _catch_up(self, session: BotSession, spec: SessionSpec) -> None:
        """Be as the record says: a command may have been given up while nobody was linked."""
        if session.muted != spec.muted:
            await self._carry_out(session, CommandKind.MUTE, {"muted": spec.muted})
        if session.paused != spec.paused:
            await self._carry_out(session, CommandKind.PAUSE, {"paused": spec.paused})
        present = [one.model_dump(by_alias=True) for one in spec.present or []]
        known = {one["participant"]: one["userId"] for one in present}
        if spec.present is not None and session.people != known:
            await self._carry_out(session, CommandKind.PRESENCE, {"present": present})

    async def _carry_out(self, session: BotSession, kind: CommandKind, data: Any) -> None:
        try:
            await session.carry_out(kind, data)
        except Exception:
            logger.exception(f"the command {kind.value} failed in the bot")

    def _done(self, command: Command) -> None:
        self._carried_out[command.command_id] = None
        while len(self._carried_out) > REMEMBERED_COMMANDS:
            del self._carried_out[next(iter(self._carried_out))]
        self._link.reply(CommandDone(command_id=command.command_id))


def _arguments(room: Room | None, spec: SessionSpec, given: Any) -> RunnerArguments:
    """What Pipecat's own runner would give a bot for this kind of room, or whoever hosts it did."""
    if isinstance(given, _MEET_ELSEWHERE):
        given.body = spec.body
        return given
    if room is not None:
        return SmallWebRTCRunnerArguments(
            webrtc_connection=room.connection, body=spec.body, session_id=spec.session_id
        )
    return DailyRunnerArguments(
        room_url=spec.room.url or "",
        token=spec.room.token,
        body=spec.body,
        session_id=spec.session_id,
    )


def _not_here(offer: Offer) -> OfferRefused:
    return OfferRefused(
        offer_id=offer.offer_id,
        code="unsupported_transport",
        message="This conversation is in a room of Daily's.",
    )


async def _cancel(task: asyncio.Task[None], within_s: float) -> None:
    """Cancel a task and wait for it, but not for ever; a failure is told, not raised."""
    task.cancel()
    await asyncio.wait({task}, timeout=within_s)
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        traceback.print_exception(error)
