"""``greenroom listen``: webhooks from a relay, forwarded to an application on this machine."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from greenroom.commands.terminal import err, fail, out, refusals

# What a command needs is imported when it runs, so that `--help` need not wait for it.
if TYPE_CHECKING:
    from greenroom.relay.listener import Passed
    from greenroom.wire.relay import Status, Welcome

SHOWN_BODY_CHARS = 4_000


def listen(
    relay: Annotated[
        str | None,
        typer.Option(envvar="GREENROOM_RELAY_URL", show_envvar=True, help="The relay: https://…"),
    ] = None,
    forward_to: Annotated[
        str, typer.Option(help="Your application's own address.")
    ] = "http://localhost:3051/webhook",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GREENROOM_RELAY_TOKEN",
            show_envvar=True,
            help="From: greenroom relay address NAME.",
        ),
    ] = None,
    replay: Annotated[
        int, typer.Option(min=0, max=1_000, help="Pass the last so many again, first.")
    ] = 0,
    number: Annotated[
        list[int] | None, typer.Option(help="Pass this one of the list again, first.")
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show what the relay has, and end.")
    ] = False,
    show_bodies: Annotated[
        bool, typer.Option("--show-bodies", help="Print bodies, too: they may be confidential.")
    ] = False,
) -> None:
    """Receive webhooks from a relay on this machine. Ctrl-C ends it; the relay then keeps them.

    Each is forwarded as it came, header by header and byte by byte, so that its signature holds;
    its sender gets your application's answer. What was kept meanwhile comes first, in order.

    Examples:
      [bold]greenroom listen --relay https://relay.example.com[/bold]

      [bold]greenroom listen --forward-to http://localhost:8000/hooks --replay 5[/bold]

      [bold]greenroom listen --list[/bold]     then  [bold]greenroom listen --number 17[/bold]
    """
    from greenroom.relay.listener import Listener, numbers_and_last, status_of

    if not relay or not token:
        missing = "--token (GREENROOM_RELAY_TOKEN)" if relay else "--relay (GREENROOM_RELAY_URL)"
        fail(f"{missing} is missing. Ask who runs the relay: greenroom relay address NAME")
    if not forward_to.startswith(("http://", "https://")):
        fail("--forward-to begins with http:// or https://.")
    with refusals():
        if show_list:
            _show_status(asyncio.run(status_of(relay, token)))
            return
        listener = Listener(
            relay,
            token,
            forward_to,
            on_welcome=lambda welcome: _welcome(welcome, forward_to),
            on_passed=lambda passed: _passed(passed, show_bodies),
            on_waiting=lambda: err.print(f"  waiting for somebody at {escape(forward_to)} …"),
            on_away=lambda why: err.print(
                f"  the relay cannot be reached ({escape(why)}); dialling again …"
            ),
            replay=numbers_and_last(replay, number or []),
        )
        asyncio.run(listener.run())


def _welcome(welcome: Welcome, forward_to: str) -> None:
    kept = f"; {welcome.waiting} kept, which come first" if welcome.waiting else ""
    out.print(
        f"[green]●[/green] {escape(welcome.address)} → {escape(forward_to)}{kept}", soft_wrap=True
    )


def _passed(passed: Passed, show_bodies: bool) -> None:
    status = str(passed.status) if passed.status else "nobody there"
    colour = "green" if passed.status and passed.status < 400 else "red"
    received = datetime.fromtimestamp(passed.passing.received_at).astimezone()
    again = "" if passed.passing.live else f"  (kept since {received:%Y-%m-%d %H:%M:%S})"
    out.print(
        f"{datetime.now().astimezone():%H:%M:%S}  {escape(passed.type):<28}  "
        f"[{colour}]{status}[/{colour}]  {passed.took_ms:.0f} ms{again}"
    )
    if show_bodies:
        text = passed.passing.body[:SHOWN_BODY_CHARS].decode(errors="replace")
        # What somebody sent must not move the cursor of who looks at it.
        shown = "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
        out.print(shown, markup=False)


def _show_status(status: Status) -> None:
    out.print(
        f"{escape(status.address)}: {status.waiting} waiting ({status.waiting_bytes} bytes); "
        f"at most {status.most}, {status.most_bytes} bytes, for {status.longest_s / 3600:g} h; "
        f"{'somebody listens' if status.listening else 'nobody listens'}"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("number", "received", "type", "bytes", "answered"):
        table.add_column(heading)
    for kept in status.kept:
        received = datetime.fromtimestamp(kept.received_at).astimezone()
        table.add_row(
            str(kept.number),
            f"{received:%Y-%m-%d %H:%M:%S}",
            escape(kept.type),
            str(kept.size_bytes),
            str(kept.status) if kept.status else "waiting",
        )
    if status.kept:
        out.print(table, soft_wrap=False)
