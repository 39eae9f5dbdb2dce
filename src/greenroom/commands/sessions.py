"""``greenroom sessions``, ``end`` and ``reap``: who talks, ending one, ending what is overdue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from greenroom.commands.database import actor
from greenroom.commands.operate import AsJson, NoServer, StateDir, a_house, ask, read
from greenroom.commands.terminal import fail, out, refusals, wide
from greenroom.errors import NotFound
from greenroom.wire.operators import (
    MAX_NOTE_CHARS,
    EndAnswer,
    ReasonBody,
    SessionLine,
    SessionLines,
)

if TYPE_CHECKING:
    from greenroom.assembly import House
    from greenroom.settings import Settings

# A session's own bound on its end is five seconds.
END_WITHIN_S = 7.0
# Lost is what is missing at two looks; an exit that is on its way comes in between.
LOOK_AGAIN_S = 1.0
METER_CELLS = 12
_COLOURS = {
    "queued": "cyan",
    "connecting": "blue",
    "active": "green",
    "lingering": "yellow",
    "ending": "magenta",
}


def sessions(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show who talks: every session that has not ended, and how long it has left.

    Green is talking, yellow is a vanished user, blue is on its way in, magenta on its way out.
    The meter is the deadline that would end the session first. No word of what was said.

    Examples:
      [bold]greenroom sessions[/bold]

      [bold]greenroom sessions --json | jq '.sessions[].userId'[/bold]     for machines
    """
    with refusals():
        lines = asyncio.run(running(read(state_dir)))
    if as_json:
        out.print(lines.model_dump_json(by_alias=True), markup=False)
        return
    if lines.halted_at is not None:
        why = f": {escape(lines.halt_reason)}" if lines.halt_reason else "."
        out.print(f"[red]■[/red] Everything is stopped since {lines.halted_at}{why}")
    if lines.sessions:
        wide().print(_table(lines.sessions), soft_wrap=False)
    else:
        out.print("Nobody talks.")


async def running(settings: Settings) -> SessionLines:
    """Every session that has not ended, by the server, or by the database if there is none."""
    try:
        return await ask(settings, SessionLines, "GET", "/api/operator/sessions")
    except NoServer:
        return await _read(settings)


async def _read(settings: Settings) -> SessionLines:
    """What the database says; without a server nobody knows the processes."""
    from greenroom.launch import halt
    from greenroom.service.listing import lines_of
    from greenroom.store import database_at

    store = await database_at(settings.plain_database_url(), settings.state_dir).open()
    try:
        stopped = await store.halted() or halt.pulled(settings.state_dir)
        return lines_of(await store.unended(), [], stopped, time.time())
    finally:
        await store.close()


def _table(lines: list[SessionLine]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("session", "who", "assistant", "stage", "time left", "", "cost", "bot"):
        table.add_column(name, no_wrap=True, max_width=32)
    for line in lines:
        who = line.user_id if line.tenant == "default" else f"{line.user_id} ({line.tenant})"
        table.add_row(
            line.session_id[:12],
            Text(who, overflow="ellipsis"),
            line.assistant,
            Text(_stage_of(line), style=_COLOURS.get(line.stage, "")),
            meter(line),
            _left_of(line),
            f"${line.cost_usd:,.2f}",
            _bot_of(line),
        )
    return table


def _bot_of(line: SessionLine) -> str:
    """What its process takes; of one elsewhere (or on its way), how far it is."""
    if line.bot is None:
        return "–"
    if line.bot.pid == 0:
        return line.bot.progress.replace("_", " ")
    return f"{line.bot.private_bytes / 2**20:.0f} MB"


def _stage_of(line: SessionLine) -> str:
    marks = ["muted"] if line.muted else []
    if line.pause_causes:
        marks.append("paused: " + ", ".join(line.pause_causes))
    return f"{line.stage} ({'; '.join(marks)})" if marks else line.stage


def meter(line: SessionLine) -> Text:
    """The share that is left of the deadline that ends this session first."""
    if line.due_in_s is None or not line.due_after_s:
        return Text("·" * METER_CELLS, style="dim")
    share = min(1.0, max(0.0, line.due_in_s / line.due_after_s))
    full = round(share * METER_CELLS)
    colour = "green" if share > 0.5 else "yellow" if share > 0.2 else "red"
    return Text("█" * full, style=colour) + Text("░" * (METER_CELLS - full), style="dim")


def _left_of(line: SessionLine) -> Text:
    if line.due_in_s is None:
        return Text("no deadline", style="red")
    if line.due_in_s < 0:
        return Text(f"{-line.due_in_s:.0f} s overdue ({line.due})", style="bold red")
    minutes, seconds = divmod(int(line.due_in_s), 60)
    return Text(f"{minutes}:{seconds:02d} {line.due}")


# ---- ending one


def end(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how it begins.")],
    reason: Annotated[str, typer.Option(help="What its user is told.")] = "",
    state_dir: StateDir = None,
) -> None:
    """End one session and its bot, whatever the bot is doing. Said again, it hurries.

    Examples:
      [bold]greenroom end ses_1f3a[/bold]

      [bold]greenroom end ses_1f3a --reason "The room is needed."[/bold]
    """
    if len(reason) > MAX_NOTE_CHARS:
        fail(f"The reason has {len(reason)} characters; {MAX_NOTE_CHARS} are allowed.")
    with refusals():
        ended = asyncio.run(_end(read(state_dir), session_id, reason))
    out.print(f"[green]✓[/green] {ended.session_id}: {ended.stage} ({ended.reason}).")


async def _end(settings: Settings, session_id: str, reason: str) -> EndAnswer:
    lines = (await running(settings)).sessions
    whole = whole_id(session_id, [line.session_id for line in lines])
    path = f"/api/operator/sessions/{whole}"
    try:
        return await ask(settings, EndAnswer, "DELETE", path, ReasonBody(reason=reason))
    except NoServer:
        async with a_house(settings) as house:
            return await _end_without_server(house, whole, reason)


def whole_id(begins: str, known: list[str]) -> str:
    """The id that begins so. Raises `NotFound`: none does, or more than one."""
    found = [session_id for session_id in known if session_id.startswith(begins)]
    if not found or not begins:
        raise NotFound(f"No running session begins with “{begins}”. See: greenroom sessions")
    if len(found) > 1:
        raise NotFound(f"{len(found)} sessions begin with “{begins}”. Give more of the id.")
    return found[0]


async def _end_without_server(house: House, session_id: str, reason: str) -> EndAnswer:
    from greenroom.ports.audit import Act
    from greenroom.session.model import EndReason

    async with house.parts.audit.of(actor(), Act.END_SESSION, session_id, reason=reason):
        ended = await house.parts.sessions.stop(session_id, None, EndReason.KICKED, reason or None)
    try:
        async with asyncio.timeout(END_WITHIN_S):
            while ended.stage.value != "ended":
                await asyncio.sleep(0.05)
                ended = await house.parts.store.get(session_id)
    except TimeoutError:
        pass
    why = ended.reason.value if ended.reason else None
    return EndAnswer(session_id=ended.id, stage=ended.stage.value, reason=why)


# ---- ending what is overdue


@dataclass(frozen=True, slots=True)
class Reaped:
    """What `greenroom reap` did; ``served``: nothing, because a server does it all the time."""

    served: bool = False
    ended: int = 0
    running: int = 0
    overdue: int = 0


def reap(state_dir: StateDir = None) -> None:
    """End overdue sessions and orphaned bots when no server runs. For cron.

    A server does this all the time; where one runs, this command does nothing. Calls that are
    within their time are left alone: their server may be about to come back.

    Exit code 0: nothing is overdue any more, or a server runs. 1: something is, or the database
    does not answer.

    Examples:
      [bold]greenroom reap[/bold]

      [bold]* * * * *  greenroom reap --state-dir /var/lib/greenroom[/bold]     each minute, by cron
    """
    with refusals():
        reaped = asyncio.run(_reap(read(state_dir)))
    if reaped.served:
        out.print("[green]●[/green] A server runs and looks after its sessions.")
        return
    out.print(f"[green]●[/green] Ended: {reaped.ended}. Left alone, in time: {reaped.running}.")
    if reaped.overdue:
        fail(f"Still overdue: {reaped.overdue}.")


async def _reap(settings: Settings) -> Reaped:
    from greenroom.launch.force import processes_of
    from greenroom.launch.state import StateDir as Folder
    from greenroom.running import is_served

    if is_served(settings.state_dir):
        return Reaped(served=True)
    lines = await _read(settings)
    folder = Folder(settings.state_dir.expanduser().absolute())
    if not lines.sessions and not processes_of(folder):
        return Reaped()
    async with a_house(settings) as house:
        left = await _until_nothing_is_overdue(house)
    overdue = [line for line in left.sessions if _is_overdue(line)]
    ended = len(lines.sessions) - len(left.sessions)
    return Reaped(ended=ended, running=len(left.sessions) - len(overdue), overdue=len(overdue))


async def _until_nothing_is_overdue(house: House) -> SessionLines:
    """The house carries out what is due by itself; here is only looked and waited."""
    from greenroom.service.listing import lines_of

    await house.reconciler.look()
    await asyncio.sleep(LOOK_AGAIN_S)
    await house.reconciler.look()
    give_up_at_s = time.monotonic() + END_WITHIN_S
    while True:
        left = lines_of(await house.parts.store.unended(), [], None, time.time())
        if not any(map(_is_overdue, left.sessions)) or time.monotonic() > give_up_at_s:
            return left
        await asyncio.sleep(0.1)


def _is_overdue(line: SessionLine) -> bool:
    return line.stage == "ending" or (line.due_in_s is not None and line.due_in_s <= 0)
