"""The long form of the fuzzers: other requests and messages each time, by a seed that is printed.

python -m tests.fuzz --seed 7 --times 20 --store postgres --only event_socket
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Annotated

import pytest
import typer


def main(
    seed: Annotated[int | None, typer.Option(help="Plays the same again.")] = None,
    times: Annotated[int, typer.Option(help="So many times as long as in `make test-fast`.")] = 25,
    store: Annotated[str, typer.Option(help="sqlite or postgres.")] = "sqlite",
    only: Annotated[str, typer.Option(help="api, event_socket, link or webhook.")] = "",
) -> None:
    """Send whatever there is to every door, and hold the answers to what is promised.

    Example: make fuzz FUZZ="--seed 7 --times 100 --only webhook"
    """
    seed = random.randrange(2**32) if seed is None else seed
    typer.echo(f"seed {seed}: to play it again: make fuzz FUZZ='--seed {seed} --times {times}'")
    os.environ |= {"FUZZ_TIMES": str(times), "FUZZ_STORE": store}
    here = Path(__file__).parent
    wanted = here / f"test_{only}.py" if only else here
    # One after the other: with several workers a seed would not play the same again.
    raise typer.Exit(
        pytest.main(["-q", "--timeout", "0", f"--hypothesis-seed={seed}", str(wanted)])
    )


if __name__ == "__main__":
    typer.run(main)
