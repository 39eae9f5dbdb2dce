"""``greenroom bot``: have a bot called to a room, by the server that runs here."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from greenroom.commands.operate import AsJson, StateDir, ask, read
from greenroom.commands.terminal import out, refusals
from greenroom.wire.botserver import BotAnswer, BotAsked, BotLeft, BotRoom


def bot(
    room: Annotated[str, typer.Option(help="The room's address, or its name.")],
    user: Annotated[
        str | None,
        typer.Option(help="Whose room, if its name does not say."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="In which tenant; the usual one.")] = None,
    assistant: Annotated[
        str | None, typer.Option(help="With whom they talk there; whoever's room it is.")
    ] = None,
    personality_id: Annotated[str | None, typer.Option(help="Passed on to the bot.")] = None,
    persona: Annotated[str | None, typer.Option(help="Passed on to the bot.")] = None,
    voice: Annotated[str | None, typer.Option(help="Passed on to the bot.")] = None,
    voice_only: Annotated[
        bool, typer.Option("--voice-only/--with-camera", help="Camera off, microphone on.")
    ] = True,
    session_persistence: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds that it waits for a user who has vanished."),
    ] = None,
    recording_consent: Annotated[
        bool, typer.Option("--recording-consent", help="The user agrees to be recorded.")
    ] = False,
    leave: Annotated[bool, typer.Option("--leave", help="Send it away instead.")] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Call a bot to a user's room, as [bold]POST /api/bot/join[/bold] does; the server must run.

    The same limits hold as for any start, and a bot that is there already is found. Who called it
    is on the audit log.

    Examples:
      [bold]greenroom bot --room URL --voice-only --session-persistence 300[/bold]

      [bold]greenroom bot --room voice-ada-0f3c5a7e9b21 --leave[/bold]     send it away
    """
    whose = {"room_url": room, "assistant": assistant, "session_user_id": user, "tenant_id": tenant}
    told = BotAsked.model_validate(
        {
            **whose,
            "personality_id": personality_id,
            "persona": persona,
            "voice": voice,
            "voice_only": voice_only,
            "session_persistence": session_persistence,
            "recording_consent": recording_consent or None,
        }
    )
    with refusals():
        settings = read(state_dir)
        if leave:
            gone = asyncio.run(
                ask(settings, BotLeft, "POST", "/api/bot/leave", BotRoom.model_validate(whose))
            )
            _print(gone, _told_left(gone), as_json=as_json)
        else:
            came = asyncio.run(ask(settings, BotAnswer, "POST", "/api/bot/join", told))
            _print(came, _told(came), as_json=as_json)


def _print(answer: BotAnswer | BotLeft, sentence: str, *, as_json: bool) -> None:
    if as_json:
        out.print(answer.model_dump_json(by_alias=True), markup=False)
    else:
        out.print(sentence)


def _told(came: BotAnswer) -> str:
    where = escape(came.room_url or came.room_name)
    process = f"process {came.pid}" if came.pid is not None else "no process here (yet)"
    what = "is there already" if came.reused else "is on its way"
    return (
        f"[green]●[/green] {escape(came.assistant)} {what}: {where}\n"
        f"  session {came.session_id}, {came.status.value}, {process}, "
        f"waits {came.session_persistence:g} s for its user"
    )


def _told_left(gone: BotLeft) -> str:
    if gone.session_id is None:
        return "Nobody was there."
    return f"[green]●[/green] Sent away: session {gone.session_id}."
