"""``greenroom db``: how the database's schema stands, and bringing it to this version's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from greenroom.commands.database import actor, audit_in
from greenroom.commands.terminal import err, out, refusals

# What a command needs is imported when it runs, so that `--help` need not wait for it.
if TYPE_CHECKING:
    from greenroom.store.database import Database, Upgraded
    from greenroom.store.migrate import Schema

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "The database: its schema, and upgrading it.\n\nExample:  [bold]greenroom db status[/bold]"
    ),
)

StateDir = Annotated[Path | None, typer.Option(help="Folder of the database in SQLite.")]

_MEANS = {
    "empty": "there is none yet",
    "older": "older than this version",
    "current": "current",
    "newer": "[red]newer than this version[/red]",
}


@app.command()
def status(state_dir: StateDir = None) -> None:
    """Show which database is used and how its schema stands. Changes nothing.

    Ends with exit code 1 if the server would refuse to start with it.

    Examples:
      [bold]greenroom db status[/bold]                             the database of the settings

      [bold]greenroom db status --state-dir /var/lib/greenroom[/bold]     SQLite in another folder
    """
    with refusals():
        database = _database(state_dir)
        schema = asyncio.run(database.schema())
    _show(database, schema)
    usable = ("current", "older", "empty") if database.upgraded_on_start else ("current",)
    if schema.standing not in usable:
        raise typer.Exit(1)


@app.command()
def upgrade(
    state_dir: StateDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="A dump has been made; do not ask.")] = False,
) -> None:
    """Bring the database to this version's schema: all of it, or nothing.

    SQLite is copied first, to a dated file beside it. Make a dump of PostgreSQL yourself.

    Examples:
      [bold]greenroom db upgrade[/bold]

      [bold]greenroom db upgrade --yes[/bold]     in a deployment that has made its dump
    """
    with refusals():
        database = _database(state_dir)
        schema = asyncio.run(database.schema())
        if schema.standing == "older" and not database.upgraded_on_start and not yes:
            err.print("Make a dump first, so that there is a way back:  pg_dump --format=custom …")
            typer.confirm("Is there a dump?", abort=True, err=True)
        with err.status("Upgrading the database …"):
            upgraded = asyncio.run(_upgraded(database))
    if upgraded.backup:
        out.print(f"The database as it was: {escape(upgraded.backup)}")
    applied = ", ".join(upgraded.before.missing)
    if applied:
        out.print(f"[green]✓[/green] Upgraded {escape(database.name)}: applied {applied}.")
    else:
        out.print(f"[green]✓[/green] Nothing to do: {escape(database.name)} is current.")


async def _upgraded(database: Database) -> Upgraded:
    """Upgrade it, and put that on record: now there is a log, which there may not have been."""
    from greenroom.ports.audit import Act

    upgraded = await database.upgrade()
    applied = list(upgraded.before.missing)
    if applied:
        store = await database.open()
        try:
            facts = {"from": upgraded.before.revision, "applied": applied}
            async with audit_in(store).of(actor(), Act.UPGRADE, applied[-1], **facts):
                pass
        finally:
            await store.close()
    return upgraded


def _database(state_dir: Path | None) -> Database:
    from greenroom.settings import read_settings
    from greenroom.store import database_at

    settings = read_settings(state_dir=state_dir)
    return database_at(settings.plain_database_url(), settings.state_dir)


def _show(database: Database, schema: Schema) -> None:
    out.print(f"database  {escape(database.name)}")
    out.print(f"schema    {schema.revision or '–'}: {_MEANS[schema.standing]}")
    if schema.missing:
        does_it = (
            "greenroom db upgrade, or the server when it starts"
            if database.upgraded_on_start
            else "greenroom db upgrade"
        )
        out.print(f"missing   {', '.join(schema.missing)}  (applied by: {does_it})")
