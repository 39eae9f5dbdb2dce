"""What a bot's own code may know and do: its session, its reports, the commands it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import BotLevel, CommandKind, Present, ReportKind, SessionSpec

CommandHandler = Callable[[dict[str, Any]], Awaitable[None]]
ReportSink = Callable[[ReportKind, dict[str, Any]], None]
EphemeralSink = Callable[[str, dict[str, Any]], None]
ReturnHandler = Callable[[], Awaitable[None]]
PartingHandler = Callable[[str], Awaitable[None]]


class BotSession:
    """The session that this process serves. One process serves one session.

    Attributes:
        spec: What Greenroom told the bot of its session when the link was first welcomed; its
            ``record`` is kept up with what was adjusted since.
        muted: Whether the user's microphone is off now, by the latest command.
        paused: Whether the session is paused now, by the latest command.
        people: Who is in a room that is not here, by what it calls them: their user ids. As
            Greenroom was told, some seconds late; None: nobody tells, the bot sees it itself.
        level: How much Greenroom can do with this bot, as far as it has shown.
        hushed: Whether the bot's voice is off; it goes on, unheard.
    """

    def __init__(
        self,
        spec: SessionSpec,
        *,
        report: ReportSink,
        user_present: Callable[[], bool],
        joined: Callable[[], None],
        ephemeral: EphemeralSink = lambda event, data: None,
    ) -> None:
        self.spec = spec
        self.muted = spec.muted
        self.paused = spec.paused
        self.people = None if spec.present is None else _people(spec.present)
        self.level = BotLevel.LAUNCHED
        self.hushed = False
        self._report = report
        self._ephemeral = ephemeral
        self._user_present = user_present
        self._joined = joined
        self._handlers: dict[CommandKind, list[CommandHandler]] = {}
        self._return_handlers: list[ReturnHandler] = []
        self._parting_handlers: list[PartingHandler] = []
        self._end_handlers: list[PartingHandler] = []
        self._listeners: list[ReportSink] = []

    @property
    def record(self) -> BotRecord:
        """The assistant's record, as adjusted; one that says nothing if it has none."""
        return BotRecord.model_validate(self.spec.record or {"name": "assistant"})

    @property
    def user_present(self) -> bool:
        """Whether media with a page is connected at this moment."""
        return self._user_present()

    def report(self, kind: ReportKind, data: dict[str, Any]) -> None:
        """Report something to Greenroom. Never blocks; kept until it is acknowledged.

        Args:
            kind: What happened.
            data: Its shape stands beside each `ReportKind`. JSON values only.

        Raises:
            TooLarge: The report does not fit into one message of the link.
        """
        self._report(kind, data)
        for listener in self._listeners:
            listener(kind, data)

    def overhear(self, listener: ReportSink) -> None:
        """Have `listener` called with everything that is reported; it must not block."""
        self._listeners.append(listener)

    def ephemeral(self, event: str, data: dict[str, Any]) -> None:
        """Tell whoever follows the session just now something that is worthless when old.

        It is stored nowhere, has no number and comes again to nobody; a page that is behind gets
        the newest of its type. Never blocks. Above 50 a second they are dropped.

        Args:
            event: An application's own ``app.…`` or ``ui.…``, or ``voice.audio.level``.
            data: JSON values only, up to 4 KiB; of an audio level ``{role, level}``, 0 … 1. The
                level of a user who is muted is nobody's business and is not told.

        Raises:
            TooLarge: It is larger than that.
        """
        if event == "voice.audio.level" and self.muted and data.get("role") == "user":
            return
        self._ephemeral(event, data)

    def on_command(self, kind: CommandKind, handler: CommandHandler) -> None:
        """Have `handler` called with the command's ``data``, one command at a time, in order.

        ``end`` is carried out by the process itself and reaches no handler. A command that
        came before is not repeated: read `muted` and `paused` when registering.
        """
        self._handlers.setdefault(kind, []).append(handler)

    def on_return(self, handler: ReturnHandler) -> None:
        """Have `handler` called when a page is connected again after the first time.

        In a group call: when somebody is back who was here before. Whoever comes for the first
        time is told of by the command ``presence``, with ``first``: greet nobody but them.
        """
        self._return_handlers.append(handler)

    def on_parting(self, handler: PartingHandler) -> None:
        """Have `handler` called with the reason when Greenroom lets the bot say a last word.

        The process ends when it returns, or when its time is up.
        """
        self._parting_handlers.append(handler)

    def on_end(self, handler: PartingHandler) -> None:
        """Have `handler` called with the reason when the session ends, whatever ends it.

        The bot still runs, and goes when it returns, or a moment later.
        """
        self._end_handlers.append(handler)

    async def end(self, reason: str) -> None:
        """Call the handlers registered with `on_end`."""
        for handler in self._end_handlers:
            await handler(reason)

    async def part(self, reason: str) -> None:
        """Call the handlers registered with `on_parting`."""
        for handler in self._parting_handlers:
            await handler(reason)

    async def carry_out(self, kind: CommandKind, data: dict[str, Any]) -> None:
        """Call the handlers of a command, in the order in which they were registered."""
        match kind:
            case CommandKind.MUTE:
                self.muted = bool(data["muted"])
            case CommandKind.PAUSE:
                self.paused = bool(data["paused"])
            case CommandKind.PRESENCE:
                self.people = _people(Present.model_validate(one) for one in data["present"])
            case CommandKind.ADJUST:
                record = {"name": self.spec.assistant, **self.spec.record, **data}
                kept = {name: value for name, value in record.items() if value is not None}
                self.spec = self.spec.model_copy(update={"record": kept})
        for handler in self._handlers.get(kind, []):
            await handler(data)
        if kind is CommandKind.PRESENCE and data.get("came") and not data.get("first"):
            await self.returned()

    async def returned(self) -> None:
        """Call the handlers registered with `on_return`."""
        for handler in self._return_handlers:
            await handler()

    def rise_to(self, level: BotLevel) -> None:
        """The bot turns out to be of this level; it never sinks again."""
        self.level = max(self.level, level, key=list(BotLevel).index)

    def took_connection(self) -> None:
        """The bot uses its connection with the page; without a pipeline, this is how it joins.

        A bot with a pipeline joins when that runs: its transport takes the connection before
        its other parts are ready.
        """
        if self.level is BotLevel.LAUNCHED:
            self.joined()

    def joined(self) -> None:
        """The bot can be heard: tell Greenroom and the launcher. Only the first call counts."""
        joined, self._joined = self._joined, _nothing
        joined()


def _people(present: Iterable[Present]) -> dict[str, str]:
    return {one.participant: one.user_id for one in present}


def _nothing() -> None:
    """Nobody is to be told again."""


_current: BotSession | None = None


def current() -> BotSession:
    """The session that this process serves.

    Raises:
        RuntimeError: This process was not started by Greenroom.
    """
    if _current is None:
        raise RuntimeError("no Greenroom session runs in this process")
    return _current


def in_session() -> bool:
    """Whether this process serves a session of Greenroom's just now."""
    return _current is not None


def enter(session: BotSession | None) -> None:
    """Make `session` the current one; `None` leaves it."""
    global _current
    _current = session
