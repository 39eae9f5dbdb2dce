"""The command ``greenroom``."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from greenroom import __version__
from greenroom.commands import (
    assistants,
    data,
    db,
    deliveries,
    importing,
    keys,
    relay,
    rollout,
    stand_in,
)
from greenroom.commands.audit import audit
from greenroom.commands.bot import bot as call_bot
from greenroom.commands.cost import cost
from greenroom.commands.data import transcript
from greenroom.commands.doctor import doctor
from greenroom.commands.emergency import resume, stop_all
from greenroom.commands.listen import listen
from greenroom.commands.sessions import end, reap, sessions
from greenroom.commands.telling import adjust, say, tell
from greenroom.commands.terminal import err, out, refusals
from greenroom.commands.token import token
from greenroom.commands.tools import tools

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The session layer for voice agents.\n\nExample:  [bold]greenroom serve[/bold]",
)
app.add_typer(assistants.app, name="assistants")
app.add_typer(data.app, name="data")
app.add_typer(db.app, name="db")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(importing.app, name="import")
app.add_typer(keys.app, name="keys")
app.add_typer(relay.app, name="relay")
app.add_typer(rollout.app, name="rollout")
app.add_typer(stand_in.app, name="stand-in")
for looking in (doctor, cost, listen, sessions, token, tools, audit, transcript):
    app.command()(looking)
for acting in (end, say, tell, adjust, reap, resume):
    app.command()(acting)
app.command(name="stop-all")(stop_all)
app.command(name="bot")(call_bot)


@app.callback()
def main() -> None:
    """The session layer for voice agents."""


@app.command()
def version() -> None:
    """Print the version.

    Example:  [bold]greenroom version[/bold]
    """
    out.print(__version__)


@app.command()
def serve(
    bot: Annotated[
        str | None,
        typer.Argument(help="A Pipecat bot: a file bot.py or a module; the built-in one if none."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of the database, the socket and the logs.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Start Greenroom and print its address. Ctrl-C ends it, and every conversation with it.

    Examples:
      [bold]greenroom serve[/bold]                        the built-in bot, on loopback

      [bold]greenroom serve my/bot.py --port 0[/bold]     your bot, on a free port

      [bold]GREENROOM_SECRET=… greenroom serve --host 0.0.0.0[/bold]     for other machines
    """
    from greenroom.logs import configure_logs
    from greenroom.settings import read_settings

    _tell_what_nobody_reads()
    with refusals():
        settings = read_settings(host=host, port=port, state_dir=state_dir, log_level=log_level)
        configure_logs(settings.log_level, as_json=settings.log_json)
        # What is imported stays: to look through it again and again takes a sixth of the time.
        gc.disable()
        from greenroom.serving import serve as run

        gc.freeze()
        gc.enable()
        _run(run(settings, bot, _announce))


def _tell_what_nobody_reads() -> None:
    """A limit whose name has a typo is a limit that does not hold."""
    from greenroom.doctor import configuration
    from greenroom.doctor.finding import Level

    for finding in configuration.names(os.environ, configuration.KNOWN):
        if finding.level is not Level.OK:
            err.print(f"[yellow]![/yellow] {escape(finding.message)} {escape(finding.mend)}")


def _announce(address: str) -> None:
    out.print(f"\n  [green]●[/green] Greenroom is up: [bold]{address}[/bold]\n")


def _run(coroutine: object) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)  # type: ignore[arg-type]
    else:
        uvloop.run(coroutine)  # type: ignore[arg-type]


if __name__ == "__main__":
    app()
