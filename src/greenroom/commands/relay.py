"""``greenroom relay``: one stable public address for webhooks to developers' machines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from greenroom.commands.terminal import fail, out, refusals

app = typer.Typer(invoke_without_command=True)

Secret = Annotated[
    str | None,
    typer.Option(
        envvar="GREENROOM_RELAY_SECRET",
        show_envvar=True,
        help="The relay's own, 32 characters or more; all addresses and tokens come from it.",
    ),
]
PublicUrl = Annotated[
    str | None,
    typer.Option(
        envvar="GREENROOM_RELAY_URL", show_envvar=True, help="https://… as the world reaches it."
    ),
]


@app.callback()
def relay(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8643,
    secret: Secret = None,
    url: PublicUrl = None,
    state_dir: Annotated[
        Path, typer.Option(help="Folder of what is kept while nobody listens.")
    ] = Path("~/.local/state/greenroom-relay"),
) -> None:
    """Run a relay: webhooks that reach it are passed to whoever listens on their address.

    It needs a public name and, before it, something that speaks TLS. A developer's machine dials
    out to it (greenroom listen), so that machine needs neither. While nobody listens, requests are
    kept: 500 of them, 16 MiB, for a day, for each address; a restart of the relay keeps them, too.

    Examples:
      [bold]GREENROOM_RELAY_SECRET=… greenroom relay --url https://relay.example.com[/bold]

      [bold]greenroom relay address ada[/bold]     an address, and the token to listen on it
    """
    if context.invoked_subcommand is not None:
        return
    from greenroom.logs import configure_logs
    from greenroom.relay.serve import serve_relay

    configure_logs("info", as_json=False)
    with refusals():
        asyncio.run(
            serve_relay(
                secret=_needed(secret),
                host=host,
                port=port,
                public_url=url or f"http://{host}:{port}",
                state_dir=state_dir.expanduser(),
                on_ready=lambda: out.print(f"\n  [green]●[/green] Relaying on {host}:{port}\n"),
            )
        )


@app.command()
def address(
    name: Annotated[str, typer.Argument(help="Whose: a-z, 0-9 and -, say a developer's name.")],
    secret: Secret = None,
    url: PublicUrl = None,
) -> None:
    """Show the address of a name, and the token that lets a machine listen on it.

    Both come from the relay's secret, so nothing is stored, and they stay as long as it does.
    Hand the token over as you would a password.

    Example:  [bold]greenroom relay address ada --url https://relay.example.com[/bold]
    """
    from greenroom.relay.addresses import Addresses

    with refusals():
        addresses = Addresses(_needed(secret))
        there, token = addresses.address_of(name), addresses.token_of(name)
    base = (url or "https://relay.example.com").rstrip("/")
    out.print(f"address   {escape(f'{base}/in/{there}')}")
    out.print(f"token     {escape(token)}")
    out.print(
        f"\nGREENROOM_RELAY_TOKEN={escape(token)} greenroom listen --relay {escape(base)} "
        "--forward-to http://localhost:3051/webhook"
    )


def _needed(secret: str | None) -> str:
    if not secret:
        fail(
            "GREENROOM_RELAY_SECRET is not set. Make one: "
            "python3 -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return secret
