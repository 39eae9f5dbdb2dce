"""A long session: its log of events grows, is read in pages, and nothing else grows with it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from greenroom.session import inputs as i
from greenroom.session.usage import MOST_ITEMS
from greenroom.store.rows import to_row
from tests.conftest import House
from tests.service.test_service import a_call

FOR_EVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a running session beside its events."""

    record_bytes: int
    effects: int
    deadlines: int


async def test_nothing_but_the_log_grows_with_what_is_said(house: House) -> None:
    """FAILURES 16."""
    session_id = await a_call(house)
    await talk(house, session_id, turns=MOST_ITEMS + 4)
    early, events_early = await kept(house, session_id), await last_seq(house, session_id)
    await talk(house, session_id, turns=2 * MOST_ITEMS)
    late, events_late = await kept(house, session_id), await last_seq(house, session_id)
    assert events_late > 2 * events_early, "much was said"
    assert late.record_bytes - early.record_bytes < 100, "some numbers have more digits"
    assert (late.effects, late.deadlines) == (early.effects, early.deadlines)
    page = await house.parts.store.events_after(session_id, 0, 20)
    assert [event.seq for event in page] == list(range(1, 21))


async def talk(house: House, session_id: str, turns: int) -> None:
    """The user speaks, and the bot's parts use what nobody has heard of."""
    session = await house.session(session_id)
    seq = session.report_seq
    for turn in range(seq, seq + turns):
        for report in (
            i.Transcript("user", "words", final=True, turn=turn),
            i.Usage(f"part-{turn}", 1.0, "calls"),
        ):
            seq += 1
            await house.sessions.apply(session_id, i.Reported(session.launch_id, seq, report))


async def kept(house: House, session_id: str) -> Kept:
    session = await house.session(session_id)
    due = await house.parts.store.due(house.clock.now() + FOR_EVER_S, 1_000)
    return Kept(
        record_bytes=len(json.dumps(to_row(session), default=str)),
        effects=len(await house.parts.store.effects.of(session_id)),
        deadlines=sum(deadline.session_id == session_id for deadline in due),
    )


async def last_seq(house: House, session_id: str) -> int:
    return (await house.session(session_id)).last_seq
