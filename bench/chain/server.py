"""``greenroom serve`` as it is, which notes when a report came and when it was in the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from greenroom.cli import app
from greenroom.service.reports import Reports, Taken
from greenroom.service.sessions import Sessions
from greenroom.wire.link import Report, ReportKind

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.chain.notes import note

_take, _exited = Reports.take, Sessions.exited


async def _noting_reports(
    self: Reports, way: Any, launch: str, session: str, it: Report, *known: Any
) -> Taken:
    of_word = it.kind is ReportKind.TRANSCRIPT and it.data.get("role") == "user"
    name = "word" if of_word else "farewell" if it.kind is ReportKind.FAREWELL else None
    if name is None or (of_word and "bye" not in it.data["text"]):
        return await _take(self, way, launch, session, it, *known)
    note(f"{name} received")
    taken = await _take(self, way, launch, session, it, *known)
    note(f"{name} on record")
    return taken


async def _noting_exits(self: Sessions, exit_: Any) -> None:
    note("bot gone")
    await _exited(self, exit_)
    note("end on record")


Reports.take = _noting_reports  # type: ignore[method-assign,assignment]
Sessions.exited = _noting_exits  # type: ignore[method-assign]

if __name__ == "__main__":
    app()
