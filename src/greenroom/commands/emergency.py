"""``greenroom stop-all`` and ``greenroom resume``: the stop button, whoever still answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from greenroom.commands.database import actor
from greenroom.commands.operate import AsJson, NoServer, StateDir, a_house, ask, read
from greenroom.commands.terminal import err, fail, out, refusals
from greenroom.errors import BadSetting, Unavailable
from greenroom.wire.operators import MAX_NOTE_CHARS, HaltAnswer, ReasonBody, ResumeAnswer

if TYPE_CHECKING:
    from greenroom.settings import Settings

BY_FORCE = "Stop the bots of this machine without them: greenroom stop-all --force"


def stop_all(
    reason: Annotated[str, typer.Option(help="What people are told; they read it.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Ask neither server nor database: end every bot here.")
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop everything: every conversation ends, and none begins until [bold]resume[/bold].

    Asks the server; if none answers, writes to the database and ends the bots itself. With
    [bold]--force[/bold] only the processes of this machine count, and a file in the state folder
    keeps new ones from beginning; the server puts it on record when it answers again.

    Exit code 0: nothing runs any more. 1: something does, or not everything could be done.

    Examples:
      [bold]greenroom stop-all[/bold]

      [bold]greenroom stop-all --reason "Back at noon."[/bold]

      [bold]greenroom stop-all --force[/bold]     when nothing answers any more
    """
    if len(reason) > MAX_NOTE_CHARS:
        fail(f"The reason has {len(reason)} characters; {MAX_NOTE_CHARS} are allowed.")
    with refusals():
        settings = read(state_dir)
        if force:
            _by_force(settings, reason, as_json=as_json)
            return
        answer = asyncio.run(_stop(settings, reason))
    if as_json:
        out.print(answer.model_dump_json(by_alias=True), markup=False)
    else:
        out.print(f"[red]■[/red] Everything is stopped. Sessions ended: {answer.ended}.")
        out.print("  Until [bold]greenroom resume[/bold] nobody can begin a conversation.")
    if answer.left:
        fail(f"{answer.left} had not ended yet. If they do not: greenroom stop-all --force")


async def _stop(settings: Settings, reason: str) -> HaltAnswer:
    path = "/api/emergency/shutdown"
    try:
        return await ask(settings, HaltAnswer, "POST", path, ReasonBody(reason=reason))
    except NoServer:
        pass
    except Unavailable as error:
        err.print(f"{escape(error.message)} Doing it without.")
    try:
        return await _stop_without_server(settings, reason)
    except (Unavailable, BadSetting) as error:
        raise Unavailable(f"{error.message} {BY_FORCE}") from error


async def _stop_without_server(settings: Settings, reason: str) -> HaltAnswer:
    from greenroom.ports.audit import Act
    from greenroom.wire.translate import rfc3339

    async with (
        a_house(settings) as house,
        house.parts.audit.of(actor(), Act.STOP_ALL, reason=reason),
    ):
        stopped = await house.emergency.stop(reason)
    return HaltAnswer(
        halted_at=rfc3339(stopped.halt.at),
        reason=stopped.halt.reason,
        ended=stopped.ended,
        left=stopped.left,
    )


def _by_force(settings: Settings, reason: str, *, as_json: bool) -> None:
    import dataclasses
    import json

    from greenroom.launch.force import stop_by_force

    root = settings.state_dir.expanduser().absolute()
    forced = asyncio.run(stop_by_force(root, reason))
    if as_json:
        out.print(json.dumps(dataclasses.asdict(forced)), markup=False)
    else:
        if forced.bots is None:
            out.print("The bots' supervisor does not answer, or none runs.")
        else:
            out.print(f"Bots ended by their supervisor: {forced.bots}.")
        out.print(f"Processes killed from here: {len(forced.killed)}.")
    _stop_agents(settings)
    if forced.left:
        fail(f"These live all the same: {', '.join(map(str, forced.left))}.")
    if not forced.halted:
        fail(f"No bot lives, but new ones may begin: {root} cannot be written.")
    if not as_json:
        out.print("[red]■[/red] No bot lives here, and none begins until greenroom resume.")


def _stop_agents(settings: Settings) -> None:
    """Stop those on Pipecat Cloud, too, by what the state folder knows of them."""
    cloud = settings.pipecat_cloud()
    if cloud is None:
        return
    if cloud.agent is None:
        fail("Agents on Pipecat Cloud go on: say which, by GREENROOM_PIPECAT_CLOUD_AGENT.")

    from greenroom.main import agents_of

    launcher, _, _ = agents_of(cloud, settings.state_dir.expanduser().absolute(), cloud.agent)

    async def stop() -> int:
        try:
            number = len(await launcher.living())
            await launcher.shutdown()
        finally:
            await launcher.close()
        return number

    with refusals():
        number = asyncio.run(stop())
    err.print(f"Agents on Pipecat Cloud stopped: {number}.")


def resume(state_dir: StateDir = None) -> None:
    """Let conversations begin again after [bold]stop-all[/bold].

    Example:  [bold]greenroom resume[/bold]
    """
    with refusals():
        answer = asyncio.run(_resume(read(state_dir)))
    if answer.resumed:
        out.print("[green]●[/green] Conversations may begin again.")
    else:
        out.print("[green]●[/green] Nothing had been stopped.")


async def _resume(settings: Settings) -> ResumeAnswer:
    from greenroom.ports.audit import Act

    try:
        return await ask(settings, ResumeAnswer, "POST", "/api/emergency/resume")
    except NoServer:
        async with (
            a_house(settings) as house,
            house.parts.audit.of(actor(), Act.RESUME),
        ):
            return ResumeAnswer(resumed=await house.emergency.resume())
    except Unavailable as error:
        # Beside a server that hangs, what we lift could be put back by what it had just read.
        raise Unavailable(f"{error.message} End or restart it first, then resume.") from error
