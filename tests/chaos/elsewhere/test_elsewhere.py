"""The short form of ``make chaos CHAOS=--elsewhere``: what providers do, and every promise held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.chaos.elsewhere.plan import WEIGHTS, Fault
from tests.chaos.elsewhere.run import LIMITS_ELSEWHERE, run
from tests.chaos.plan import misfortunes

SEED = 20_261_125
GAP_S = 0.12
STRENGTH = 0.1  # what lasts for a while lasts for a second or two
# What takes the server down is in the other short form, and what lasts for seconds in the long.
LEFT_OUT = {
    Fault.KILL_SERVER,
    Fault.TERM_SERVER,
    Fault.FREEZE_SERVER,
    Fault.DATABASE_AWAY,
    Fault.START_LATE,
    Fault.ROOMS_LATE,
}
# Nobody ends what is left at the end but the deadlines.
LIMITS = {
    **LIMITS_ELSEWHERE,
    "GREENROOM_JOIN_S": "5",
    "GREENROOM_MAX_DURATION_S": "4",
    "GREENROOM_IDLE_S": "3",
    "GREENROOM_PAUSE_S": "3",
    "GREENROOM_QUEUE_S": "3",
}


async def test_providers_in_nearly_every_kind_of_trouble(tmp_path: Path) -> None:
    """No room is left open, no agent left running: by the stand-ins' own books."""
    happened: list[str] = []
    weights = {fault: weight for fault, weight in WEIGHTS.items() if fault not in LEFT_OUT}
    every = misfortunes(weights, SEED, len(weights), GAP_S)
    plan = [replace(one, strength=one.strength * STRENGTH) for one in every]
    result = await run(tmp_path, SEED, plan, None, happened.append, LIMITS)
    assert not result.wrong, "\n".join([*result.wrong, "", *happened, "", result.log])
    assert len(happened) == len(weights)
    assert result.answers["201"], "nobody ever got a session"
    assert result.answers["let in by Daily"], "nobody ever got into a room"
