"""A session whose reports are kept, and toolboxes for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from greenroom.bot.context import BotSession
from greenroom.bot.tools import Toolbox
from greenroom.bot.tools.limits import Limits
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.link import CommandKind, ReportKind, RoomSpec, SessionSpec

OpenToolbox = Callable[..., Awaitable[Toolbox]]


class Told:
    """One session, what its bot has reported, and what it was told to say at the end."""

    def __init__(self) -> None:
        self.reports: list[tuple[ReportKind, dict[str, Any]]] = []
        self.farewells: list[str] = []
        spec = SessionSpec(
            session_id="s1",
            launch_id="l1",
            assistant="mary",
            user_id="ada",
            room=RoomSpec(name="r1"),
            persistence_s=60,
        )
        self.session = BotSession(
            spec,
            report=lambda kind, data: self.reports.append((kind, data)),
            user_present=lambda: True,
            joined=lambda: None,
        )

    def of(self, kind: ReportKind) -> list[dict[str, Any]]:
        """The data of the reports of a kind."""
        return [data for found, data in self.reports if found is kind]

    @property
    def outcomes(self) -> list[str]:
        """How each call went."""
        return [data["outcome"] for data in self.of(ReportKind.TOOL_RESULT)]

    async def answer(self, *answers: dict[str, Any]) -> None:
        """Greenroom says what calls have come to."""
        await self.session.carry_out(CommandKind.TOOL_RESULTS, {"results": list(answers)})

    async def goodbye(self, text: str) -> None:
        """Take note of a farewell."""
        self.farewells.append(text)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def open_toolbox(told: Told) -> AsyncIterator[OpenToolbox]:
    opened: list[Toolbox] = []

    async def open_one(*tools: str | dict[str, Any], limits: Limits | None = None) -> Toolbox:
        records = [
            ToolRecord.model_validate({"name": t} if isinstance(t, str) else t) for t in tools
        ]
        toolbox = Toolbox(told.session, records, told.goodbye, limits)
        await toolbox.open()
        opened.append(toolbox)
        return toolbox

    yield open_one
    for one in opened:
        await one.close()
