"""The long run: ``python -m tests.chaos --faults 500`` (``make chaos``)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from greenroom.testing.postgres_server import a_postgres_server
from tests.chaos.elsewhere.plan import WEIGHTS as WEIGHTS_ELSEWHERE
from tests.chaos.elsewhere.run import run as run_elsewhere
from tests.chaos.plan import WEIGHTS, Misfortune, misfortunes
from tests.chaos.run import run

_EXAMPLE = "examples: python -m tests.chaos --faults 100 --seed 7 --store postgres · --elsewhere"


def main() -> int:
    """Run, say what happened, and leave with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=_EXAMPLE)
    parser.add_argument("--faults", type=int, default=500, help="how many misfortunes")
    parser.add_argument("--seed", type=int, default=None, help="of all dice; printed if not given")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--elsewhere", action="store_true", help="rooms on Daily, agents on Pipecat Cloud"
    )
    parser.add_argument("--gap", type=float, default=1.0, help="mean seconds between two of them")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    where = "elsewhere · " if args.elsewhere else ""
    print(f"seed {seed} · {args.faults} faults · {where}{args.store}", flush=True)
    plan = list(_plan(args.elsewhere, seed, args.faults, args.gap))
    play = run_elsewhere if args.elsewhere else run
    began = time.monotonic()
    count = iter(range(1, len(plan) + 1))

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {next(count):4d}  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(a_postgres_server()) if args.store == "postgres" else None
        result = asyncio.run(play(Path(folder), seed, plan, server, tell))
        _tell_counts(Counter(str(m.fault) for m in plan), result.answers)
        print("".join(f"\n{line}" for line in result.noted))
        if result.wrong:
            kept = Path(tempfile.gettempdir()) / f"chaos-{seed}.log"
            kept.write_text(result.log)
            print(f"\nBROKEN with seed {seed} (server's log: {kept}):")
            print("\n".join(f"  · {line}" for line in result.wrong))
            return 1
    print("\nEvery promise held.")
    return 0


def _plan(elsewhere: bool, seed: int, faults: int, gap_s: float) -> Iterator[Misfortune[Any]]:
    if elsewhere:
        return misfortunes(WEIGHTS_ELSEWHERE, seed, faults, gap_s)
    return misfortunes(WEIGHTS, seed, faults, gap_s)


def _tell_counts(faults: Counter[str], answers: Counter[str]) -> None:
    for title, counter in (("faults", faults), ("answers", answers)):
        print(f"\n{title}")
        for name, times in counter.most_common():
            print(f"  {times:5d}  {name}")


if __name__ == "__main__":
    sys.exit(main())
