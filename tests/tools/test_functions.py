"""Functions that people write: what becomes of their signature, and of what they do."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from greenroom.bot import ToolContext, tool
from greenroom.bot.declare import declared
from greenroom.bot.tools import Toolbox, ToolError, threads
from greenroom.bot.tools.folder import read
from greenroom.wire.link import ReportKind
from greenroom.wire.tools import ToolOutcome
from tests.tools.conftest import OpenToolbox, Told

SOURCE = '''
"""Tools of a test."""

from __future__ import annotations

import asyncio
import threading

from _helper import GREETING
from greenroom.bot import ToolContext, tool

hold = threading.Event()
let_go = asyncio.Event()


@tool
def greet(context: ToolContext, name: str, times: int = 1) -> list[str]:
    """Greet somebody.

    Args:
        name: Whom.
        times: How often.
    """
    context.show("app.greeted", {"by": context.user_id})
    return [f"{GREETING}, {name}! ({context.session_id}, {context.assistant})"] * times


@tool
async def whisper() -> str:
    """Whisper."""
    return "psst"


@tool
def hang() -> None:
    """Hang until somebody lets it go."""
    hold.wait()


@tool
async def cling() -> None:
    """Let nobody cancel it."""
    while not let_go.is_set():
        try:
            await let_go.wait()
        except asyncio.CancelledError:
            continue


@tool
def raise_something() -> None:
    """Raise."""
    raise KeyError("no such thing")


@tool
def leave() -> None:
    """Try to end the process."""
    raise SystemExit(3)


@tool
def talk() -> str:
    """Talk too much."""
    return "x" * 10_000_000


@tool
def strange() -> object:
    """Give what JSON does not carry."""
    return object()


def private() -> None:
    """Nobody declared this."""
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "_helper.py").write_text('GREETING = "Hello"\n')
    (tmp_path / "greetings.py").write_text(SOURCE)
    (tmp_path / "late.py").write_text("from greetings import whisper\nimport no_such_module_here\n")
    monkeypatch.setenv("GREENROOM_TOOLS_DIR", str(tmp_path))
    return tmp_path


def functions(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "kind": "function", **more} for name in names]


async def refused(toolbox: Toolbox, name: str, arguments: Any = None) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await toolbox.call(name, arguments or {})
    return caught.value


def test_a_signature_becomes_a_schema() -> None:
    @tool
    def book(
        where: Annotated[str, Field(max_length=20)],
        seats: Literal[1, 2] = 1,
        json: bool = False,
    ) -> str:
        """Book a table.

        It is held for an hour.

        Args:
            where: The restaurant's name,
                in full.
        """
        return f"{where} {seats} {json}"

    assert book("Ada's") == "Ada's 1 False"
    made = declared(book)
    assert made is not None
    assert (made.name, made.takes_context) == ("book", False)
    assert made.description == "Book a table.\nIt is held for an hour."
    properties = made.parameters["properties"]
    assert properties["where"]["description"] == "The restaurant's name, in full."
    assert properties["where"]["maxLength"] == 20
    assert (properties["seats"]["enum"], properties["seats"]["default"]) == ([1, 2], 1)
    assert made.parameters["required"] == ["where"]
    assert made.parameters["additionalProperties"] is False


def test_what_cannot_be_a_tool_says_so_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="city has no type"):

        @tool
        def weather(city) -> str:  # type: ignore[no-untyped-def]
            return str(city)

    with pytest.raises(TypeError, match="have names"):

        @tool
        def many(*words: str) -> str:
            return " ".join(words)


async def test_a_function_of_the_folder_is_called(
    folder: Path, open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox(*functions("greet", "whisper"))
    assert [one.name for one in toolbox.functions] == ["greet", "whisper"]
    assert toolbox.functions[0].parameters["properties"]["name"]["description"] == "Whom."
    greetings = await toolbox.call("greet", {"name": "Ada", "times": 2})
    assert greetings == ["Hello, Ada! (s1, mary)"] * 2
    assert told.of(ReportKind.APP) == [{"type": "app.greeted", "data": {"by": "ada"}}]
    assert await toolbox.call("whisper", {}) == "psst"
    problem = await refused(toolbox, "greet", {"name": "Ada", "times": "often"})
    assert problem.outcome is ToolOutcome.REFUSED
    assert "times" in problem.sentence
    assert told.outcomes == ["ok", "ok", "refused"]


async def test_only_what_is_declared_and_named_can_be_called(
    folder: Path, open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox(*functions("private", "os"))
    assert toolbox.functions == []
    assert len(told.of(ReportKind.ERROR)) == 2


async def test_a_record_may_describe_it_otherwise(folder: Path, open_toolbox: OpenToolbox) -> None:
    toolbox = await open_toolbox(*functions("whisper", description="Be quiet."))
    assert toolbox.functions[0].description == "Be quiet."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raise_something", "KeyError"),
        ("leave", "RuntimeError"),
        ("talk", "bytes"),
        ("strange", "JSON"),
    ],
)
async def test_one_that_fails_says_so_and_the_call_goes_on(
    folder: Path, open_toolbox: OpenToolbox, told: Told, name: str, words: str
) -> None:
    toolbox = await open_toolbox(*functions(name))
    problem = await refused(toolbox, name)
    assert problem.outcome is ToolOutcome.FAILED
    assert words in problem.sentence
    assert "no such thing" not in problem.sentence
    assert told.outcomes == ["failed"]


async def test_one_that_hangs_is_given_up_and_a_few_of_them_are_enough(
    folder: Path, open_toolbox: OpenToolbox
) -> None:
    toolbox = await open_toolbox(*functions("hang", timeoutS=0.05))
    for _ in range(threads.MOST_AT_ONCE):
        assert (await refused(toolbox, "hang")).outcome is ToolOutcome.TIMEOUT
    problem = await refused(toolbox, "hang")
    assert (problem.outcome, "at work" in problem.sentence) == (ToolOutcome.FAILED, True)
    read(folder).tools["hang"].function.__globals__["hold"].set()
    async with asyncio.timeout(5):
        while "tool" in [thread.name for thread in threading.enumerate()]:
            await asyncio.sleep(0.01)
    assert (await refused(toolbox, "hang", {"x": 1})).outcome is ToolOutcome.REFUSED
    # With its usual time, which a busy machine does not use up.
    assert await (await open_toolbox(*functions("hang"))).call("hang", {}) is None


async def test_one_that_does_not_obey_is_given_up_all_the_same(
    folder: Path, open_toolbox: OpenToolbox
) -> None:
    toolbox = await open_toolbox(*functions("cling", timeoutS=0.05))
    async with asyncio.timeout(5):
        assert (await refused(toolbox, "cling")).outcome is ToolOutcome.TIMEOUT
    read(folder).tools["cling"].function.__globals__["let_go"].set()


async def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    found = read(folder)
    assert [problem.split(":")[0] for problem in found.problems] == ["late.py"]
    # What a file has only imported belongs to the other.
    assert sorted(found.tools) == sorted(
        ["greet", "whisper", "hang", "cling", "raise_something", "leave", "talk", "strange"]
    )
    assert ToolContext.__name__ not in found.tools
