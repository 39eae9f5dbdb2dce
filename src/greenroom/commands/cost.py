"""``greenroom cost``: what a price list means in practice, and what was really spent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from greenroom.commands.money import MICRO, dollars, print_bars, shown
from greenroom.commands.spent import By, tell_spent
from greenroom.commands.terminal import err, out, refusals

# What a command needs is imported when it runs, so that `--help` need not wait for it.
if TYPE_CHECKING:
    from greenroom.session.prices import Cost
    from greenroom.settings import Settings

DAYS = 30


def cost(
    forgotten: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="So many tabs were left open.")
    ] = 1,
    sessions: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Conversations a day.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.1, max=1440, help="How long each of those lasts.")
    ] = 5,
    assistant: Annotated[str, typer.Option(help="Whose prices, if they are its own.")] = "",
    prices: Annotated[Path | None, typer.Option(help="A price list to try out.")] = None,
    today: Annotated[bool, typer.Option("--today", help="What was spent today (UTC).")] = False,
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="What was spent in so many days.")
    ] = None,
    by: Annotated[By | None, typer.Option(help="Group what was spent.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Say what forgotten and what usual conversations cost, or what was spent. Changes nothing.

    Examples:
      [bold]greenroom cost[/bold]                               an hour that nobody ended

      [bold]greenroom cost --forgotten 10[/bold]                ten tabs: an hour, a day, a month

      [bold]greenroom cost --sessions 200 --minutes 4[/bold]    a usual day of yours

      [bold]greenroom cost --prices my-prices.toml[/bold]       with a price list of your own

      [bold]greenroom cost --today[/bold]                       what was spent since midnight (UTC)

      [bold]greenroom cost --days 7 --by user --json[/bold]     a week by user, for machines
    """
    from greenroom.settings import read_settings

    with refusals():
        settings = read_settings(state_dir=state_dir, prices=prices)
        if today or by is not None or days is not None:
            tell_spent(settings, by, 1 if today else days or DAYS, as_json=as_json)
        else:
            _tell_estimate(settings, assistant, forgotten, sessions, minutes, as_json=as_json)


def _tell_estimate(
    settings: Settings,
    assistant: str,
    forgotten: int,
    sessions: int | None,
    minutes: float,
    *,
    as_json: bool,
) -> None:
    from greenroom.pricelist import read_price_list

    price_list = read_price_list(settings.prices)
    mine = price_list.of(assistant)
    hour = mine.estimate(3600)
    limit_s = settings.max_duration_s
    an_hour = forgotten * hour.micro_usd
    until_limit = forgotten * mine.estimate(limit_s).micro_usd
    a_day = sessions * mine.estimate(minutes * 60).micro_usd if sessions else None
    if as_json:
        out.print_json(
            data={
                "pricesAsOf": price_list.as_of.isoformat(),
                "hour": shown(hour.components),
                "unpriced": list(hour.unpriced),
                "forgotten": {
                    "tabs": forgotten,
                    "hourUsd": an_hour / MICRO,
                    "dayUsd": 24 * an_hour / MICRO,
                    "monthUsd": DAYS * 24 * an_hour / MICRO,
                    "untilHardLimitUsd": until_limit / MICRO,
                },
                **({"sessions": {"dayUsd": a_day / MICRO}} if a_day is not None else {}),
            }
        )
        return
    example = "the example; yours: GREENROOM_PRICES"
    source = escape(str(settings.prices)) if settings.prices else example
    out.print(f"Prices as of {price_list.as_of} ({source})\n")
    out.print("[bold]One conversation that nobody ended, an hour of it[/bold]")
    print_bars(hour.components)
    _tell_unpriced(hour)
    tabs = "tab" if forgotten == 1 else "tabs"
    out.print(
        f"\n[bold]{forgotten:,} forgotten {tabs}[/bold]: [red]{dollars(an_hour)}[/red] an hour, "
        f"[red]{dollars(24 * an_hour)}[/red] a day, "
        f"[red]{dollars(DAYS * 24 * an_hour)}[/red] in {DAYS} days"
    )
    out.print(
        f"Ended at the hard limit of {limit_s:g} s: [green]{dollars(until_limit)}[/green], no more"
    )
    if a_day is not None:
        out.print(
            f"\n[bold]{sessions:,} conversations of {minutes:g} minutes[/bold]: "
            f"{dollars(a_day)} a day, {dollars(DAYS * a_day)} in {DAYS} days"
        )


def _tell_unpriced(cost: Cost) -> None:
    if cost.unpriced:
        err.print(f"[yellow]![/yellow] Without a price in this list: {', '.join(cost.unpriced)}")
