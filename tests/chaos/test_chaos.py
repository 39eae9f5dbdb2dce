"""The short form of ``make chaos``: one misfortune of each kind, and every promise held."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.plan import WEIGHTS, Fault, misfortunes
from tests.chaos.run import run

SEED = 20_261_121
GAP_S = 0.3


async def test_a_misfortune_of_nearly_every_kind(tmp_path: Path) -> None:
    """FAILURES 16 to 24 at once; a longer run: ``make chaos``."""
    happened: list[str] = []
    # Draining takes seconds and has tests of its own.
    left_out = (Fault.TERM_SERVER, Fault.TERM_SERVER_TWICE)
    every = misfortunes(WEIGHTS, SEED, len(Fault), GAP_S)
    plan = [one for one in every if one.fault not in left_out]
    result = await run(tmp_path, SEED, plan, None, happened.append)
    assert not result.wrong, "\n".join([*result.wrong, "", *happened, "", result.log])
    assert len(happened) == len(plan) == len(Fault) - len(left_out)
    assert result.answers["201"], "nobody ever got a session"


def test_a_seed_plays_the_same_again() -> None:
    assert list(misfortunes(WEIGHTS, 7, 100, 1.0)) == list(misfortunes(WEIGHTS, 7, 100, 1.0))
    assert list(misfortunes(WEIGHTS, 7, 100, 1.0)) != list(misfortunes(WEIGHTS, 8, 100, 1.0))
