"""What was really spent, from the database: the second half of ``greenroom cost``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from greenroom.commands.money import MICRO, bar, dollars, print_bars, print_meter, shown
from greenroom.commands.terminal import fail, out

if TYPE_CHECKING:
    from greenroom.ports.store import Total
    from greenroom.settings import Settings


class By(StrEnum):
    """What totals are grouped by."""

    USER = "user"
    ASSISTANT = "assistant"
    TENANT = "tenant"
    DAY = "day"


def tell_spent(settings: Settings, by: By | None, days: int, *, as_json: bool) -> None:
    """Print what was spent in so many days up to today (UTC)."""
    from greenroom.session.budgets import BudgetKind
    from greenroom.session.cost import utc_day

    until = date.fromisoformat(utc_day(time.time()))
    since = until - timedelta(days=days - 1)
    group = by or By.DAY
    totals = asyncio.run(_totals(settings, group, since.isoformat(), until.isoformat()))
    rows = _rows(totals)
    together = sum(total.micro_usd for total in totals)
    if as_json:
        found = [
            {"name": name, "usd": sum(parts.values()) / MICRO, "components": shown(parts)}
            for name, parts in rows.items()
        ]
        span = {"since": since.isoformat(), "until": until.isoformat(), "by": group.value}
        out.print_json(data={**span, "usd": together / MICRO, "rows": found})
        return
    when = f"on {until}" if days == 1 else f"from {since} to {until}"
    out.print(f"Spent {when} (UTC): [bold]{dollars(together)}[/bold]")
    if days == 1:
        print_meter(together, settings.budgets().limits.get(BudgetKind.INSTALLATION_DAY))
    if by is None and days == 1:
        print_bars(_by_component(totals))
    else:
        _print_rows(rows, group)


async def _totals(settings: Settings, by: By, since: str, until: str) -> list[Total]:
    from greenroom.ports.store import SpendBy
    from greenroom.store import database_at
    from greenroom.store.migrate import Standing

    database = database_at(settings.plain_database_url(), settings.state_dir)
    match (await database.schema()).standing:
        case Standing.EMPTY:
            return []
        case Standing.OLDER:
            fail("The database is older than this version. Run: greenroom db upgrade")
        case _:
            pass
    store = await database.open()
    try:
        return await store.totals(SpendBy(by.value), since, until)
    finally:
        await store.close()


def _rows(totals: Sequence[Total]) -> dict[str, dict[str, int]]:
    """What each component cost, by name."""
    rows: dict[str, dict[str, int]] = {}
    for total in totals:
        rows.setdefault(total.name, {})[total.component] = total.micro_usd
    return rows


def _by_component(totals: Sequence[Total]) -> dict[str, int]:
    found: dict[str, int] = {}
    for total in totals:
        found[total.component] = found.get(total.component, 0) + total.micro_usd
    return found


def _print_rows(rows: Mapping[str, Mapping[str, int]], by: By) -> None:
    sums = {name: sum(parts.values()) for name, parts in rows.items()}
    names = list(sums) if by is By.DAY else sorted(sums, key=lambda name: -sums[name])
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in (by.value, "US dollars", ""):
        table.add_column(header, justify="right" if header == "US dollars" else "left")
    most = max(sums.values(), default=0)
    for name in names:
        table.add_row(escape(name), dollars(sums[name]), bar(sums[name], most))
    out.print(table)
