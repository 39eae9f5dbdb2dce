"""Tools in the bot: what there is, who carries it out, and everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from greenroom.bot.tools import Toolbox, ToolError
from greenroom.bot.tools.limits import MOST_PER_TURN, Limits
from greenroom.session.inputs import ToolCalled, ToolDone
from greenroom.wire.link import CommandKind, Report, ReportKind
from greenroom.wire.tools import MAX_ARGUMENTS_BYTES, TOOLBOX, ToolOutcome
from greenroom.wire.translate import report_of
from tests.tools.conftest import OpenToolbox, Told

PAGE_TOOL = {
    "name": "pick_color",
    "kind": "page",
    "description": "Let the user pick a colour.",
    "parameters": {
        "type": "object",
        "properties": {"shade": {"type": "string", "enum": ["light", "dark"]}},
        "required": ["shade"],
        "additionalProperties": False,
    },
    "timeoutS": 5,
}


async def refused(call: Any) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await call
    return caught.value


async def asked(told: Told, number: int = 1) -> dict[str, Any]:
    """Wait until somebody was asked to carry a call out."""
    async with asyncio.timeout(5):
        while len(told.of(ReportKind.TOOL_CALL)) < number:
            await asyncio.sleep(0)
    return told.of(ReportKind.TOOL_CALL)[number - 1]


async def test_there_is_exactly_what_the_record_names(open_toolbox: OpenToolbox) -> None:
    assert (await open_toolbox()).functions == []
    toolbox = await open_toolbox("notes", "end_call", PAGE_TOOL)
    assert [one.name for one in toolbox.functions] == [*TOOLBOX["notes"], "end_call", "pick_color"]
    for one in toolbox.functions:
        assert one.parameters["type"] == "object"
        assert one.description
    assert toolbox.functions[0].parameters["required"] == ["title"]
    assert toolbox.functions[-1].description == "Let the user pick a colour."


async def test_a_toolbox_comes_from_the_sessions_record(told: Told) -> None:
    record = {"name": "mary", "tools": [{"name": "panels"}]}
    told.session.spec = told.session.spec.model_copy(update={"record": record})
    toolbox = Toolbox.of(told.session, goodbye=told.goodbye)
    await toolbox.open()
    assert [one.name for one in toolbox.functions] == ["open_panel"]


async def test_what_does_not_exist_is_refused_with_what_does(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox("panels", "no_such_thing")
    [error] = told.of(ReportKind.ERROR)
    assert (error["code"], error["fatal"]) == ("tool_missing", False)
    problem = await refused(toolbox.call("create_note", {"title": "x"}))
    assert problem.outcome is ToolOutcome.REFUSED
    assert "open_panel" in problem.sentence
    assert told.outcomes == ["refused"]
    # Nobody may take it for theirs: a server that knows notes must not make one.
    assert told.of(ReportKind.TOOL_CALL)[0]["where"] == "bot"


async def test_what_no_event_carries_is_refused_like_everything_else(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox({"name": "anything", "kind": "page", "timeoutS": 5})
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"in": deep}
    for name, arguments in [("half \ud800", {}), ("anything", deep), ("anything", None)]:
        problem = await refused(toolbox.call(name, arguments))
        assert problem.outcome is ToolOutcome.REFUSED
    assert told.outcomes == ["refused"] * 3
    json.dumps(told.of(ReportKind.TOOL_CALL), ensure_ascii=False).encode()


async def test_what_the_bot_shows_becomes_events(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox("html", "flashcards", "panels")
    assert (await refused(toolbox.call("turn_card", {}))).outcome is ToolOutcome.FAILED
    await toolbox.call("show_html", {"title": "Hi", "html": "<b>you</b>"})
    await toolbox.call("show_card", {"front": "Hund", "back": "dog"})
    await toolbox.call("turn_card", {})
    await toolbox.call("open_panel", {"panel": "notes"})
    html, card, turned, panel = told.of(ReportKind.APP)
    assert html["type"] == "ui.html"
    assert html["data"] == {"id": html["data"]["id"], "title": "Hi", "html": "<b>you</b>"}
    assert "back" not in card["data"]
    assert turned["data"] == {**card["data"], "back": "dog"}
    assert panel == {"type": "ui.panel", "data": {"panel": "notes", "open": True}}
    assert told.outcomes == ["failed", "ok", "ok", "ok", "ok"]


async def test_reports_are_what_the_server_reads(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox("panels")
    await toolbox.call("open_panel", {"panel": "notes"})
    await refused(toolbox.call("x" * 300, {}))
    await refused(toolbox.call("", {}))
    reports = [
        report_of(Report(seq=seq, at_ms=0, kind=kind, data=data))
        for seq, (kind, data) in enumerate(told.reports, 1)
        if kind in (ReportKind.TOOL_CALL, ReportKind.TOOL_RESULT)
    ]
    assert [type(one) for one in reports] == [ToolCalled, ToolDone] * 3


async def test_the_end_of_the_call_is_begun_and_not_waited_for(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox("end_call")
    await toolbox.call("end_call", {"farewell": "So long."})
    await asyncio.sleep(0)
    assert told.farewells == ["So long."]


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("open_panel", {"panel": "kitchen"}, "panel"),
        ("open_panel", {}, "panel"),
        ("open_panel", {"panel": "notes", "wide": True}, "wide"),
        ("pick_color", {"shade": "loud"}, "shade"),
        ("pick_color", {}, "shade"),
        ("show_html", {"html": "x" * 30_000}, "html"),
        ("show_html", {"html": "x" * (MAX_ARGUMENTS_BYTES * 8)}, "larger"),
        ("open_panel", ["notes"], "object"),
        ("open_panel", {"panel": float("nan")}, "JSON"),
    ],
)
async def test_arguments_that_do_not_match_are_refused_by_the_field(
    open_toolbox: OpenToolbox, told: Told, name: str, arguments: Any, named: str
) -> None:
    toolbox = await open_toolbox("panels", "html", PAGE_TOOL)
    problem = await refused(toolbox.call(name, arguments))
    assert problem.outcome is ToolOutcome.REFUSED
    assert named in problem.sentence
    assert told.of(ReportKind.APP) == []
    assert told.outcomes == ["refused"]
    assert {call["where"] for call in told.of(ReportKind.TOOL_CALL)} == {"bot"}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://evil.org/",
        "https://example.org@evil.org/",
        "https://example.org:8443/",
        "https://127.0.0.1/",
        "https://evil.org\\@example.org/",
        "https://example.org.evil.org/",
        "https://exam\nple.org/",
        "javascript:alert(1)",
        "https://[::1",
    ],
)
async def test_only_plain_addresses_of_hosts_that_are_named_are_opened(
    open_toolbox: OpenToolbox, told: Told, url: str
) -> None:
    toolbox = await open_toolbox({"name": "browser", "settings": {"allow": ["example.org"]}})
    problem = await refused(toolbox.call("open_page", {"url": url}))
    assert problem.outcome is ToolOutcome.REFUSED
    assert "url" in problem.sentence
    assert {call["where"] for call in told.of(ReportKind.TOOL_CALL)} == {"bot"}


async def test_hosts_below_one_may_be_named_and_without_any_none_is(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    bare = await open_toolbox("browser")
    assert "none" in (await refused(bare.call("open_page", {"url": "https://a.org"}))).sentence
    wide = await open_toolbox({"name": "browser", "settings": {"allow": ["*.example.org"]}})
    call = asyncio.create_task(wide.call("open_page", {"url": "https://www.example.org/x"}))
    out = await asked(told, 2)
    assert out["where"] == "page"
    await told.answer({"toolCallId": out["toolCallId"], "by": "page", "error": "The user said no."})
    problem = await refused(call)
    assert (problem.outcome, problem.sentence) == (ToolOutcome.FAILED, "The user said no.")


async def test_whoever_was_asked_answers_once_and_nobody_else(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox("notes")
    call = asyncio.create_task(toolbox.call("create_note", {"title": "Milk"}))
    out = await asked(told)
    assert re.fullmatch("call_[a-z]{24}", out["toolCallId"])
    assert (out["tool"], out["name"], out["where"]) == ("notes", "create_note", "server")
    assert out["arguments"] == {"title": "Milk"}
    right = {"toolCallId": out["toolCallId"], "by": "server", "result": {"id": "n1"}}
    # The page was not asked, nobody knows that call, and what is no answer is none.
    await told.answer({**right, "by": "page"}, {**right, "toolCallId": "call_x"}, {"what": 1})
    assert not call.done()
    await told.answer(right, {**right, "result": {"id": "n2"}})
    assert await call == {"id": "n1"}
    await told.answer({**right, "result": {"id": "n3"}})
    assert told.outcomes == ["ok"]
    assert told.of(ReportKind.TOOL_RESULT)[0]["toolCallId"] == out["toolCallId"]


async def test_what_the_server_refuses_is_refused(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox("notes")
    call = asyncio.create_task(toolbox.call("read_note", {"id": "n9"}))
    out = await asked(told)
    await told.answer({"toolCallId": out["toolCallId"], "error": "No.", "refused": True})
    assert (await refused(call)).outcome is ToolOutcome.REFUSED
    assert told.of(ReportKind.TOOL_RESULT)[0]["message"] == "No."


async def test_nobody_waits_for_ever_for_a_page(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox({**PAGE_TOOL, "timeoutS": 0.02})
    problem = await refused(toolbox.call("pick_color", {"shade": "dark"}))
    assert problem.outcome is ToolOutcome.TIMEOUT
    late = told.of(ReportKind.TOOL_CALL)[0]["toolCallId"]
    await told.answer({"toolCallId": late, "by": "page", "result": 1})
    assert told.outcomes == ["timeout"]


async def test_ten_megabytes_are_no_answer(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox(PAGE_TOOL)
    call = asyncio.create_task(toolbox.call("pick_color", {"shade": "dark"}))
    out = await asked(told)
    result = "x" * 10_000_000
    await told.answer({"toolCallId": out["toolCallId"], "by": "page", "result": result})
    problem = await refused(call)
    assert problem.outcome is ToolOutcome.FAILED
    assert "bytes" in problem.sentence


async def test_a_call_that_is_cancelled_is_told(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox(PAGE_TOOL)
    call = asyncio.create_task(toolbox.call("pick_color", {"shade": "dark"}))
    await asked(told)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert told.outcomes == ["cancelled"]


async def test_closing_cancels_what_is_being_called(open_toolbox: OpenToolbox, told: Told) -> None:
    toolbox = await open_toolbox(PAGE_TOOL)
    call = asyncio.create_task(toolbox.call("pick_color", {"shade": "dark"}))
    await asked(told)
    await toolbox.close()
    assert call.cancelled()
    assert told.outcomes == ["cancelled"]


async def test_a_model_that_loops_is_stopped_until_the_user_speaks(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox("panels")
    for _ in range(MOST_PER_TURN):
        await toolbox.call("open_panel", {"panel": "notes"})
    for _ in range(50):
        problem = await refused(toolbox.call("open_panel", {"panel": "notes"}))
        assert "wait for them to speak" in problem.sentence
    # Of a loop the first few refusals are told, and not each.
    assert told.outcomes == ["ok"] * MOST_PER_TURN + ["refused"] * 3
    told.session.report(ReportKind.USER_SPEECH, {"speaking": False})
    await toolbox.call("open_panel", {"panel": "notes"})
    for _ in range(MOST_PER_TURN):
        told.session.report(ReportKind.USER_SPEECH, {"speaking": False})
        await toolbox.call("open_panel", {"panel": "notes"})
    await told.session.carry_out(CommandKind.MESSAGE, {"text": "hello"})
    await toolbox.call("open_panel", {"panel": "notes"})


async def test_a_conversation_has_only_so_many_calls(open_toolbox: OpenToolbox) -> None:
    toolbox = await open_toolbox("panels", limits=Limits(per_turn=10, per_session=2))
    await toolbox.call("open_panel", {"panel": "notes"})
    await refused(toolbox.call("open_panel", {"panel": "kitchen"}))
    problem = await refused(toolbox.call("open_panel", {"panel": "notes"}))
    assert "without" in problem.sentence


async def test_parameters_that_are_no_schema_leave_the_tool_out(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox({**PAGE_TOOL, "parameters": {"type": "colour"}})
    assert toolbox.functions == []
    [error] = told.of(ReportKind.ERROR)
    assert "no JSON Schema" in error["message"]


@pytest.mark.parametrize("schema", [{"$ref": "https://example.org/x"}, {"allOf": [{"$ref": "#"}]}])
async def test_a_schema_that_leads_nowhere_is_told(
    open_toolbox: OpenToolbox, schema: dict[str, Any]
) -> None:
    toolbox = await open_toolbox({**PAGE_TOOL, "parameters": {"type": "object", **schema}})
    problem = await refused(toolbox.call("pick_color", {}))
    assert problem.outcome is ToolOutcome.FAILED
