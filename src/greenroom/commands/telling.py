"""``greenroom say``, ``tell`` and ``adjust``: telling an assistant that talks, by its server."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from greenroom.commands.operate import StateDir, ask, read
from greenroom.commands.sessions import running, whole_id
from greenroom.commands.terminal import fail, out, refusals
from greenroom.wire.base import WireModel
from greenroom.wire.http import AdjustBody, ContextBody, SayBody
from greenroom.wire.operators import ToldAnswer

SessionId = Annotated[
    str, typer.Argument(metavar="SESSION", help="The session's id, or how it begins.")
]


def say(
    session_id: SessionId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")],
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="At once, over what it is saying.")
    ] = False,
    state_dir: StateDir = None,
) -> None:
    """Have the assistant of a running session say something. On the audit log, without the words.

    Refused while nobody is there to hear it, and while the session is paused.

    Examples:
      [bold]greenroom say ses_1f3a "We close in five minutes."[/bold]

      [bold]greenroom say ses_1f3a "Please hang up now." --interrupt[/bold]
    """
    _tell(state_dir, session_id, "say", {"text": text, "interrupt": interrupt or None})


def tell(
    session_id: SessionId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it is to know.")],
    state_dir: StateDir = None,
) -> None:
    """Let the assistant of a running session know something; it does not say it.

    Examples:
      [bold]greenroom tell ses_1f3a "The user's parcel has arrived."[/bold]
    """
    _tell(state_dir, session_id, "context", {"text": text})


def adjust(
    session_id: SessionId,
    persona: Annotated[str | None, typer.Option(help="Who it is from now on.")] = None,
    personality: Annotated[str | None, typer.Option(help="How it is from now on.")] = None,
    voice: Annotated[str | None, typer.Option(help="Which voice speaks, by its name.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the voice; may be said again."),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Change persona, personality or voice of a running session's assistant at once.

    On record for the session, so it holds to its end; the assistant's record stays as it is.

    Examples:
      [bold]greenroom adjust ses_1f3a --personality "Brief, and very calm."[/bold]

      [bold]greenroom adjust ses_1f3a --voice en-gb --parameter pitch=30[/bold]
    """
    voiced: dict[str, Any] = {} if voice is None else {"name": voice}
    if parameter:
        voiced["parameters"] = dict(map(_parameter, parameter))
    wanted = {"persona": persona, "personality": personality, "voice": voiced or None}
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        fail("Say what is to change: --persona, --personality, --voice or --parameter.")
    _tell(state_dir, session_id, "adjust", changes)


_BODIES: dict[str, type[WireModel]] = {"say": SayBody, "context": ContextBody, "adjust": AdjustBody}
_DONE = {"say": "It will be said", "context": "It will be known", "adjust": "It will be so"}


def _tell(state_dir: Any, session_id: str, what: str, said: dict[str, Any]) -> None:
    with refusals():
        told = asyncio.run(_asked(state_dir, session_id, what, said))
    out.print(f"[green]✓[/green] {told.session_id}: {_DONE[what]} ({told.stage}).")


async def _asked(state_dir: Any, session_id: str, what: str, said: dict[str, Any]) -> ToldAnswer:
    settings = read(state_dir)
    lines = (await running(settings)).sessions
    whole = whole_id(session_id, [line.session_id for line in lines])
    body = _BODIES[what].model_construct(**said)  # whether it may be so, the server says
    return await ask(settings, ToldAnswer, "POST", f"/api/operator/sessions/{whole}/{what}", body)


def _parameter(said: str) -> tuple[str, Any]:
    name, equals, value = said.partition("=")
    if not name or not equals:
        fail(f"“{said}” is no NAME=VALUE.")
    try:
        return name, json.loads(value, parse_constant=str)
    except ValueError:
        return name, value
