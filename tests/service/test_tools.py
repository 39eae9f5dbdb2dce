"""Tools that the server carries out: default deny, checked, bounded, answered whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from greenroom.service.reports import Way
from greenroom.session.facts import EffectKind
from greenroom.wire.link import Report, ReportKind
from tests.conftest import House
from tests.service.test_service import a_call


async def ask(house: House, session_id: str, call: str, name: str, **more: Any) -> None:
    """Report that the session's bot calls a function of the server's."""
    session = await house.session(session_id)
    data = {"toolCallId": call, "tool": "notes", "name": name, "where": "server", **more}
    report = Report(seq=session.report_seq + 1, at_ms=0, kind=ReportKind.TOOL_CALL, data=data)
    await house.parts.reports.take(Way.LINK, session.launch_id, session_id, report)


async def answers(house: House, session_id: str) -> dict[str, Mapping[str, Any]]:
    """What the bot is to be told of its calls, by call."""
    effects = await house.parts.store.effects_of(session_id)
    found = [e.payload["data"]["results"] for e in effects if e.payload.get("kind") == TOLD]
    return {answer["toolCallId"]: answer for (answer,) in found}


TOLD = "tool_results"


async def answered(house: House, session_id: str, call: str) -> Mapping[str, Any]:
    """What a call has come to, once it has."""
    async with house.parts.hub.subscribe(f"session:{session_id}") as waiter:
        while call not in (found := await answers(house, session_id)):
            assert await waiter.wait(10), f"no answer to {call}"
    return found[call]


async def test_a_tool_that_the_record_does_not_name_is_refused(house: House) -> None:
    session_id = await a_call(house)
    await ask(house, session_id, "c1", "create_note", arguments={"title": "Milk"})
    assert await answered(house, session_id, "c1") == {
        "toolCallId": "c1",
        "by": "server",
        "error": "There is no tool called “notes”.",
        "refused": True,
    }
    await settled(house)


async def settled(house: House) -> None:
    """Wait until no call is on record as one that is still to be carried out."""
    async with asyncio.timeout(10):
        while await house.parts.store.effects_due(EffectKind.RUN_TOOL, 1e12):
            await asyncio.sleep(0.005)
