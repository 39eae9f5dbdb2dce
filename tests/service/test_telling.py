"""Who may tell a running assistant what: operators and servers anything, pages what is allowed."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from greenroom.errors import (
    BadOverride,
    Forbidden,
    NotActive,
    OverrideNotAllowed,
    SessionEnded,
    VoiceFixed,
)
from greenroom.ports.assistants import Source
from greenroom.service.specs import spec_of
from greenroom.session.model import Session
from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import ReportKind
from tests.conftest import House
from tests.service.test_assistants import save, start
from tests.service.test_tools import OPS, report

VOICE = {"name": "en-us", "parameters": {"pitch": 40, "wordsPerMinute": 150}}


async def a_session(house: House, **record: Any) -> Session:
    """A session with an assistant whose record says this."""
    await save(house, persona="A teacher.", voice=VOICE, **record)
    return await start(house)


async def test_what_is_adjusted_holds_for_the_session_and_its_next_bot(house: House) -> None:
    session = await a_session(house)
    changes = {"personality": "Calm.", "voice": {"parameters": {"pitch": 60}}, "persona": None}
    adjusted = await house.parts.telling.adjust(session, changes)
    record = (await house.session(session.id)).record
    assert record == adjusted.record
    assert record["personality"] == "Calm."
    assert record["voice"]["parameters"] == {"pitch": 60, "wordsPerMinute": 150}
    assert "persona" not in record
    BotRecord.model_validate(spec_of(adjusted, house.parts.rooms.describe("x")).record)
    other = (await start(house, "bob")).record
    assert (other["persona"], other["voice"]) == ("A teacher.", VOICE), "only this session"


async def test_a_model_that_speaks_by_itself_keeps_the_voice_that_was_heard(house: House) -> None:
    record = {"name": "mary", "speechToSpeech": {"service": "openai"}, "voice": {"name": "cedar"}}
    await house.parts.versions.save(OPS, record, source=Source.COMMAND, publish=True)
    session = (await house.sessions.start("ada", "mary")).session
    adjust = house.parts.telling.adjust
    session = await adjust(session, {"voice": {"name": "marin"}})
    assert session.record["voice"] == {"name": "marin"}, "it has not begun"
    await report(house, session.id, ReportKind.BOT_JOINED)
    await report(house, session.id, ReportKind.USER_JOINED, participant="page-0001")
    session = await house.session(session.id)
    for refused in ({"name": "cedar"}, {"parameters": {"speed": 1.2}}, None):
        with pytest.raises(VoiceFixed) as error:
            await adjust(session, {"voice": refused, "persona": "Tom."})
        assert error.value.detail == {"field": "voice"}
    # What is as it was is no change, and who it is may change at any time.
    session = await adjust(session, {"voice": {"name": "marin"}, "persona": "Tom."})
    assert (session.record["voice"], session.record["persona"]) == ({"name": "marin"}, "Tom.")
    await house.sessions.stop(session.id, "ada")
    with pytest.raises(SessionEnded):
        await adjust(await house.session(session.id), {"voice": {"name": "cedar"}})


async def test_without_a_record_there_is_one_from_then_on(house: House) -> None:
    session = await start(house, name="cards")
    adjusted = await house.parts.telling.adjust(session, {"personality": "Calm."})
    assert adjusted.record == {"name": "cards", "personality": "Calm."}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"voice": {"parameters": {"pitch": 100}}}, "voice.parameters.pitch"),
        ({"voice": {"pitch": 10}}, "voice.pitch"),
        ({"persona": "x" * 32_001}, "persona"),
        ({"personality": "sk-" + "a" * 40}, "personality"),
        ({"voice": {"parameters": {"apiKey": "x"}}}, "voice.parameters.apiKey"),
    ],
)
async def test_what_no_record_could_say_is_named_and_changes_nothing(
    house: House, changes: dict[str, Any], field: str
) -> None:
    session = await a_session(house)
    with pytest.raises(BadOverride) as caught:
        await house.parts.telling.adjust(session, changes)
    assert caught.value.detail["field"] == field
    assert (await house.session(session.id)).record == session.record


async def test_a_record_stays_as_small_as_a_record_is(house: House) -> None:
    session = await a_session(house)
    session = await house.parts.telling.adjust(session, {"persona": "x" * 30_000})
    with pytest.raises(BadOverride):
        await house.parts.telling.adjust(session, {"personality": "y" * 30_000})


async def test_of_many_who_adjust_at_once_nobody_is_lost(house: House) -> None:
    session = await a_session(house)
    names = [f"p{number}" for number in range(5)]
    await asyncio.gather(
        *(
            house.parts.telling.adjust(session, {"voice": {"parameters": {name: 1}}})
            for name in names
        )
    )
    found = (await house.session(session.id)).record["voice"]["parameters"]
    assert {name for name in names if found.get(name) == 1} == set(names)


async def test_a_page_changes_what_a_start_may_override(house: House) -> None:
    session = await a_session(house, overrides=["personality", "voice.parameters"])
    changes = {"personality": "Calm.", "voice": {"parameters": {"pitch": 60}}}
    adjusted = await house.parts.telling.adjust(session, changes, by_page=True)
    assert adjusted.record["personality"] == "Calm."
    for refused, field in (({"persona": "x"}, "persona"), ({"voice": {"name": "x"}}, "voice.name")):
        with pytest.raises(OverrideNotAllowed) as caught:
            await house.parts.telling.adjust(session, refused, by_page=True)
        assert caught.value.detail["field"] == field


async def test_what_holds_for_a_page_is_what_its_own_version_says(house: House) -> None:
    session = await a_session(house, overrides=["personality"])
    await save(house, overrides=["persona"])
    await house.parts.telling.adjust(session, {"personality": "Calm."}, by_page=True)
    with pytest.raises(OverrideNotAllowed):
        await house.parts.telling.adjust(session, {"persona": "x"}, by_page=True)


@pytest.mark.parametrize(
    ("record", "may"),
    [
        ({}, {"context"}),
        ({"pageMay": []}, set()),
        ({"pageMay": ["say"]}, {"say"}),
        ({"pageMay": ["say", "context"]}, {"say", "context"}),
    ],
)
async def test_a_page_says_nothing_by_the_assistants_mouth_unless_the_record_lets_it(
    house: House, record: dict[str, Any], may: set[str]
) -> None:
    session = await a_session(house, **record)
    telling = house.parts.telling
    # Whoever may have something said is told that nobody is there yet.
    said = NotActive if "say" in may else Forbidden
    with pytest.raises(said):
        await telling.say(session, "x", interrupt=False, by_page=True)
    with nullcontext() if "context" in may else pytest.raises(Forbidden):
        await telling.context(session, "x", by_page=True)


async def test_without_a_record_a_page_only_lets_it_know(house: House) -> None:
    session = await start(house, name="cards")
    await house.parts.telling.context(session, "x", by_page=True)
    with pytest.raises(Forbidden):
        await house.parts.telling.say(session, "x", interrupt=False, by_page=True)
    with pytest.raises(OverrideNotAllowed):
        await house.parts.telling.adjust(session, {"persona": "x"}, by_page=True)
