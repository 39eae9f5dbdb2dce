"""Whatever happens, in whatever order: the promises that no sequence of inputs may break."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from greenroom.errors import NotActive, SessionEnded, StillQueued
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.deadlines import deadlines
from greenroom.session.lifecycle import transition
from greenroom.session.matrix import RESPONSES, Response, running_deadlines
from greenroom.session.model import DeadlineKind, EndReason, Limits, PauseCause, Session, Stage
from tests.session.happening import NOW, opened

ORDER = list(Stage)
PAGES = st.sampled_from(["page-1", "page-2"])
REPORTS = st.one_of(
    st.just(i.BotJoined()),
    st.builds(i.UserJoined, PAGES),
    st.builds(i.UserLeft, PAGES),
    st.just(i.UserEnded()),
    st.builds(i.UserSpeech, st.booleans()),
    st.builds(i.BotSpeech, st.booleans(), st.booleans()),
    st.builds(
        i.Transcript, st.sampled_from(["user", "assistant"]), st.text(), st.booleans(), st.just(1)
    ),
    st.builds(i.AppReport, st.just("app.answer")),
    st.builds(i.ToolCalled, st.booleans(), st.just({"toolCallId": "c1"})),
    st.builds(i.ToolDone, st.just({"toolCallId": "c1"})),
    st.builds(i.BotError, st.just("oops"), st.just("Oops."), st.booleans()),
    st.builds(i.Farewell, st.booleans()),
    st.just(i.Unreadable()),
    st.builds(i.Unknown, st.just("user.gesture"), st.none() | st.just({})),
    st.builds(i.Usage, st.just("tts"), st.just(1.0), st.just("characters")),
)
COMMANDS = st.one_of(
    st.builds(i.Offer, PAGES),
    st.builds(i.Stop, st.sampled_from(EndReason)),
    st.builds(i.Mute, st.booleans(), st.integers(0, 50)),
    st.builds(i.Pause, st.sampled_from(PauseCause)),
    st.builds(i.Resume, st.sampled_from(PauseCause)),
    st.builds(i.Message, st.text(max_size=5)),
    st.builds(i.ToolAnswered, st.just({"toolCallId": "c1", "result": 1})),
)


class SessionMachine(RuleBasedStateMachine):
    """A session, and everything the world can do to it."""

    session: Session

    @initialize(
        persistence_s=st.sampled_from([0.0, 300.0]),
        queue_s=st.sampled_from([0.0, 300.0]),
        position=st.sampled_from([None, None, 1, 3]),
    )
    def start(self, persistence_s: float, queue_s: float, position: int | None) -> None:
        self.now = NOW
        self.endings = 0
        self.told_to_end = 0
        change = opened(
            Limits(persistence_s=persistence_s, queue_s=queue_s), now=self.now, position=position
        )
        self.session = change.session
        self.launches = self._launches(change)

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0, 31.0, 130.0, 301.0, 601.0, -7200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(report=REPORTS, offset=st.sampled_from([0, 1, 1, 1, 1, 2]))
    def report(self, report: i.BotReport, offset: int) -> None:
        self._happen(i.Reported("lau_1", self.session.report_seq + offset, report))

    @rule(report=REPORTS)
    def report_of_an_older_launch(self, report: i.BotReport) -> None:
        before = self.session
        self._happen(i.Reported("lau_0", before.report_seq + 1, report))
        assert self.session == before

    @rule()
    def bot_is_starting_elsewhere(self) -> None:
        self._happen(i.BotStarting())

    @rule(again_in_s=st.sampled_from([None, 1.0, 60.0]))
    def no_place_after_all(self, again_in_s: float | None) -> None:
        before = self.session
        self._happen(i.NoPlace(again_in_s))
        if self.session.stage is Stage.QUEUED is not before.stage:
            self.launches -= 1  # nobody was launched

    @rule()
    def room_is_made_ready(self) -> None:
        before = self.session
        self._happen(i.RoomReady())
        assert self.session == before

    @rule(command=COMMANDS)
    def command(self, command: i.Command) -> None:
        self._happen(command)

    @rule(
        launch=st.sampled_from(["lau_1", "lau_0"]),
        clean=st.booleans(),
        still_runs_s=st.sampled_from([0.0, 0.0, 3_600.0]),
    )
    def exit(self, launch: str, clean: bool, still_runs_s: float) -> None:
        self._happen(i.BotExited(launch, clean, "bot_exited", "gone", still_runs_s=still_runs_s))

    @rule(moved=st.builds(i.MovedUp, st.integers(1, 3)) | st.just(i.LetIn()))
    def queue_moves(self, moved: i.MovedUp | i.LetIn) -> None:
        self._happen(moved)

    @rule(budget=st.sampled_from(["session", "tenant_day"]), spent=st.booleans())
    def budget(self, budget: str, spent: bool) -> None:
        self._happen((i.BudgetSpent if spent else i.BudgetNear)(budget, 1, 1))

    @rule(kind=st.sampled_from(DeadlineKind))
    def due(self, kind: DeadlineKind) -> None:
        self._happen(i.Due(kind))

    def _happen(self, event: i.Input) -> None:
        before = self.session
        content = event.report if isinstance(event, i.Reported) else event
        try:
            change = transition(before, event, self.now)
        except (SessionEnded, NotActive, StillQueued):
            assert RESPONSES[before.stage, type(content)] is Response.REFUSE
            return
        assert transition(before, event, self.now) == change, "the same input gives the same change"
        self.session = change.session
        self._stage_moves_forward(before)
        if change.outcome is not f.Outcome.APPLIED:
            assert (change.facts, change.effects) == ((), ())
        self.endings += sum(isinstance(fact, f.Ended) for fact in change.facts)
        self.launches += self._launches(change)
        self.told_to_end += sum(e.kind is f.EffectKind.END_BOT for e in change.effects)
        self._status_is_told_when_it_changes(before, change)
        self._no_bill_gets_smaller(before)

    def _no_bill_gets_smaller(self, before: Session) -> None:
        for name, quantity in before.meter.quantities.items():
            assert self.session.meter.quantities[name] >= quantity
        assert (self.session.meter.at or 0) >= (before.meter.at or 0)

    @staticmethod
    def _launches(change: f.Change) -> int:
        return sum(effect.kind is f.EffectKind.LAUNCH_BOT for effect in change.effects)

    def _stage_moves_forward(self, before: Session) -> None:
        moved = ORDER.index(self.session.stage) - ORDER.index(before.stage)
        back = [(Stage.LINGERING, Stage.ACTIVE), (Stage.CONNECTING, Stage.QUEUED)]
        assert moved >= 0 or (before.stage, self.session.stage) in back
        assert self.session.report_seq - before.report_seq in (0, 1)

    def _status_is_told_when_it_changes(self, before: Session, change: f.Change) -> None:
        def shown(s: Session) -> tuple[object, ...]:
            return s.stage, s.is_paused, s.user_presence, s.bot_presence

        told = [fact for fact in change.facts if isinstance(fact, f.StatusChanged)]
        assert len(told) == (shown(before) != shown(change.session))

    @invariant()
    def never_without_a_deadline_until_it_ended(self) -> None:
        running = deadlines(self.session)
        assert bool(running) == (self.session.stage is not Stage.ENDED)
        allowed = running_deadlines(self.session.stage, paused=self.session.is_paused)
        assert running.keys() <= allowed
        assert allowed - running.keys() <= {DeadlineKind.WARNING}

    @invariant()
    def nobody_is_launched_before_they_are_let_in(self) -> None:
        let_in = self.session.admitted_at is not None
        assert (self.launches == 1) == let_in
        if self.session.stage not in (Stage.QUEUED, Stage.ENDED):
            assert let_in

    @invariant()
    def ended_once_with_a_reason(self) -> None:
        over = self.session.stage is Stage.ENDED
        assert self.endings == over
        ends = self.session.stage in (Stage.ENDING, Stage.ENDED)
        assert (self.session.reason is not None) == ends

    @invariant()
    def active_means_that_both_came(self) -> None:
        if self.session.stage in (Stage.ACTIVE, Stage.LINGERING):
            assert self.session.active_at is not None

    @invariant()
    def a_session_that_ends_has_its_bot_ended(self) -> None:
        if self.session.stage is Stage.ENDING:
            assert self.told_to_end > 0


TestSession = SessionMachine.TestCase
TestSession.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
