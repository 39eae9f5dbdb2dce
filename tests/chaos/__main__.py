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
from pathlib import Path

from greenroom.testing.postgres_server import a_postgres_server
from tests.chaos.plan import misfortunes
from tests.chaos.run import run

_EXAMPLE = "example: python -m tests.chaos --faults 100 --seed 7 --store postgres"


def main() -> int:
    """Run, say what happened, and leave with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=_EXAMPLE)
    parser.add_argument("--faults", type=int, default=500, help="how many misfortunes")
    parser.add_argument("--seed", type=int, default=None, help="of all dice; printed if not given")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--gap", type=float, default=1.0, help="mean seconds between two of them")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed} · {args.faults} faults · {args.store}", flush=True)
    plan = list(misfortunes(seed, args.faults, args.gap))
    began = time.monotonic()
    count = iter(range(1, len(plan) + 1))

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {next(count):4d}  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(a_postgres_server()) if args.store == "postgres" else None
        wrong, answers, log = asyncio.run(run(Path(folder), seed, plan, server, tell))
        _tell_counts(Counter(str(m.fault) for m in plan), answers)
        if wrong:
            kept = Path(tempfile.gettempdir()) / f"chaos-{seed}.log"
            kept.write_text(log)
            print(f"\nBROKEN with seed {seed} (server's log: {kept}):")
            print("\n".join(f"  · {line}" for line in wrong))
            return 1
    print("\nEvery promise held.")
    return 0


def _tell_counts(faults: Counter[str], answers: Counter[str]) -> None:
    for title, counter in (("faults", faults), ("answers", answers)):
        print(f"\n{title}")
        for name, times in counter.most_common():
            print(f"  {times:5d}  {name}")


if __name__ == "__main__":
    sys.exit(main())
