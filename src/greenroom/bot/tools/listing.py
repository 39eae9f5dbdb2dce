"""``python -m greenroom.bot.tools.listing``: what an assistant could call, in a bot's environment.

Reads a record from standard input and prints a `Listing`; ``greenroom tools`` shows it to people.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from greenroom.bot.context import BotSession
from greenroom.bot.tools import Toolbox
from greenroom.bot.tools.folder import folder
from greenroom.wire.assistants import BotRecord, as_data
from greenroom.wire.link import ReportKind, RoomSpec, SessionSpec
from greenroom.wire.listing import Listed, Listing


async def listing(record: BotRecord) -> Listing:
    """The functions of a record's tools. Side effects: the folder is imported, servers reached."""
    problems: list[str] = []

    def report(kind: ReportKind, data: dict[str, Any]) -> None:
        if kind is ReportKind.ERROR:
            problems.append(str(data["message"]))

    spec = SessionSpec(
        session_id="listing",
        launch_id="listing",
        assistant=record.name,
        record=as_data(record),
        room=RoomSpec(name="listing"),
        persistence_s=0,
    )
    session = BotSession(spec, report=report, user_present=lambda: False, joined=lambda: None)
    toolbox = Toolbox.of(session, goodbye=_nobody_is_there)
    try:
        await toolbox.open()
        functions = [
            Listed(
                name=one.name,
                tool=one.tool.name,
                kind=one.tool.kind,
                where=one.where,
                description=one.description,
                parameters=one.parameters,
            )
            for one in toolbox.functions
        ]
    finally:
        await toolbox.close()
    return Listing(functions=functions, problems=problems, folder_problems=folder().problems)


async def _nobody_is_there(text: str) -> None:
    """Nobody hears it."""


def main() -> None:
    """Read, list and print."""
    record = BotRecord.model_validate_json(sys.stdin.read())
    sys.stdout.write(asyncio.run(listing(record)).to_json() + "\n")


if __name__ == "__main__":
    main()
