"""Calls the same bot through Pipecat's development runner and through Greenroom, and listens.

    .venv/bin/python bench/talk.py --calls 10 --together 1

Real headless Chromium, real servers, real WebRTC on loopback; what is measured is what the page
plays. Three set-ups take turns within one run: Pipecat's runner with the stock client, Greenroom
with the same page, Greenroom with its own client.

What makes it fair: both servers run the very same bot file (``bench/calls/bot.py``) in the same
Python, with the same VAD settings, recogniser and voice. Both have held a call before the first
that counts, so everything is imported and no call is anybody's first. Whoever goes first changes
with each round. Nobody asks a STUN server. Every call is a new visitor on a fresh page that has
been idle for half a second. Each server runs as its
documentation starts it: the runner logs for debugging, since it has no switch for less; Greenroom
keeps one spare process. With ``--model`` a language model answers, the same for all: Pipecat's own
service asks a stand-in over HTTP, whose first token comes after 200 ms.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.calls import figures, picture
from bench.calls.caller import Call, call_together, load
from bench.calls.model import a_model
from bench.calls.peers import SETUPS, setups
from tests.e2e.person import a_browser


async def measure(names: list[str], rounds: int, together: int, console: Console) -> list[Call]:
    """All calls of all rounds; within a round each set-up has its turn."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    calls: list[Call] = []
    try:
        async with setups(state_dir) as known, a_browser() as browser:
            wanted = [setup for setup in known if setup.name in names]
            for setup in wanted:  # nobody's first call is measured
                await call_together(browser, setup, 1)
            for round_ in track(range(rounds), "calling", console=console):
                # Whoever goes first in one round goes last in the next.
                for turn in range(len(wanted)):
                    setup = wanted[(round_ + turn) % len(wanted)]
                    calls += await call_together(browser, setup, together)
    finally:
        shutil.rmtree(state_dir)
    return calls


def main(
    calls: Annotated[int, typer.Option(help="Rounds; each set-up calls once in each.")] = 10,
    together: Annotated[int, typer.Option(help="How many calls begin at the same moment.")] = 1,
    setup: Annotated[str, typer.Option(help="Which set-ups, with commas.")] = ",".join(SETUPS),
    keep: Annotated[Path | None, typer.Option(help="Add the calls to this file of JSON.")] = None,
    show: Annotated[Path | None, typer.Option(help="Measure nothing, show these calls.")] = None,
    model_per_call: Annotated[
        bool, typer.Option(help="Let the bot load its recogniser (90 ms) in every call.")
    ] = False,
    model: Annotated[
        bool, typer.Option(help="Let a language model answer: a stand-in that takes 200 ms.")
    ] = False,
    draw: Annotated[Path | None, typer.Option(help="Draw where the time goes, as SVG.")] = None,
) -> None:
    """Call, listen, speak, listen; and say where the milliseconds went.

    Example: .venv/bin/python bench/talk.py --calls 10 --together 3 --setup runner,greenroom-own
    """
    console = Console(width=120)
    if model_per_call:
        os.environ["BENCH_MODEL"] = "call"  # both servers inherit it, and with it their bots
    if show is not None:
        measured = load(show)
    else:
        with a_model() if model else nullcontext():
            measured = asyncio.run(measure(setup.split(","), calls, together, console))
    if keep is not None:
        with keep.open("a") as file:
            file.writelines(call.to_json() + "\n" for call in measured)
    figures.print_all(measured, console)
    if draw is not None:
        draw.write_text(picture.first_sound(measured))


if __name__ == "__main__":
    typer.run(main)
