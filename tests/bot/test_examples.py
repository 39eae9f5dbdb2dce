"""The examples in real calls: what Greenroom learns of each level of bots, and what each obeys."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from greenroom.wire.link import BotLevel, CommandKind, ReportKind
from greenroom.wire.process import ExitCode, Progress
from tests.bot.child import BotProcess
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.page import Page
from tests.bot.speech import spoken, which

EXAMPLES = Path(__file__).parents[2] / "examples"
OBSERVED, ATTACHED, LAUNCHED = (
    str(EXAMPLES / level / "bot.py") for level in ("observed", "attached", "launched")
)
GREETING = "Tell me a colour."


class Call:
    """A call with one of the examples that was heard."""

    def __init__(
        self, process: BotProcess, greenroom: FakeGreenroom, page: Page, open_page: OpenPage
    ) -> None:
        self.process = process
        self.greenroom = greenroom
        self.page = page
        self.open_page = open_page

    async def says(self, text: str, after: int = 0) -> int:
        """Wait until the bot says this; returns the number of that report."""
        said = {"role": "assistant", "text": text}
        report = await self.greenroom.report(
            ReportKind.TRANSCRIPT, lambda data: said.items() <= data.items(), after=after
        )
        return report.seq

    async def quiet(self, after: int) -> int:
        """Wait until the bot has stopped; returns the number of that report."""
        stopped = await self.greenroom.report(
            ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=after
        )
        return stopped.seq

    async def tell(self, text: str) -> None:
        """Speak, and wait until it is said."""
        self.page.say(spoken(text))
        await self.page.microphone.said.wait()

    def quantities(self, unit: str) -> list[float]:
        """What was metered, in order."""
        return [
            report.data["quantity"]
            for report in self.greenroom.reports
            if report.kind is ReportKind.USAGE and report.data["unit"] == unit
        ]

    def said(self, role: str) -> list[str]:
        """All that one side said, in order."""
        return [
            report.data["text"]
            for report in self.greenroom.reports
            if report.kind is ReportKind.TRANSCRIPT and report.data["role"] == role
        ]


@pytest.fixture
async def call(
    request: pytest.FixtureRequest,
    start: StartBot,
    greenroom: FakeGreenroom,
    open_page: OpenPage,
) -> Call:
    process = start(request.param)
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    return Call(process, greenroom, page, open_page)


def a_call_with(bot: str) -> pytest.MarkDecorator:
    """Have the fixture call this example."""
    return pytest.mark.parametrize("call", [bot], indirect=True, ids=[Path(bot).parent.name])


@a_call_with(OBSERVED)
async def test_an_unmodified_bot_is_observed(call: Call) -> None:
    greenroom = call.greenroom
    assert greenroom.hellos[0].level is BotLevel.OBSERVED
    joined = await greenroom.report(ReportKind.BOT_JOINED)
    assert joined.data == {"level": "observed"}
    greeted = await call.quiet(await call.says(GREETING))
    await call.tell("yellow")
    await call.quiet(await call.says("You said yellow.", after=greeted))
    assert call.said("user") == ["yellow"]
    assert call.said("assistant") == [GREETING, "You said yellow."]
    # Each report once, and metered though the bot never asked for that.
    kinds = greenroom.kinds()
    assert kinds.count("bot.joined") == kinds.count("user.joined") == 1
    assert kinds.count("bot.speech") == 4
    assert kinds.count("user.speech") == 2
    assert call.quantities("characters") == [len(GREETING), len("You said yellow.")]
    assert len(call.quantities("audio_seconds")) == 1
    assert "error" not in kinds
    await greenroom.command(CommandKind.END)
    assert await call.process.exit_code() == ExitCode.OK
    assert call.process.last_words == ""


@a_call_with(ATTACHED)
async def test_an_attached_bot_does_not_hear_while_muted(call: Call) -> None:
    greenroom = call.greenroom
    assert greenroom.hellos[0].level is BotLevel.ATTACHED
    assert (await greenroom.report(ReportKind.BOT_JOINED)).data == {"level": "attached"}
    greeted = await call.quiet(await call.says(GREETING))
    await greenroom.command(CommandKind.MUTE, {"muted": True})
    await call.tell("green")
    await asyncio.sleep(1.0)  # what did not come is what is tested
    assert greenroom.last_seq == greeted
    await greenroom.command(CommandKind.MUTE, {"muted": False})
    await call.tell("purple")
    await call.says("You said purple.")
    assert call.said("user") == ["purple"]


@a_call_with(ATTACHED)
async def test_an_attached_bot_is_silent_while_paused(call: Call) -> None:
    greenroom = call.greenroom
    await call.says(GREETING)
    await greenroom.command(CommandKind.PAUSE, {"paused": True})
    paused_s = await call.page.hears_silence(for_s=0.5)
    greeted = greenroom.last_seq
    await greenroom.command(CommandKind.SAY, {"text": "Is anybody there?"})
    await greenroom.command(CommandKind.MESSAGE, {"text": "orange"})
    await call.tell("green")
    with pytest.raises(TimeoutError):
        await call.page.hears_sound(after_s=paused_s, within_s=1.0)
    await greenroom.command(CommandKind.PAUSE, {"paused": False})
    await greenroom.command(CommandKind.SAY, {"text": "Go on."})
    await call.page.hears_sound(after_s=time.monotonic())
    await call.says("Go on.", after=greeted)
    assert "Is anybody there?" not in call.said("assistant")
    assert call.said("user") == []


@a_call_with(ATTACHED)
async def test_typed_text_is_the_user_s_turn(call: Call) -> None:
    await call.says(GREETING)
    await call.greenroom.command(CommandKind.MESSAGE, {"text": "orange"})
    await call.says("You said orange.")
    assert call.said("user") == []  # whoever passed it on has it already


@a_call_with(ATTACHED)
async def test_an_attached_bot_s_goodbye_is_heard_before_it_goes(call: Call) -> None:
    """FAILURES 17."""
    greeted = await call.quiet(await call.says(GREETING))
    said_s = time.monotonic()
    await call.tell("goodbye")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, after=greeted)
    assert farewell.data == {"heard": True}
    assert call.said("assistant")[-1] == "See you!"
    stopped = await call.quiet(greeted)
    assert stopped < farewell.seq
    words = call.page.pcm(from_s=await call.page.hears_sound(after_s=said_s) - 0.1)
    assert which(words, ["see you", "tell me a colour", "you said purple"]) == "see you"
    # Nobody ends the bot: it goes by itself.
    assert await call.process.exit_code(within_s=5.0) == ExitCode.OK
    assert call.process.last_words == ""


@a_call_with(ATTACHED)
async def test_an_attached_bot_greets_whoever_is_back(call: Call) -> None:
    """FAILURES 7."""
    await call.says(GREETING)
    await call.page.close()
    again = call.open_page()
    await again.connect()
    await again.hears_sound()
    await call.says("Welcome back.")
    assert call.said("assistant").count(GREETING) == 1


@a_call_with(LAUNCHED)
async def test_a_bot_without_a_pipeline_joins_when_it_uses_its_connection(call: Call) -> None:
    await call.process.reached(Progress.JOINED)
    joined = await call.greenroom.report(ReportKind.BOT_JOINED)
    assert joined.data == {"level": "launched"}
    await call.page.close()
    again = call.open_page()
    await again.connect()
    await again.hears_sound()
    await call.greenroom.command(CommandKind.END)
    assert await call.process.exit_code() == ExitCode.OK
    # How the audio came is told of every page, whatever the bot.
    told = set(call.greenroom.kinds()) - {"quality"}
    assert told == {"bot.joined", "user.joined", "user.left"}
