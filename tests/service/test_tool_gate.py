"""Which tools a session gets: by its user, and by flags of whatever flag system there is."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import FeatureProvider
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from greenroom.ports.assistants import Source
from greenroom.service.policies import POLICIES, Outside
from greenroom.wire.link import ReportKind
from tests.conftest import House
from tests.service.test_tools import OPS, report, settled, talk, told

ON_OFF = {"on": True, "off": False}


def _for_ada(flag: InMemoryFlag[bool], context: EvaluationContext) -> FlagResolutionDetails[bool]:
    told = (context.targeting_key, context.attributes["tenant"], context.attributes["assistant"])
    variant = "on" if told == ("ada", "default", "mary") else "off"
    return FlagResolutionDetails(value=flag.variants[variant], variant=variant)


def flags() -> FeatureProvider:
    """An application's own flags."""
    return InMemoryProvider(
        {
            "html": InMemoryFlag("on", ON_OFF),
            "beta": InMemoryFlag("off", ON_OFF),
            "ada": InMemoryFlag("off", ON_OFF, context_evaluator=_for_ada),
            "text": InMemoryFlag("on", {"on": "true"}),
        }
    )


class Hanging(InMemoryProvider):
    """A flag system whose server never answers."""

    let_go = threading.Event()

    def __init__(self) -> None:
        super().__init__({})

    def resolve_boolean_details(self, *args: Any, **more: Any) -> FlagResolutionDetails[bool]:
        self.let_go.wait(10)
        return FlagResolutionDetails(value=True)


async def got(house: House, *tools: Any, user: str = "ada") -> list[str]:
    """The tools that a session of this user has of a record with these."""
    session = await house.session(await talk(house, *tools, user=user))
    assert "flag" not in str(session.record)
    assert "users" not in str(session.record)
    return [tool["name"] for tool in session.record["tools"]]


def flagged(name: str, flag: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "flag": flag, **more}


async def test_a_tool_of_some_users_is_there_for_them_alone(house: House) -> None:
    """FAILURES 27: an empty list is nobody, and not everybody."""
    tools = ["html", {"name": "notes", "users": ["ada", "eve"]}]
    assert await got(house, *tools) == ["html", "notes"]
    assert await got(house, *tools, user="bob") == ["html"]
    assert await got(house, {"name": "notes", "users": []}, user="eve") == []


async def test_who_did_not_get_a_tool_cannot_have_it_called(house: House) -> None:
    session_id = await talk(house, {"name": "notes", "users": ["ada"]}, user="bob")
    answer = await told(house, session_id, "c1", "create_note", title="Milk")
    assert answer["error"] == "There is no tool called “notes”."
    await settled(house)


async def test_a_script_that_a_start_brings_cannot_call_what_its_user_did_not_get(
    house: House,
) -> None:
    tools = ["panels", {"name": "notes", "users": ["ada"]}]
    record = {"name": "mary", "tools": tools, "overrides": ["script"]}
    await house.parts.versions.save(OPS, record, source=Source.COMMAND, publish=True)
    state = {"prompt": "Well?", "enter": [{"call": "create_note", "with": {"title": "Milk"}}]}
    script = {"start": "s", "states": {"s": state}}
    session = (await house.sessions.start("bob", "mary", overrides={"script": script})).session
    assert session.record["tools"] == [{"name": "panels"}]
    await report(house, session.id, ReportKind.BOT_JOINED)
    await report(house, session.id, ReportKind.USER_JOINED, participant="page-0001")
    # Neither has its bot such a function, nor does the server carry it out for one that lies.
    answer = await told(house, session.id, "c1", "create_note", title="Milk")
    assert answer["error"] == "There is no tool called “notes”."
    await settled(house)


@pytest.mark.parametrize("of_theirs", [flags()], indirect=True)
async def test_a_flag_says_for_whom_a_tool_is_there(of_theirs: House) -> None:
    tools = [
        flagged("html", "html"),
        flagged("notes", "ada"),
        flagged("browser", "beta"),
        flagged("panels", "unknown"),
        flagged("end_call", "text"),
        flagged("flashcards", "html", users=["eve"]),
    ]
    assert await got(of_theirs, *tools) == ["html", "notes"]
    assert await got(of_theirs, *tools, user="eve") == ["html", "flashcards"]


async def test_without_a_flag_system_what_has_a_flag_is_off(house: House) -> None:
    assert await got(house, "html", flagged("notes", "html")) == ["html"]


@pytest.mark.parametrize("of_theirs", [flags()], indirect=True)
async def test_a_running_session_keeps_what_it_got(of_theirs: House) -> None:
    assert await got(of_theirs, flagged("notes", "html")) == ["notes"]
    session = (await of_theirs.sessions.start("ada", "mary")).session
    assert [tool["name"] for tool in session.record["tools"]] == ["notes"]


@pytest.mark.parametrize("of_theirs", [Hanging()], indirect=True)
async def test_a_flag_system_that_hangs_keeps_no_start_waiting(
    of_theirs: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POLICIES, Outside.FLAGS, replace(POLICIES[Outside.FLAGS], timeout_s=0.05))
    assert await got(of_theirs, "html", flagged("notes", "a"), flagged("panels", "b")) == ["html"]
    Hanging.let_go.set()
