"""``greenroom deliveries``: which events have not reached the application, and trying again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from greenroom.commands.database import actor, audit_in, opened
from greenroom.commands.terminal import a_table, fail, out, refusals

# What a command needs is imported when it runs, so that `--help` need not wait for it.
if TYPE_CHECKING:
    from greenroom.ports.deliveries import Delivery, Standing
    from greenroom.ports.store import Store

app = typer.Typer(invoke_without_command=True)

StateDir = Annotated[Path | None, typer.Option(help="Folder of the database in SQLite.")]
ByEndpoint = Annotated[str | None, typer.Option(help="Only those of this endpoint.")]


@app.callback()
def deliveries(
    context: typer.Context,
    dead: Annotated[bool, typer.Option("--dead", help="Only those given up.")] = False,
    endpoint: ByEndpoint = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    state_dir: StateDir = None,
) -> None:
    """List the events that have not reached your application, oldest first. Changes nothing.

    What was delivered is not listed. What was given up (“dead”) stays until it is replayed.

    Examples:
      [bold]greenroom deliveries[/bold]                       what waits, and what is dead

      [bold]greenroom deliveries --dead --json[/bold]         for machines

      [bold]greenroom deliveries replay --all[/bold]          try everything again, now
    """
    if context.invoked_subcommand is not None:
        return
    from greenroom.service.listing import deliveries_of

    with refusals():
        found, standings = asyncio.run(opened(state_dir, _lister(dead, endpoint, limit)))
    if as_json:
        told = deliveries_of(found, standings)
        out.print(told.model_dump_json(by_alias=True, indent=2), markup=False)
        return
    _show(found, standings)


@app.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers of deliveries.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait or are dead.")] = False,
    endpoint: ByEndpoint = None,
    state_dir: StateDir = None,
) -> None:
    """Try deliveries again now, with all tries anew. A running server sends them within a second.

    Each keeps its webhook-id, so that a receiver who has seen it knows it again.

    Examples:
      [bold]greenroom deliveries replay 17 18[/bold]

      [bold]greenroom deliveries replay --all --endpoint app.example.com-1a2b3c4d[/bold]
    """
    if bool(ids) == everything:
        fail("Say which: greenroom deliveries replay 17, or --all.")

    async def again(store: Store) -> int:
        target = ", ".join(map(str, ids)) if ids else "all"
        async with audit_in(store).of(actor(), Act.REPLAY, target, endpoint=endpoint) as doing:
            count = await store.deliveries.replay(ids or None, endpoint, time.time())
            doing.detail["count"] = count
        return count

    from greenroom.ports.audit import Act

    with refusals():
        count = asyncio.run(opened(state_dir, again))
    if not count and (ids or endpoint):
        fail("There is no such delivery. Look: greenroom deliveries")
    out.print(f"[green]✓[/green] {count} will be tried again.")


def _lister(
    dead: bool, endpoint: str | None, limit: int
) -> Callable[[Store], Awaitable[tuple[Sequence[Delivery], Sequence[Standing]]]]:
    async def both(store: Store) -> tuple[Sequence[Delivery], Sequence[Standing]]:
        from greenroom.ports.deliveries import DeliveryState

        state = DeliveryState.DEAD if dead else None
        kept = store.deliveries
        found = await kept.listed(state=state, endpoint=endpoint, limit=limit)
        return found, await kept.standings()

    return both


def _show(found: Sequence[Delivery], standings: Sequence[Standing]) -> None:
    if not standings:
        out.print("[green]✓[/green] Nothing waits, and nothing was given up.")
        return
    for standing in standings:
        since = f", the oldest since {_clock(standing.oldest_at)}" if standing.oldest_at else ""
        out.print(
            f"{escape(standing.endpoint)}: {standing.waiting} waiting{since}; {standing.dead} dead"
        )
    if found:
        out.print(_table(found), soft_wrap=False)


def _table(found: Sequence[Delivery]) -> Table:
    table = a_table("id", "event", "type", "endpoint", "state", "tries", "next try", "last error")
    for delivery in found:
        dead = delivery.due_at is None
        table.add_row(
            str(delivery.id),
            f"{delivery.event.session_id}.{delivery.event.seq}",
            escape(delivery.event.type),
            escape(delivery.endpoint),
            f"[red]{delivery.state}[/red]" if dead else delivery.state,
            str(delivery.attempts),
            _clock(delivery.due_at),
            escape(delivery.error or "–"),
        )
    return table


def _clock(at: float | None) -> str:
    if at is None:
        return "–"
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
