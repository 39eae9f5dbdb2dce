"""Reloads a page in the middle of what the bot says, again and again, and listens.

    .venv/bin/python bench/reload.py --times 100

Each time: the bot is speaking, the page reloads, and we measure from the reload to the peer
connection that is up again and to the first sound that the new page plays; there must be one bot
all along, and the same one. Real server, real bot, real Chromium; the sound is what the page plays.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.person import a_browser, a_person
from tests.e2e.reloads import AUDIBLE_WITHIN_S, Reloaded, note_connections, reload
from tests.e2e.server import Server

# So far into a sentence the page reloads.
INTO_THE_SENTENCE_S = 0.25


async def measure(times: int, console: Console) -> list[Reloaded]:
    """How long each reload took. Raises if one is not audible again."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    server = Server(state_dir, GREENROOM_MAX_DURATION_S="3600")
    await server.start()
    try:
        await server.ready()
        async with a_browser() as browser, a_person(browser, server.url) as person:
            await note_connections(person)
            await person.page.reload()
            await person.click("talk")
            await person.ears.wait_for_speech(AUDIBLE_WITHIN_S)
            (bot,) = server.bots()
            figures = []
            for _ in track(range(times), "reloading", console=console):
                await asyncio.sleep(INTO_THE_SENTENCE_S)
                figures.append(await reload(person))
                if server.bots() != [bot]:
                    raise AssertionError(f"the bots are {server.bots()}, and it was {bot}")
            return figures
    finally:
        await server.stop()
        shutil.rmtree(state_dir)


def main(
    times: Annotated[int, typer.Option(help="How many reloads.")] = 100,
) -> None:
    """Reload in mid-utterance and listen.

    Example: .venv/bin/python bench/reload.py --times 20
    """
    console = Console()
    figures = asyncio.run(measure(times, console))
    table = Table("from the reload until", "median", "p95", "slowest", title=f"{times} reloads")
    for name, column in (("connected again", "connected_ms"), ("audible again", "audible_ms")):
        values = sorted(getattr(figure, column) for figure in figures)
        p95 = values[min(len(values) - 1, int(0.95 * len(values)))]
        shown = (f"{v:.0f} ms" for v in (statistics.median(values), p95, values[-1]))
        table.add_row(name, *shown)
    console.print(table)
    console.print(f"always audible again, one bot all along ({times} of {times})")


if __name__ == "__main__":
    typer.run(main)
