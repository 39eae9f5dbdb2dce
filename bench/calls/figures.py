"""Tables of `bench/talk.py`: medians, spread, the ratios that are promised, and the stages."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench.calls.caller import Call
from bench.calls.peers import SETUPS
from rich.console import Console
from rich.table import Table


def median(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return statistics.median(values) if values else 0.0


def of_setup(calls: Sequence[Call], setup: str, together: int) -> list[Call]:
    """The calls of one set-up, alone or so many at once."""
    return [call for call in calls if (call.setup, call.together) == (setup, together)]


def print_all(calls: Sequence[Call], console: Console) -> None:
    """Every table that the calls allow."""
    for together in sorted({call.together for call in calls}):
        name = "one call alone" if together == 1 else f"{together} calls at once"
        present = [setup for setup in SETUPS if of_setup(calls, setup, together)]
        groups = {setup: of_setup(calls, setup, together) for setup in present}
        console.print(_summary(f"click → first sound, {name}", groups, _first_sound))
        console.print(_summary(f"end of speech → answer, {name}", groups, _answer))
        console.print(_steps(f"median step after the click, {name}", groups, _first_steps))
        console.print(_steps(f"median step after the last word, {name}", groups, _answer_steps))
    again = sum(call.tries - 1 for call in calls)
    console.print(f"{len(calls)} calls; words said again because nobody answered: {again}")


def _first_sound(call: Call) -> float:
    return call.first_sound_ms


def _answer(call: Call) -> float:
    return call.answer_ms


def _first_steps(call: Call) -> dict[str, float]:
    return {**call.steps, "first sound": call.first_sound_ms}


def _answer_steps(call: Call) -> dict[str, float]:
    return {**call.answer_steps, "first sound": call.answer_ms}


def _summary(title: str, groups: dict[str, list[Call]], of: Callable[[Call], float]) -> Table:
    table = Table("set-up", "calls", "median", "quartiles", "least … most", "× first", title=title)
    base = 0.0
    for setup, calls in groups.items():
        values = sorted(map(of, calls))
        middle = median(values)
        base = base or middle
        low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (middle,) * 3
        table.add_row(
            setup,
            str(len(values)),
            f"{middle:.0f} ms",
            f"{low:.0f} … {high:.0f}",
            f"{values[0]:.0f} … {values[-1]:.0f}",
            f"{middle / base:.2f}",
        )
    return table


def _steps(
    title: str, groups: dict[str, list[Call]], of: Callable[[Call], dict[str, float]]
) -> Table:
    medians = {
        setup: {
            step: median([of(call)[step] for call in calls if step in of(call)])
            for step in {step for call in calls for step in of(call)}
        }
        for setup, calls in groups.items()
    }
    table = Table("step", *groups, title=title)
    everything = {step for steps in medians.values() for step in steps}
    order = sorted(everything, key=lambda s: median([m[s] for m in medians.values() if s in m]))
    for step in order:
        shown = (f"{m[step]:.0f}" if step in m else "" for m in medians.values())
        table.add_row(step, *shown)
    return table
