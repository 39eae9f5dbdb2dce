"""The judge of the runs elsewhere can say no: each broken promise is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenroom.session.model import Session, Stage
from greenroom.session.usage import Meter
from greenroom.testing.daily.people import Participant
from greenroom.testing.daily.rooms import Room
from greenroom.testing.deployments import Deployment, Hosted
from tests.chaos.elsewhere.verdict import AGENT_LATE_S, ROOM_LATE_S, Books, complaints, outlived
from tests.chaos.spans import outside_s
from tests.chaos.watch import Entry

BEGAN, ENDED, NOW = 1_800_000_000.0, 1_800_000_060.0, 1_800_000_300.0
PARROT = Deployment("parrot")


def a_session(billed_s: float = 60.0) -> Session:
    return Session(
        id="ses_1",
        user_id="ada",
        assistant="parrot",
        bot="parrot",
        room="voice-ada",
        stage=Stage.ENDED,
        launch_id="lau_1",
        created_at=BEGAN,
        meter=Meter(quantities={"container.seconds": round(billed_s * 1e6)}),
    )


def a_room(*people: Participant, **properties: Any) -> Room:
    known = {"exp": ENDED, **properties}
    return Room("voice-ada", "https://…", "private", known, BEGAN, people=list(people))


def somebody(joined_at: float = BEGAN, left_at: float | None = ENDED + 1) -> Participant:
    return Participant("voice-ada", "m", "user-1", "ada", False, joined_at, left_at=left_at)


def an_agent(ended_at: float | None = ENDED + 1, created_at: float = BEGAN) -> Hosted:
    body = {"greenroom": {"session": {"sessionId": "ses_1", "launchId": "lau_1"}}}
    return Hosted(PARROT, body, None, cold=False, created_at=created_at, ended_at=ended_at)


DIARY = [Entry("ses_1", "ada", stage, at) for stage, at in (("active", BEGAN), ("ended", ENDED))]
BOOKS = Books([a_room(somebody())], [an_agent()], DIARY, [a_session()], [], [], [], NOW)


def only_complaint(books: Books) -> str:
    wrong = complaints(books)
    assert len(wrong) == 1, wrong
    return wrong[0]


def test_nothing_is_said_of_what_is_right() -> None:
    assert complaints(BOOKS) == []


def test_a_room_that_is_open_when_all_is_over() -> None:
    assert "is open for 60 s" in only_complaint(replace(BOOKS, rooms=[a_room(exp=NOW + 60)]))
    assert "for ever" in only_complaint(replace(BOOKS, rooms=[a_room(exp=None)]))


def test_somebody_who_is_in_a_room_after_its_session() -> None:
    late = ENDED + ROOM_LATE_S + 2
    stayed = replace(BOOKS, rooms=[a_room(somebody(left_at=late))])
    assert "17.0 s too long" in only_complaint(stayed)
    assert complaints(replace(stayed, no_rooms=[(ENDED, ENDED + 5)])) == [], "nobody could have"
    came_late = replace(BOOKS, rooms=[a_room(somebody(joined_at=ENDED + 1, left_at=late + 1))])
    assert "too long" in only_complaint(came_late)


def test_an_agent_that_ran_on_although_it_could_have_been_stopped() -> None:
    books = replace(BOOKS, agents=[an_agent(ENDED + AGENT_LATE_S + 5)])
    assert "ran on for 25.0 s" in only_complaint(books)
    assert outlived(books).agents == 0


def test_an_agent_that_could_not_be_stopped_is_counted_and_has_to_be_on_the_bill() -> None:
    until = ENDED + AGENT_LATE_S + 80
    books = replace(BOOKS, agents=[an_agent(until)], no_stop=[(ENDED, until)])
    assert "160.0 s" in only_complaint(books)
    billed = replace(books, sessions=[a_session(billed_s=160.0)])
    assert complaints(billed) == []
    assert (outlived(billed).agents, outlived(billed).seconds) == (1, 100.0)


def test_two_agents_for_one_launch() -> None:
    books = replace(BOOKS, agents=[an_agent(), an_agent(created_at=BEGAN + 1)])
    assert "two agents for 60.0 s" in only_complaint(books)


def test_an_agent_that_was_started_for_nobody() -> None:
    late = an_agent(ENDED + 100, created_at=ENDED + 99)
    assert "started 99.0 s after" in only_complaint(replace(BOOKS, agents=[late]))


def test_what_is_outside_of_spans_that_overlap() -> None:
    assert outside_s(0, 10) == 10
    assert outside_s(0, 10, [(2, 4), (3, 5)], [(9, 12)]) == 6
    assert outside_s(0, 10, [(-1, 11), (4, 5)]) == 0
