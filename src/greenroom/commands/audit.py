"""``greenroom audit``: who did what, on what, when, from where, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from greenroom.commands.database import opened
from greenroom.commands.operate import AsJson, StateDir
from greenroom.commands.terminal import a_table, out, refusals, wide

if TYPE_CHECKING:
    from greenroom.ports.audit import Entry
    from greenroom.ports.store import Store
    from greenroom.wire.operators import AuditLine


def audit(
    act: Annotated[str | None, typer.Option(help="Only this: key.create, house.stop …")] = None,
    who: Annotated[str | None, typer.Option(help="Only what this one did.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Since this local time."),
    ] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only older than this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
    state_dir: StateDir = None,
) -> None:
    """Show the audit log, the newest first: what operators, servers' keys and commands did.

    Lines are only ever added. The database itself refuses to change or delete one; an owner of the
    database who wants to archive old lines has to drop its triggers first.

    Examples:
      [bold]greenroom audit[/bold]                                   the last fifty

      [bold]greenroom audit --act house.stop --since 2027-01-01[/bold]     who pressed the button

      [bold]greenroom audit --who web --json --limit 10000[/bold]    for machines
    """
    from greenroom.service.audit import audit_line

    since_s = since.timestamp() if since is not None else None

    async def listed(store: Store) -> list[Entry]:
        return await store.audit.listed(
            limit=limit, act=act, actor=who, since=since_s, before=before
        )

    with refusals():
        found = asyncio.run(opened(state_dir, listed))
    lines = [audit_line(entry) for entry in found]
    if as_json:
        told = [line.model_dump(by_alias=True) for line in lines]
        out.print(json.dumps({"lines": told}, indent=2, ensure_ascii=False), markup=False)
    elif lines:
        wide().print(_table(lines), soft_wrap=False)
    else:
        out.print("Nothing of that is on the log.")


def _table(lines: Sequence[AuditLine]) -> Table:
    table = a_table("no.", "when (UTC)", "who", "from", "what", "on", "outcome", "")
    for line in lines:
        done = line.outcome == "done"
        table.add_row(
            str(line.id),
            line.at[:19].replace("T", " "),
            f"{escape(line.actor)} ({line.actor_kind})",
            escape(line.address or "–"),
            escape(line.act),
            escape(line.target or "–"),
            line.outcome if done else f"[red]{escape(line.outcome)}[/red]",
            escape(_facts_of(line)),
        )
    return table


def _facts_of(line: AuditLine) -> str:
    return ", ".join(f"{name}: {value}" for name, value in line.detail.items() if value)
