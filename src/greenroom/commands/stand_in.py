"""``greenroom stand-in``: other people's services, played on this machine for tests."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.markup import escape

from greenroom.commands.terminal import out, refusals

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Play a provider's service on loopback, for tests.\n\n"
        "Example:  [bold]greenroom stand-in daily --port 8650[/bold]"
    ),
)


@app.callback()
def stand_in() -> None:
    """Play a provider's service on loopback, for tests. Never a production's counterpart.

    Example:  [bold]greenroom stand-in daily --port 8650[/bold]
    """


@app.command()
def daily(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8650,
    key: Annotated[
        str | None, typer.Option(help="The API key it accepts; a new one if none is given.")
    ] = None,
    domain: Annotated[str, typer.Option(help="The domain whose rooms it keeps.")] = "stand-in",
) -> None:
    """Play Daily's REST API on loopback: rooms, tokens, presence, webhooks, limits. Ctrl-C ends it.

    It keeps everything in memory, carries no audio, and listens on 127.0.0.1 only.

    Examples:
      [bold]greenroom stand-in daily[/bold]                prints its address and its key

      [bold]greenroom stand-in daily --port 0 --domain acme[/bold]
    """
    from greenroom.testing.daily.serve import serve_daily

    def ready(address: str, api_key: str) -> None:
        out.print(f"\n  [green]●[/green] Daily's stand-in is up: [bold]{escape(address)}[/bold]\n")
        out.print(f"GREENROOM_ROOMS=daily GREENROOM_DAILY_API_URL={escape(address)} \\")
        out.print(f"GREENROOM_DAILY_API_KEY={escape(api_key)} greenroom serve")

    with refusals():
        asyncio.run(serve_daily(port=port, api_key=key, domain=domain, on_ready=ready))
