"""A budget that is spent in the middle of a call: said aloud, shown, and over in time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.bot.farewell import LAST_WORDS
from greenroom.session.model import Limits
from tests.e2e.conftest import StartServer
from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.speech import Listener, beginnings, words_of
from tests.e2e.talk import Talk

# Its parts are in make test: the end by a budget in tests/service, last words in tests/bot.
pytestmark = [pytest.mark.e2e, pytest.mark.long]

BUDGET_USD = 0.10
# A cent a second: ten seconds of talk, the way to the first word among them.
PRICES = """
as_of = 2026-11-21
[container]
usd_per_hour = 36
"""
METERING_S = 1
SPENT_WITHIN_S = 40.0


@pytest.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose calls may cost ten cents."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    settings = {
        "GREENROOM_PRICES": str(prices),
        "GREENROOM_METERING_S": str(METERING_S),
        "GREENROOM_BUDGET_SESSION_USD": str(BUDGET_USD),
    }
    async with start_server(**settings) as server:
        yield server


async def test_a_spent_budget_is_told_aloud_and_ends_the_call(
    server: Server, person: Person, measured: Measured
) -> None:
    await person.click("talk")
    await Talk(person).hear_question()
    session_id = await person.session_id(server.url)

    last = LAST_WORDS["budget"]
    listener = Listener.of(beginnings(last))
    heard, give_up_s = "", time.monotonic() + SPENT_WITHIN_S
    while heard != words_of(last) and time.monotonic() < give_up_s:
        utterance = await person.ears.utterance(SPENT_WITHIN_S, 700)
        heard = listener.understand(utterance.pcm)
    assert heard == words_of(last)
    await person.see("notice", code="budget")
    await person.see("status", status="inactive")
    await eventually(lambda: not server.bots(), 5, "the bot still lives")

    ended = await person.page.request.get(f"{server.url}/api/voice/session/{session_id}")
    session = await ended.json()
    assert (session["stage"], session["reason"]) == ("ended", "budget")
    measured("spent of a budget of ten cents", 100 * session["cost"]["usd"], "cents")
    bound_usd = (METERING_S + Limits().ending_s) * 0.01
    # The timekeeper looks once a second, and a busy machine looks late.
    assert BUDGET_USD <= session["cost"]["usd"] <= BUDGET_USD + bound_usd + 0.02
    assert "Traceback" not in server.log
