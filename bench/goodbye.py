"""The guide's goodbye, step by step: from the recogniser's word to the page that knows.

    .venv/bin/python bench/goodbye.py --rounds 20

A real server, its built-in bot, real headless Chromium with a microphone that says “goodbye”, and
ears that record what the page plays. Bot, server and page note by the machine's clock when they
reach each step; the page's is `performance.timeOrigin + performance.now()`, and how far it may be
from the machine's is asked before and after each call and printed. Each round is a new visitor.

The guide's figures are those of its pattern 6, counted from its step 4, the word: they are of
services on the internet, of a webhook and one second of sleep. Ours are of one machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.chain.notes import ENV
from bench.chain.rounds import HERE, Goodbye, NotingServer, say_goodbye
from tests.e2e.person import a_browser

BAR = 30
PROMISED_MS = 15.0
# What is reached, and after how many milliseconds in the guide; None: it does not say.
KNOWING: dict[str, tuple[str, float | None]] = {
    "word": ("the recogniser has the word", 0),
    "reported": ("the bot reports it (the guide: detected)", 1),
    "sent": ("it has left the bot (the guide: posted)", 20),
    "word received": ("the server has it (the guide: received)", 40),
    "word on record": ("it is in the store", None),
    "word at the client": ("the event is at the page's client", 50),
    "word shown": ("the page shows it", None),
}
LEAVING: dict[str, tuple[str, float | None]] = {
    "last sound into the microphone": ("the last sound went into the microphone", -500),
    "word": ("the recogniser has the word", 0),
    "farewell begins": ("the farewell begins to be heard", None),
    "farewell heard": ("the farewell was heard to its end", None),
    "farewell told": ("the bot tells that it was heard", None),
    "farewell on record": ("the session is ending, on record", None),
    "farewell shown": ("the page shows that (the guide: leaves, farewell or not)", 60),
    "bot gone": ("the bot's process is gone", None),
    "end on record": ("the session has ended (the guide: cleaned up)", 500),
    "end at the client": ("the page's client knows", None),
    "end shown": ("the page shows why", None),
}


async def measure(rounds: int, console: Console) -> list[Goodbye]:
    """So many goodbyes; the first, which is nobody's measure, is left out."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    notes = state_dir / "notes.jsonl"
    os.environ[ENV] = str(notes)  # the server inherits it, and with it its bots
    server = NotingServer(state_dir, str(HERE / "bot.py"))
    try:
        await server.start()
        await server.ready()
        async with a_browser() as browser:
            await say_goodbye(browser, server, notes)
            counted = track(range(rounds), "saying goodbye", console=console)
            found = [await say_goodbye(browser, server, notes) for _ in counted]
        await server.stop()
        return found
    finally:
        server.kill_family()
        shutil.rmtree(state_dir)


def as_table(
    title: str, steps: dict[str, tuple[str, float | None]], found: Sequence[Goodbye], full_ms: float
) -> Table:
    """A chain: when each step was reached, as a median, a spread and a bar."""
    table = Table(title=title)
    table.add_column("step")
    for name in ("median", "least … most", "guide"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(f"0 … {full_ms:g} ms: ━ here, ○ guide", no_wrap=True)
    for step, (text, guide_ms) in steps.items():
        values = [goodbye.steps[step] for goodbye in found]
        median = statistics.median(values)
        table.add_row(
            text,
            f"{median:.1f} ms",
            f"{min(values):.1f} … {max(values):.1f}",
            "–" if guide_ms is None else f"{guide_ms:g} ms",
            meter(median, guide_ms, full_ms),
        )
    return table


def meter(median_ms: float, guide_ms: float | None, full_ms: float) -> str:
    """A bar as long as ours took, and a ring where the guide is."""
    filled = min(BAR, max(0, round(BAR * median_ms / full_ms)))
    bar = list("━" * filled + " " * (BAR + 1 - filled))
    if guide_ms is not None and guide_ms >= 0:
        bar[min(BAR, round(BAR * guide_ms / full_ms))] = "○"
    return "".join(bar)


def main(rounds: Annotated[int, typer.Option(help="How many goodbyes.")] = 20) -> None:
    """Say goodbye, and print when who knew.

    Example: .venv/bin/python bench/goodbye.py --rounds 10
    """
    console = Console(width=132)
    found = asyncio.run(measure(rounds, console))
    console.print(as_table(f"from word to page, {rounds} rounds", KNOWING, found, 50.0))
    console.print(as_table("from word to end", LEAVING, found, 6_000.0))
    least = max(goodbye.ahead_ms[0] for goodbye in found)
    most = min(goodbye.ahead_ms[1] for goodbye in found)
    each = [high - low for low, high in (goodbye.ahead_ms for goodbye in found)]
    console.print(
        f"the page's clock is ahead of the machine's by {least:.2f} … {most:.2f} ms (in each round "
        f"known to within {statistics.median(each):.2f} ms, in the worst {max(each):.2f})"
    )
    known_ms = statistics.median(goodbye.steps["word at the client"] for goodbye in found)
    shown_ms = statistics.median(goodbye.steps["word shown"] for goodbye in found)
    console.print(
        f"word → page's client knows {known_ms:.1f} ms, shows it {shown_ms:.1f} ms "
        f"(promised: {PROMISED_MS:g}; the guide: 50)"
    )


if __name__ == "__main__":
    typer.run(main)
