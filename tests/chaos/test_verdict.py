"""The judge of the chaos runs can say no: each broken promise is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from greenroom.session.cost import cost_of
from greenroom.session.model import EndReason, Limits, Session, Stage
from greenroom.session.prices import Rate
from greenroom.session.usage import Meter
from tests.chaos.verdict import Found, Promises, complaints
from tests.chaos.watch import Entry, Outages, ServerTime

PROMISES = Promises(2, session_usd=0.1, report_usd=0.01, usd_per_s=0.1, metering_s=1.0)
BEGAN = 1_800_000_000.0


def a_session(name: str = "ses_1", user_id: str = "ada") -> Session:
    return Session(
        id=name,
        user_id=user_id,
        assistant="cards",
        bot="bot",
        room="room",
        stage=Stage.ENDED,
        launch_id=f"lau_{name}",
        created_at=BEGAN,
        limits=Limits(idle_s=5, max_duration_s=20),
        active_at=BEGAN + 1,
        last_activity_at=BEGAN + 1,
        ending_at=BEGAN + 6,
        ended_at=BEGAN + 7,
        reason=EndReason.IDLE,
        last_seq=3,
    )


def a_diary(session: Session, ending_at: float = BEGAN + 6) -> list[Entry]:
    stages = {"connecting": BEGAN, "active": BEGAN + 1, "ending": ending_at, "ended": ending_at + 1}
    return [Entry(session.id, session.user_id, stage, at) for stage, at in stages.items()]


def found(
    *sessions: Session,
    diary: Sequence[Entry] | None = None,
    numbers: Sequence[int] = (1, 2, 3),
    outages: Outages | None = None,
    server_time: ServerTime | None = None,
    spent: int | None = None,
) -> Found:
    whole = [entry for session in sessions for entry in a_diary(session)]
    return Found(
        sessions,
        whole if diary is None else diary,
        {session.id: numbers for session in sessions},
        sum(cost_of(session).micro_usd for session in sessions) if spent is None else spent,
        outages or Outages(),
        server_time or ServerTime(),
    )


def only_complaint(wrong: list[str]) -> str:
    assert len(wrong) == 1, wrong
    return wrong[0]


def test_nothing_is_said_of_what_is_right() -> None:
    assert complaints(found(a_session(), a_session("ses_2", "bob")), PROMISES) == []


def test_a_session_that_never_ended() -> None:
    alive = replace(a_session(), stage=Stage.ACTIVE)
    assert "never ended" in only_complaint(complaints(found(alive), PROMISES))


def test_a_gap_between_events() -> None:
    assert "do not run" in only_complaint(complaints(found(a_session(), numbers=[1, 3]), PROMISES))


def test_one_too_many_at_once() -> None:
    diary = [Entry(f"ses_{n}", f"user-{n}", "connecting", BEGAN) for n in range(3)]
    assert "lived at once" in only_complaint(complaints(found(diary=diary), PROMISES))


def test_two_sessions_of_one_user() -> None:
    diary = [Entry(f"ses_{n}", "ada", "connecting", BEGAN) for n in range(2)]
    assert "two sessions" in only_complaint(complaints(found(diary=diary), PROMISES))


def test_a_session_that_rose_from_the_dead() -> None:
    session = a_session()
    diary = [*a_diary(session), Entry(session.id, "ada", "active", BEGAN + 9)]
    assert "went from ended" in only_complaint(complaints(found(session, diary=diary), PROMISES))


def test_a_deadline_that_was_carried_out_too_late() -> None:
    session = a_session()
    late = found(session, diary=a_diary(session, BEGAN + 8.5))
    assert "idle came due" in only_complaint(complaints(late, PROMISES))


def test_an_outage_excuses_lateness_for_as_long_as_it_lasted() -> None:
    session, outages = a_session(), Outages()
    outages.all.append((BEGAN + 5, BEGAN + 8))
    diary = a_diary(session, BEGAN + 9.5)
    assert complaints(found(session, diary=diary, outages=outages), PROMISES) == []
    diary = a_diary(session, BEGAN + 10.5)
    assert complaints(found(session, diary=diary, outages=outages), PROMISES) != []


def test_a_clock_that_jumped_makes_a_deadline_due_at_once() -> None:
    session, time = a_session(), ServerTime()
    time.moves.append((BEGAN + 2, 3600.0))
    diary = a_diary(session, BEGAN + 3.5)
    assert complaints(found(session, diary=diary, server_time=time), PROMISES) == []
    diary = a_diary(session, BEGAN + 4.5)
    assert complaints(found(session, diary=diary, server_time=time), PROMISES) != []


def test_a_deadline_that_began_after_the_clock_was_set_back_is_not_due_by_the_time_before() -> None:
    time = ServerTime()
    time.moves.append((BEGAN + 5.5, -4.5))
    # Somebody spoke at 6, when it was 1.5 for the server: idle at 6.5, which it is again at 11.
    session = replace(a_session(), last_activity_at=BEGAN + 1.4)
    spoke = Entry(session.id, session.user_id, "active", BEGAN + 6)
    began, active, *_ = a_diary(session)
    for ended_at, kept in ((BEGAN + 11, True), (BEGAN + 13.5, False)):
        diary = [began, active, spoke, *a_diary(session, ended_at)[2:]]
        late = complaints(found(session, diary=diary, server_time=time), PROMISES)
        assert (late == []) is kept


def test_a_session_that_cost_too_much() -> None:
    rates = {"tts.characters": Rate(Decimal("0.015"), 1000)}
    dear = replace(
        a_session(),
        tariff=replace(a_session().tariff, rates=rates),
        meter=Meter(quantities={"tts.characters": 30_000 * 1_000_000}),
    )
    assert "was the most" in only_complaint(complaints(found(dear), PROMISES))


def test_totals_that_do_not_add_up() -> None:
    assert "totals say" in only_complaint(complaints(found(a_session(), spent=1), PROMISES))
