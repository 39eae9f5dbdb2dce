"""How money looks on a terminal: dollars, bars, and a meter that turns red."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from greenroom.commands.terminal import out

BAR_CELLS = 24
MICRO = 1_000_000


def print_bars(components: Mapping[str, int]) -> None:
    """Each component with its share as a bar, and the sum."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    most = max(components.values(), default=0)
    for name, micro_usd in components.items():
        table.add_row(f"  {escape(name)}", dollars(micro_usd), bar(micro_usd, most))
    table.add_row("  together", f"[bold]{dollars(sum(components.values()))}[/bold]", "")
    out.print(table)


def print_meter(spent: int, limit: int | None) -> None:
    """How much of the day's budget is gone: green, yellow from four fifths on, red at its end."""
    if limit is None:
        return
    colour = "red" if spent >= limit else "yellow" if spent >= 0.8 * limit else "green"
    full = min(BAR_CELLS, round(BAR_CELLS * spent / limit))
    meter = f"[{colour}]{'█' * full}[/{colour}][dim]{'░' * (BAR_CELLS - full)}[/dim]"
    out.print(f"{meter} {spent / limit:.0%} of the day's budget, {dollars(limit)}")


def bar(part: int, most: int) -> str:
    """So long a bar for this part of the most."""
    cells = round(BAR_CELLS * part / most) if most else 0
    return f"[cyan]{'█' * cells}[/cyan]" if cells else ""


def dollars(micro_usd: int) -> str:
    """Two places; small sums keep what is in them."""
    places = 2 if micro_usd == 0 or micro_usd >= 10_000 else 6
    return f"${micro_usd / MICRO:,.{places}f}"


def shown(components: Mapping[str, int]) -> dict[str, float]:
    """Dollars by component, for JSON."""
    return {name: micro_usd / MICRO for name, micro_usd in components.items()}
