"""A voice session and a group call on one page: the session waits, and is then as it was.

The session's media are real. The call is on Daily's stand-in; a strict double of daily-js joins it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from greenroom.testing.daily import DailyStandIn
from greenroom.testing.daily.shapes import CreateRoom, RoomProperties, TokenProperties
from greenroom.testing.daily.tokens import signed
from tests.e2e.conftest import StartServer
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.stock import a_page
from tests.e2e.test_attached_bot import BOT, tell
from tests.listening import listening

pytestmark = pytest.mark.e2e

JOINED_WITHIN_S = 20.0  # the first bot of a module waits for its imports
TOLD_WITHIN_S = 5.0
ROOM = "team"


@dataclass(frozen=True, slots=True)
class GroupCalls:
    """Daily's stand-in with one room in it, where pages find it."""

    daily: DailyStandIn
    address: str

    @property
    def people(self) -> list[str]:
        """Who is in the room now."""
        return [one.user_name for one in self.daily.book.get(ROOM).present()]

    def token(self) -> str:
        """What lets Ada in."""
        wish = TokenProperties(room_name=ROOM, user_id="ada", user_name="Ada")
        daily = self.daily
        return signed(wish, key=daily.api_key, domain_id=daily.domain_id, now=daily.now())

    def put_out(self) -> None:
        """Somebody ends the call for Ada."""
        self.daily.eject(ROOM, [], ["ada"], ban=False)


@pytest.fixture
async def calls() -> AsyncIterator[GroupCalls]:
    daily = DailyStandIn()
    daily.book.create(CreateRoom(name=ROOM, privacy="private", properties=RoomProperties()))
    async with listening(daily.app) as port:
        yield GroupCalls(daily, f"http://127.0.0.1:{port}")
    await daily.close()


@pytest.fixture
def origin() -> Iterator[str]:
    with a_page("together") as origin:
        yield origin


@pytest.fixture
async def server(start_server: StartServer, origin: str) -> AsyncIterator[Server]:
    async with start_server(str(BOT), GREENROOM_ORIGINS=origin) as server:
        yield server


@pytest.fixture
def page_url(origin: str, server: Server, calls: GroupCalls) -> str:
    return f"{origin}/?base={server.url}&daily={calls.address}"


async def join(person: Person, calls: GroupCalls, how: str) -> None:
    """Ada joins the group call, and the page says so by window events or by methods."""
    room = {"url": f"https://{calls.daily.domain}.daily.co/{ROOM}", "token": calls.token()}
    await person.page.evaluate(
        "([{url, token}, how]) => window.groupCall.join(url, token, how)", [room, how]
    )
    assert calls.people == ["Ada"]
    await person.see("call", status="paused", active="dailyCall")
    assert "group_call" in (await person.read("call", "data-causes") or "")


async def leave(person: Person) -> None:
    await person.page.evaluate("() => window.groupCall.leave()")


async def switch(person: Person, call: str, *arguments: Any) -> None:
    """``mute``, ``pause`` or ``resume`` the voice session, as a button of the page would."""
    await person.page.evaluate(
        "([call, given]) => window.voice[call](...given)", [call, list(arguments)]
    )


async def test_a_group_call_pauses_the_session_and_leaves_it_as_it_was(
    person: Person, calls: GroupCalls, server: Server
) -> None:
    """FAILURES 12."""
    heard = person.part("said").locator("li[data-role=user]")
    await person.page.get_by_role("button", name="Talk").click()
    await person.see("call", status="active", timeout_s=JOINED_WITHIN_S)
    await person.ears.utterance(JOINED_WITHIN_S)

    # Neither is heard during the call: not the visitor by the bot, and not the bot by the visitor.
    await join(person, calls, "events")
    said = await person.say("green")
    await asyncio.wait_for(person.ears.until(said.ended_ms), TOLD_WITHIN_S)
    assert person.ears.first_sound_after(said.began_ms) is None
    await leave(person)
    await person.see("call", status="active", muted="false", causes="", active="voice")
    assert calls.people == []
    await tell(person, "purple")
    await person.part("said").get_by_text("You said purple.").wait_for()
    assert await heard.all_inner_texts() == ["purple"], "nobody heard what was said meanwhile"

    # Muted before, muted after.
    await switch(person, "mute", True)
    await join(person, calls, "methods")
    await leave(person)
    await person.see("call", status="active", muted="true", causes="", active="voice")

    # Muted and paused before, muted and paused after; whoever ends the call.
    await switch(person, "pause")
    await person.see("call", status="paused", causes="user")
    await join(person, calls, "events")
    assert await person.read("call", "data-causes") == "group_call,user"
    calls.put_out()
    await person.see("call", status="paused", muted="true", causes="user", active="voice")

    # Paused before, paused after, and the microphone is on when it goes on.
    await switch(person, "mute", False)
    await join(person, calls, "methods")
    await leave(person)
    await person.see("call", status="paused", muted="false", causes="user", active="voice")
    await switch(person, "resume")
    await person.see("call", status="active", causes="")
    await tell(person, "orange")
    assert await heard.all_inner_texts() == ["purple", "orange"]

    await person.page.get_by_role("button", name="End").click()
    await person.see("call", status="inactive")
    await eventually(lambda: not server.bots(), TOLD_WITHIN_S, "the bot still lives")
    assert "Traceback" not in server.log
    assert not [line for line in person.console if line.startswith("pageerror")]
