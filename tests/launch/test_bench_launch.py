"""The benchmark of the launcher still measures something: Greenroom alone, a few rounds."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

from rich.console import Console

_path = Path(__file__).parents[2] / "bench" / "launch.py"
_spec = importlib.util.spec_from_file_location("bench_launch", _path)
assert _spec is not None
assert _spec.loader is not None
bench = importlib.util.module_from_spec(_spec)
sys.modules["bench_launch"] = bench
_spec.loader.exec_module(bench)

ROUNDS = 3


async def test_a_short_run_fills_every_row_of_ours() -> None:
    samples = await bench.measure(ROUNDS, peers=False, waiting_rounds=1)
    assert {name: len(values) for name, values in samples.items()} == {
        "ours many waiting_mb": bench.WAITING,
        "ours warm waiting_mb": ROUNDS,
        "ours on_demand ms": ROUNDS,
        "ours on_demand busy_mb": ROUNDS,
        "ours warm ms": ROUNDS,
        "ours warm busy_mb": ROUNDS,
    }
    assert all(value > 0 for values in samples.values() for value in values)
    printed = io.StringIO()
    Console(file=printed, width=150).print(bench.as_table(samples))
    assert f"{ROUNDS} rounds" in printed.getvalue()
    assert "warm: order → ready" in printed.getvalue()
