"""Sessions go by the record: its version, its limits, and what a start changes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from greenroom import assembly
from greenroom.errors import (
    AssistantDisabled,
    BadOverride,
    BadRecord,
    BadSetting,
    Conflict,
    NotFound,
    OverrideNotAllowed,
    RecordConflict,
)
from greenroom.folder import take_folder
from greenroom.ports.assistants import Source, Version
from greenroom.ports.audit import Actor, ActorKind
from greenroom.service.specs import spec_of
from greenroom.session.model import Limits, Session
from greenroom.wire.assistants import BotRecord
from tests.conftest import House

OPS = Actor(ActorKind.OPERATOR, "ops")


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    """The first assistant may be asked for an hour; records may name one bot more."""
    first = replace(plan.assistants[0], ceilings=Limits(max_duration_s=3_600))
    return replace(plan, assistants=[first, *plan.assistants[1:]], bots=["bots/mary.py"])


async def save(house: House, name: str = "mary", *, publish: bool = True, **fields: Any) -> Version:
    """One more version of a record."""
    return await house.parts.versions.save(
        OPS, {"name": name, **fields}, source=Source.COMMAND, publish=publish
    )


async def start(house: House, user: str = "ada", name: str = "mary", **more: Any) -> Session:
    return (await house.sessions.start(user, name, **more)).session


async def test_without_any_record_everything_is_as_the_server_was_started(house: House) -> None:
    session = await start(house, name="cards")
    assert (session.assistant, session.assistant_version, session.record) == ("cards", None, {})
    # Whoever did not ask to wait for a place, waits for none.
    unasked = replace(Limits(), queue_s=0.0)
    assert (session.bot, session.limits) == ("greenroom.bot.cards", unasked)
    assert session.tariff.budget_micro_usd is None
    spec = spec_of(session, house.parts.rooms.describe(session.room))
    assert (spec.record, spec.assistant_version) == ({}, None)


async def test_a_session_goes_by_the_published_record_and_the_bot_is_told_of_it(
    house: House,
) -> None:
    await save(
        house,
        bot="bots/mary.py",
        firstMessage="Hello!",
        voiceSessionConfig={"persistence": 7, "maxDuration": 1_200},
        limits={"idleS": 33},
        budget={"sessionUsd": 0.25},
        rollout={"testers": ["eve"]},
    )
    session = await house.session((await start(house)).id)  # as it is on record
    assert (session.bot, session.assistant_version) == ("bots/mary.py", 1)
    limits = session.limits
    assert (limits.persistence_s, limits.max_duration_s, limits.idle_s) == (7, 1_200, 33)
    assert limits.pause_s == Limits().pause_s
    assert session.tariff.budget_micro_usd == 250_000
    spec = spec_of(session, house.parts.rooms.describe(session.room))
    assert spec.assistant_version == 1
    assert BotRecord.model_validate(spec.record).first_message == "Hello!"
    assert "eve" not in str(spec.record)
    assert "budget" not in spec.record


async def test_a_running_session_keeps_its_version(house: House) -> None:
    await save(house, firstMessage="One")
    first = await start(house)
    await save(house, firstMessage="Two")
    again = await house.sessions.start("ada", "mary")
    assert again.reused
    assert (again.session.assistant_version, again.session.record["firstMessage"]) == (1, "One")
    other = await start(house, "bob")
    assert (other.assistant_version, other.record["firstMessage"]) == (2, "Two")
    assert (await house.session(first.id)).record["firstMessage"] == "One"


async def test_what_is_saved_does_not_count_until_it_is_published(house: House) -> None:
    await save(house, publish=False)
    with pytest.raises(NotFound):
        await start(house)
    await house.parts.versions.publish(OPS, "mary")
    assert (await start(house)).assistant_version == 1


async def test_a_roll_back_goes_to_what_was_published_before(house: House) -> None:
    records = house.parts.versions
    await save(house, persona="1")
    await save(house, persona="2", publish=False)
    await save(house, persona="3")
    assert (await records.roll_back(OPS, "mary")).number == 1
    with pytest.raises(Conflict):
        await records.roll_back(OPS, "mary")
    assert (await start(house)).assistant_version == 1
    assert (await records.roll_back(OPS, "mary", 2)).number == 2
    with pytest.raises(NotFound):
        await records.publish(OPS, "mary", 4)


async def test_a_record_of_an_assistant_that_the_server_has_takes_its_place(house: House) -> None:
    await save(house, "cards", firstMessage="Hi")
    session = await start(house, name=None)  # type: ignore[arg-type]
    assert (session.assistant, session.assistant_version) == ("cards", 1)
    await house.parts.versions.delete(OPS, "cards")
    assert (await start(house, "bob", "cards")).assistant_version is None


async def test_what_is_disabled_is_refused_and_what_runs_goes_on(house: House) -> None:
    await save(house)
    running = await start(house)
    await save(house, voiceSessionConfig={"enabled": False})
    with pytest.raises(AssistantDisabled):
        await start(house, "bob")
    assert house.refused("assistant_disabled") == 1
    assert (await house.sessions.start("ada", "mary")).session.id == running.id


async def test_a_kill_holds_from_the_next_start_on_whatever_is_published(house: House) -> None:
    await save(house)
    await house.parts.versions.kill(OPS, "mary", "it swears")
    with pytest.raises(AssistantDisabled, match="it swears"):
        await start(house)
    await save(house)
    with pytest.raises(AssistantDisabled):
        await start(house)
    assert await house.parts.versions.revive(OPS, "mary")
    assert (await start(house)).assistant_version == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"voiceSessionConfig": {"maxDuration": 3_601}}, "voiceSessionConfig.maxDuration"),
        ({"limits": {"idleS": 10_000}}, "limits.idleS"),
        ({"bot": "os"}, "bot"),
        ({"bot": "bots/mary.py "}, "bot"),
    ],
)
async def test_nothing_beyond_the_server_is_published(
    house: House, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRecord) as caught:
        await save(house, **fields)
    assert caught.value.detail["field"] == field
    await save(house, publish=False, **fields)
    with pytest.raises(BadRecord):
        await house.parts.versions.publish(OPS, "mary")


async def test_after_the_settings_have_changed_the_ceilings_hold_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(house, voiceSessionConfig={"maxDuration": 3_000})
    await save(house, "eve", bot="bots/mary.py")
    given = house.parts.catalogue.bounds.given
    given["cards"] = replace(given["cards"], ceilings=None)
    house.parts.catalogue.bounds.bots.remove("bots/mary.py")
    assert (await start(house)).limits.max_duration_s == Limits().max_duration_s
    with pytest.raises(AssistantDisabled):
        await start(house, name="eve")


async def test_a_start_overrides_only_what_the_record_allows(house: House) -> None:
    await save(
        house,
        firstMessage="Hello!",
        voice={"name": "en-us", "parameters": {"pitch": 40, "wordsPerMinute": 150}},
        overrides=["firstMessage", "voice.parameters", "voiceSessionConfig.persistence"],
    )
    session = await start(
        house,
        overrides={
            "firstMessage": "Hi Ada!",
            "voice": {"parameters": {"pitch": 60}},
            "voiceSessionConfig": {"persistence": 5},
        },
    )
    assert session.record["firstMessage"] == "Hi Ada!"
    assert session.record["voice"]["parameters"] == {"pitch": 60, "wordsPerMinute": 150}
    assert session.limits.persistence_s == 5
    assert session.assistant_version == 1


@pytest.mark.parametrize(
    ("overrides", "error", "field"),
    [
        ({"endMessage": "x"}, OverrideNotAllowed, "overrides.endMessage"),
        ({"voice": {"name": "x"}}, OverrideNotAllowed, "overrides.voice.name"),
        ({"voice": None}, OverrideNotAllowed, "overrides.voice"),
        ({"bot": "os"}, OverrideNotAllowed, "overrides.bot"),
        ({"firstMessages": "x"}, OverrideNotAllowed, "overrides.firstMessages"),
        ({"rollout": {"percentage": 100}}, OverrideNotAllowed, "overrides.rollout.percentage"),
        ({"firstMessage": 4}, BadOverride, "overrides.firstMessage"),
        ({"metadata": {"apiKey": "x"}}, BadOverride, "overrides.metadata.apiKey"),
        (
            {"voiceSessionConfig": {"maxDuration": 4_000}},
            BadOverride,
            "overrides.voiceSessionConfig.maxDuration",
        ),
    ],
)
async def test_what_a_start_may_not_override_is_named(
    house: House, overrides: dict[str, Any], error: type[Exception], field: str
) -> None:
    allowed = ["firstMessage", "metadata", "voice.parameters", "voiceSessionConfig.maxDuration"]
    await save(house, overrides=allowed)
    with pytest.raises(error) as caught:
        await start(house, overrides=overrides)
    assert caught.value.detail["field"] == field  # type: ignore[attr-defined]


async def test_without_a_record_nothing_is_overridden(house: House) -> None:
    with pytest.raises(OverrideNotAllowed):
        await start(house, name="cards", overrides={"firstMessage": "x"})


async def test_a_start_asks_for_no_more_than_the_record_says(house: House) -> None:
    await save(house, voiceSessionConfig={"maxDuration": 60})
    with pytest.raises(Exception, match=r"limits\.maxDurationS"):
        await start(house, wishes={"max_duration_s": 61})
    assert (await start(house, wishes={"max_duration_s": 30})).limits.max_duration_s == 30


async def test_of_two_who_edit_one_is_told(house: House) -> None:
    await save(house)
    records = house.parts.versions
    data = {"name": "mary", "persona": "x"}
    await records.save(OPS, data, based_on=1, source=Source.API)
    with pytest.raises(RecordConflict) as caught:
        await records.save(OPS, data, based_on=1, source=Source.API)
    assert caught.value.detail["latest"] == 2


async def test_who_rolls_back_undoes_nothing_that_was_published_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, kept = house.parts.versions, house.parts.store.assistants
    for persona in "12":
        await records.save(
            OPS, {"name": "mary", "persona": persona}, source=Source.API, publish=True
        )
    look = kept.versions

    async def look_slowly(name: str) -> list[Version]:
        found = await look(name)
        await records.save(OPS, {"name": name, "persona": "3"}, source=Source.API, publish=True)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(kept, "versions", look_slowly)
        with pytest.raises(Conflict, match="meanwhile"):
            await records.roll_back(OPS, "mary")
    assert (await records.standing("mary")).published == 3
    assert (await records.roll_back(OPS, "mary")).number == 2


async def test_a_file_becomes_a_version_only_when_it_changes(house: House) -> None:
    from greenroom.assistants.records import parse

    records = house.parts.versions
    one, two = parse({"name": "mary", "persona": "1"}), parse({"name": "mary", "persona": "2"})
    assert [v.number for v in await records.take(OPS, [one])] == [1]
    assert await records.take(OPS, [one]) == []
    assert [v.number for v in await records.take(OPS, [two])] == [2]
    # What an operator did since stands, as long as the file stays as it is.
    await records.roll_back(OPS, "mary")
    assert await records.take(OPS, [two]) == []
    assert (await start(house)).assistant_version == 1
    await records.delete(OPS, "mary")
    assert [v.number for v in await records.take(OPS, [two])] == [3]


async def test_of_servers_that_begin_at_once_one_takes_the_folder(
    house: House, tmp_path: Path
) -> None:
    for words in ("once", "twice"):
        (tmp_path / "mary.yaml").write_text(f"name: mary\npersona: {words}\n")
        await asyncio.gather(*(take_folder(tmp_path, house.whole) for _ in range(4)))
    versions = await house.parts.versions.versions("mary")
    assert [version.record["persona"] for version in versions] == ["twice", "once"]


async def test_a_server_reads_its_folder_and_names_what_is_wrong_with_it(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "mary.yaml").write_text("firstMessage: Hello!\nbot: bots/mary.py\n")
    await take_folder(tmp_path, house.whole)
    await take_folder(tmp_path, house.whole)
    session = await start(house)
    assert (session.assistant_version, session.bot) == (1, "bots/mary.py")
    for text, words in (("bot: os", "bot: is none"), ("name: [", "mary.yaml: Line 1")):
        (tmp_path / "mary.yaml").write_text(text)
        with pytest.raises(BadSetting, match=f"GREENROOM_ASSISTANTS_DIR: .*{words}"):
            await take_folder(tmp_path, house.whole)
    with pytest.raises(BadSetting, match="cannot be read"):
        await take_folder(tmp_path / "nowhere", house.whole)
    await take_folder(None, house.whole)
    assert await house.parts.versions.take(OPS, []) == []
