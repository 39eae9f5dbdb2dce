"""A scripted assistant in a real call: by voice and typed, with the tools of its record."""

from __future__ import annotations

from pathlib import Path

import yaml

from greenroom.assistants.records import parse
from greenroom.wire.assistants import as_data
from greenroom.wire.link import BotLevel, CommandKind, ReportKind
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.test_cards import Call

EXAMPLE = Path(__file__).parents[2] / "examples" / "scripted" / "helper.yaml"


async def test_a_note_is_taken_and_a_panel_opened(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    record = as_data(parse(yaml.safe_load(EXAMPLE.read_text())).for_bot())
    greenroom.session = greenroom.session.model_copy(update={"record": record})
    process = start("greenroom.bot.assistant")
    await greenroom.linked()
    page = open_page()
    await page.connect()
    call = Call(process, greenroom, page)
    greeted = await call.quiet()
    assert greenroom.hellos[0].level is BotLevel.ATTACHED
    assert call.texts("assistant")[0].startswith("Hello, I am your helper.")

    # By voice: a panel of the page's.
    await call.say("open the notes")
    done = await greenroom.report(ReportKind.TOOL_RESULT, after=greeted)
    assert done.data["outcome"] == "ok"
    [panel] = call.of(ReportKind.APP)
    assert panel.data == {"type": "ui.panel", "data": {"panel": "notes", "open": True}}
    assert call.texts("user") == ["open the notes"]
    opened = await greenroom.report(
        ReportKind.TRANSCRIPT, lambda d: d["text"].startswith("Here you are."), after=done.seq
    )

    # Typed: a note, which the server keeps. What the server says comes while nobody speaks.
    for text in ("Take a note!", "the doctor", "in 15 minutes"):
        await greenroom.command(CommandKind.MESSAGE, {"text": text})
    asked = await greenroom.report(ReportKind.TOOL_CALL, after=opened.seq)
    assert (asked.data["name"], asked.data["where"]) == ("create_note", "server")
    assert asked.data["arguments"] == {"title": "the doctor", "text": "In 15 minutes"}
    answer = {"toolCallId": asked.data["toolCallId"], "by": "server", "result": {"id": "n1"}}
    await greenroom.command(CommandKind.TOOL_RESULTS, {"results": [answer]})
    said = await greenroom.report(
        ReportKind.TRANSCRIPT,
        lambda d: d["text"] == "I have written it down.",
        after=asked.seq,
    )

    # A tool that fails is no silence.
    await greenroom.command(CommandKind.MESSAGE, {"text": "my notes"})
    asked = await greenroom.report(ReportKind.TOOL_CALL, after=said.seq)
    while asked.data["name"] != "search_notes":
        asked = await greenroom.report(ReportKind.TOOL_CALL, after=asked.seq)
    answer = {"toolCallId": asked.data["toolCallId"], "by": "server", "error": "No."}
    await greenroom.command(CommandKind.TOOL_RESULTS, {"results": [answer]})
    said = await greenroom.report(
        ReportKind.TRANSCRIPT, lambda d: "cannot find" in d["text"], after=asked.seq
    )

    await greenroom.command(CommandKind.MESSAGE, {"text": "goodbye"})
    farewell = await greenroom.report(ReportKind.FAREWELL, after=said.seq)
    assert farewell.data == {"heard": True}
    assert call.texts("assistant")[-1] == "Goodbye, until next time!"
    assert process.alive
