"""The use cases: every command and report goes through `Sessions.apply`, the one writer."""

from __future__ import annotations

import json
import math
import secrets
from asyncio import Lock
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from greenroom.errors import (
    BadRequest,
    BotSilent,
    Conflict,
    Draining,
    Forbidden,
    LaunchFailed,
    LimitReached,
    NotFound,
    OfferConflict,
    SessionEnded,
    StillQueued,
    TooLarge,
)
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import BotExit, ExitCause
from greenroom.ports.store import AlreadyLive, Move, New, NewEffect, NewEvent, StaleWrite, Store
from greenroom.service.admission import Admission
from greenroom.service.deliveries import DELIVERIES_TOPIC
from greenroom.service.exits import describe_exit
from greenroom.service.links import Link, Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring, digest_of, new_id
from greenroom.service.policies import Outside, outside
from greenroom.service.purse import Purse
from greenroom.service.tracing import ids_of, span
from greenroom.session import inputs as i
from greenroom.session.facts import Change, Outcome
from greenroom.session.lifecycle import open_session, transition
from greenroom.session.model import DEFAULT_TENANT, EndReason, Limits, PauseCause, Session, Stage
from greenroom.session.policy import Occupancy, Place
from greenroom.session.wishes import wished
from greenroom.wire.http import TICKET_LIFETIME_S
from greenroom.wire.link import (
    MAX_SESSION_BODY_BYTES,
    Answer,
    Candidates,
    Offer,
    Report,
)
from greenroom.wire.messages import sentence_for
from greenroom.wire.translate import event_of, report_of

log = structlog.get_logger("greenroom.sessions")

# Writers of this process take turns; only another process can be faster.
_MOST_ROUNDS = 20
# A reader that waits for a link looks again this often even if nothing woke it.
_LOOK_AGAIN_S = 1.0
_NOT_NEW = (Outcome.DUPLICATE, Outcome.FENCED, Outcome.GAP)
_BEFORE_ANY_SESSION = (ExitCause.IMPORT_FAILED, ExitCause.IMPORT_HUNG)


def session_topic(session_id: str) -> str:
    """The hub's topic that is published on every change of a session, and when its bot links."""
    return f"session:{session_id}"


EFFECTS_TOPIC = "effects"
DEADLINES_TOPIC = "deadlines"
# Published when a place may have become free, or a place in the queue.
QUEUE_TOPIC = "queue"


@dataclass(frozen=True, slots=True)
class Assistant:
    """What is launched for a name.

    Attributes:
        limits: How long its sessions may do what.
        ceilings: The most of it that a start may ask for; None: never more than ``limits``.
    """

    name: str
    bot: str
    title: str
    limits: Limits
    ceilings: Limits | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The answer to a start: a new session, or the one that runs already."""

    session: Session
    reused: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who wants a session, what its bot is to be told, and what else holds for it."""

    user_id: str
    tenant: str
    body: dict[str, Any]
    trace_id: str
    limits: Limits
    guest: bool
    wait: bool


class Sessions:
    """Commands from people, reports from bots, and the transaction that each becomes.

    Args:
        store: The truth.
        hub: Woken after every commit.
        clock: The time.
        links: Open links of bots.
        keyring: Names and secrets.
        assistants: What may be started, by name.
        metrics: Counters.
        admission: Decides who comes in.
        purse: Prices and budgets.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        links: Links,
        keyring: Keyring,
        assistants: dict[str, Assistant],
        metrics: Metrics,
        admission: Admission,
        purse: Purse,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._links = links
        self._keyring = keyring
        self._assistants = assistants
        self._metrics = metrics
        self._admission = admission
        self._purse = purse
        self._draining = False
        self._turns: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._starts: WeakValueDictionary[tuple[str, str, str], Lock] = WeakValueDictionary()

    # ---- commands

    async def start(
        self,
        user_id: str,
        assistant_name: str | None,
        *,
        body: dict[str, Any] | None = None,
        most_persistence_s: float = math.inf,
        tenant: str = DEFAULT_TENANT,
        trace_id: str | None = None,
        guest: bool = False,
        wait: bool = False,
        wishes: Mapping[str, float] | None = None,
    ) -> Started:
        """Start a session, or find the user's running one.

        Two starts at the same moment give one launch and two equal answers: the database
        admits one live session per user and assistant. One that is found counts towards no limit.

        Args:
            user_id: Who starts it.
            assistant_name: Whom they want to talk to; the first assistant if None.
            body: What the bot is to be told. A running session keeps what it was started with.
            most_persistence_s: The bot of a new session waits no longer for a vanished user.
            tenant: Whose application it is.
            trace_id: 32 hex digits of whoever traces the click; a new one if None.
            guest: They are a nameless visitor of one's own machine, whose starts nobody counts.
            wishes: Other limits for a new session than its assistant's, in seconds: fields of
                `Limits`, up to the assistant's ceilings.
            wait: Where there is no place, wait for one: the session is then queued.

        Raises:
            Draining: The server takes no new sessions.
            BudgetUsedUp: The money for today is spent.
            NotFound: No such assistant.
            BadRequest: The body is no JSON that can be stored, or too large; or a wish is above
                its ceiling.
            LimitReached: It would be one too many.
        """
        _check_body(body or {})
        assistant = self.assistant(assistant_name)
        ceilings = assistant.ceilings or assistant.limits
        limits = wished(assistant.limits, ceilings, wishes or {})
        limits = _with_most_persistence(limits, most_persistence_s)
        trace_id = trace_id or secrets.token_hex(16)
        wish = _Wish(user_id, tenant, body or {}, trace_id, limits, guest, wait)
        # Somebody who presses again and again waits here, and not where admission is decided.
        async with self._starts.setdefault((tenant, user_id, assistant.name), Lock()):
            return await self._find_or_open(wish, assistant)

    async def _find_or_open(self, wish: _Wish, assistant: Assistant) -> Started:
        for _ in range(_MOST_ROUNDS):
            live = await self._store.live_of(wish.user_id, assistant.name, wish.tenant)
            if live is not None:
                self._metrics.sessions_reused.inc()
                return Started(live, reused=True)
            if self._draining:
                raise Draining("The server is being restarted. Try again in a moment.")
            await self._purse.admit(wish.user_id, wish.tenant)
            try:
                return Started(await self._open(wish, assistant), reused=False)
            except AlreadyLive:
                continue  # somebody was faster; by the next look it may even have ended
        raise Conflict("The session could not be started. Try again.")

    @property
    def bots(self) -> list[str]:
        """The modules or files that may have to be launched."""
        return [assistant.bot for assistant in self._assistants.values()]

    def assistant(self, name: str | None) -> Assistant:
        """The assistant of this name, or the first one."""
        if name is None:
            return next(iter(self._assistants.values()))
        try:
            return self._assistants[name]
        except KeyError:
            raise NotFound(f"There is no assistant called “{name[:64]}”.") from None

    async def _open(self, wish: _Wish, assistant: Assistant) -> Session:
        now = self._clock.now()
        place = Place(wish.user_id, wish.tenant, assistant.name)
        quotas = self._admission.quotas_for(guest=wish.guest)
        opened: list[Change] = []

        def decide(occupancy: Occupancy) -> New:
            position = self._admission.place_for(
                place, occupancy, guest=wish.guest, may_wait=wish.wait
            )
            change = self._opening(wish, assistant, position, now)
            opened[:] = [change]
            return New(change.session, _events(change), _effects(change))

        try:
            session = await self._store.admit(place, quotas, now, decide)
        except LimitReached as refusal:
            self._metrics.sessions_refused.labels(code=refusal.code).inc()
            log.info("session.refused", code=refusal.code, trace=wish.trace_id, **refusal.detail)
            raise
        self._note_start(session)
        self._wake(session.id, opened[0])
        return session

    def _opening(
        self, wish: _Wish, assistant: Assistant, position: int | None, now: float
    ) -> Change:
        return open_session(
            session_id=new_id("ses"),
            user_id=wish.user_id,
            tenant=wish.tenant,
            trace_id=wish.trace_id,
            assistant=assistant.name,
            bot=assistant.bot,
            room=self._keyring.room_for(wish.user_id, assistant.name, wish.tenant),
            launch_id=new_id("lau"),
            limits=wish.limits,
            body=wish.body,
            tariff=self._purse.tariff(assistant.name),
            now=now,
            position=position,
        )

    async def get(
        self, session_id: str, user_id: str | None = None, *, tenant: str = DEFAULT_TENANT
    ) -> Session:
        """A session; with ``user_id`` only if it is that user's, in that tenant.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        session = await self._store.get(session_id)
        if user_id is not None and not session.is_of(user_id, tenant):
            raise NotFound("There is no such session.")
        return session

    async def current(
        self, user_id: str, assistant_name: str | None, *, tenant: str = DEFAULT_TENANT
    ) -> Session | None:
        """The user's live session with this assistant, for a page that was reloaded."""
        return await self._store.live_of(user_id, self.assistant(assistant_name).name, tenant)

    async def connect(
        self, session_id: str, user_id: str, offer: Offer, *, tenant: str = DEFAULT_TENANT
    ) -> Answer:
        """Bring a page's media into the room: its offer goes to the bot, the answer comes back.

        Waits until the bot is linked, at most until the session's join deadline.

        Raises:
            OfferConflict: The session is somebody else's.
            SessionEnded: It is over.
            LaunchFailed: It ended while we waited, because the bot did not come to life.
            BotSilent: The bot did not answer in time.
            BadOffer: The bot cannot use the offer.
        """
        session = await self._store.get(session_id)
        if not session.is_of(user_id, tenant):
            raise OfferConflict("This session belongs to somebody else.")
        began = self._clock.now()
        session = await self.apply(session_id, i.Offer(offer.participant))
        link = await self._linked(session)
        answer = await link.answer(offer, session.limits.join_s)
        self._metrics.answer_seconds.observe(max(0.0, self._clock.now() - began))
        return answer

    async def trickle(
        self,
        session_id: str,
        user_id: str,
        candidates: Candidates,
        *,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        """Pass further ICE candidates on to the bot."""
        session = await self.get(session_id, user_id, tenant=tenant)
        if session.stage is Stage.QUEUED:
            raise StillQueued("You are still waiting for a place.", session=session_id)
        if not session.stage.is_live:
            raise SessionEnded("This session is over. Start a new one.", session=session_id)
        link = await self._linked(session)
        await outside(Outside.TRICKLE, lambda: link.trickle(candidates))

    async def _linked(self, session: Session) -> Link:
        give_up_at = self._clock.now() + session.limits.join_s
        async with self._hub.subscribe(session_topic(session.id)) as waiter:
            while True:
                link = self._links.get(session.launch_id)
                if link is not None:
                    return link
                session = await self._store.get(session.id)
                if not session.stage.is_live:
                    raise _why_it_failed(session)
                if self._clock.now() >= give_up_at:
                    raise BotSilent("The assistant did not answer in time. Try again.")
                await waiter.wait(_LOOK_AGAIN_S)

    async def stop(
        self,
        session_id: str,
        user_id: str | None,
        reason: EndReason = EndReason.USER,
        note: str | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
    ) -> Session:
        """End a session; said again while it ends, it hurries, and then nothing more happens.

        Args:
            session_id: Which one.
            user_id: Whose it must be; None: whoever's.
            reason: Why.
            note: Further words for people.
            tenant: The user's.
        """
        await self.get(session_id, user_id, tenant=tenant)
        return await self.apply(session_id, i.Stop(reason, note))

    async def mute(
        self,
        session_id: str,
        user_id: str,
        *,
        muted: bool,
        timestamp_ms: int,
        tenant: str = DEFAULT_TENANT,
    ) -> Session:
        """Switch the user's microphone; of two calls the later ``timestamp_ms`` holds."""
        await self.get(session_id, user_id, tenant=tenant)
        return await self.apply(session_id, i.Mute(muted, timestamp_ms))

    async def pause(
        self,
        session_id: str,
        user_id: str,
        cause: PauseCause,
        *,
        paused: bool,
        tenant: str = DEFAULT_TENANT,
    ) -> Session:
        """Let a cause to pause appear, or lift it; the others stay as they are."""
        await self.get(session_id, user_id, tenant=tenant)
        if paused:
            self._metrics.pauses.labels(cause=cause.value).inc()
        return await self.apply(session_id, i.Pause(cause) if paused else i.Resume(cause))

    async def message(
        self, session_id: str, user_id: str, text: str, *, tenant: str = DEFAULT_TENANT
    ) -> Session:
        """Tell the bot what the user typed instead of speaking.

        Raises:
            NotActive: Nobody is in conversation right now.
            SessionEnded: The session is over.
        """
        await self.get(session_id, user_id, tenant=tenant)
        return await self.apply(session_id, i.Message(text))

    async def ticket(self, session: Session) -> str:
        """A new one-time ticket for ``WS /ws``; only its digest is kept."""
        ticket = secrets.token_urlsafe(24)
        until = self._clock.now() + TICKET_LIFETIME_S
        await self._store.put_ticket(digest_of(ticket), session.id, session.user_id, until)
        self._metrics.tickets.inc()
        return ticket

    async def redeem(self, ticket: str) -> Session:
        """The session that a ticket opens; the ticket is used up.

        Raises:
            Forbidden: It is unknown, used, or too old.
        """
        taken = await self._store.take_ticket(digest_of(ticket), self._clock.now())
        if taken is None:
            self._metrics.tokens_refused.labels(kind="ticket").inc()
            raise Forbidden("This ticket is unknown, used or expired. Ask for a new one.")
        session_id, _ = taken
        return await self._store.get(session_id)

    def refuse_new(self) -> None:
        """From now on no new session is begun; running ones are still found."""
        self._draining = True

    @property
    def takes_new(self) -> bool:
        """Whether anybody may come in now."""
        return not self._draining

    # ---- reports

    async def report(self, launch_id: str, session_id: str, report: Report) -> Outcome:
        """Record a bot's report. Returns what became of it."""
        event = i.Reported(launch_id, report.seq, report_of(report))
        before, change = await self._change(session_id, event)
        self._metrics.reports.labels(outcome=change.outcome.value).inc()
        if before.stage is Stage.CONNECTING and change.session.stage is Stage.ACTIVE:
            joined_s = max(0.0, self._clock.now() - (before.admitted_at or before.created_at))
            self._metrics.bot_join_seconds.observe(joined_s)
        if change.outcome not in _NOT_NEW:
            self._metrics.note_report(report)
        return change.outcome

    async def skip_report(self, launch_id: str, session_id: str, seq: int) -> Outcome:
        """Count a report that cannot be understood, so that it does not stop those behind it."""
        change = (await self._change(session_id, i.Reported(launch_id, seq, i.Unreadable())))[1]
        self._metrics.reports.labels(outcome="malformed").inc()
        return change.outcome

    async def by_launch(self, launch_id: str) -> Session:
        """The session of a launch. Raises `NotFound`."""
        return await self._store.by_launch(launch_id)

    async def exited(self, exit_: BotExit) -> None:
        """A bot's process is no more."""
        try:
            session = await self.apply(exit_.session_id, describe_exit(exit_))
        except NotFound:
            log.warning("bot.exit.unknown_session", session=exit_.session_id)
            return
        self._metrics.bot_exits.labels(cause=exit_.cause.value).inc()
        log.info(
            "bot.exited",
            **{**ids_of(session), "launch": exit_.launch_id},
            cause=exit_.cause.value,
            exit_code=exit_.exit_code,
            signal=exit_.signal,
            # Before a session there is nothing confidential to a program's last words.
            **({"last_words": exit_.last_words} if exit_.cause in _BEFORE_ANY_SESSION else {}),
        )

    # ---- the one writer

    async def apply(self, session_id: str, event: i.Input) -> Session:
        """Let something happen to a session: read, decide, commit; again if somebody was faster."""
        _, change = await self._change(session_id, event)
        return change.session

    async def _change(self, session_id: str, event: i.Input) -> tuple[Session, Change]:
        # First come, first served: a bot that reports without pause must not outrun its own end.
        async with self._turns.setdefault(session_id, Lock()):
            before, change = await self._change_in_turn(session_id, event)
            return before, await self._within_budget(before, change)

    async def _within_budget(self, before: Session, change: Change) -> Change:
        """The change, and what follows at once if it has cost more than there is."""
        after = change.session
        while verdict := await self._purse.verdict(before, after):
            before, next_change = await self._change_in_turn(after.id, verdict)
            after = next_change.session
        return replace(change, session=after)

    async def _change_in_turn(self, session_id: str, event: i.Input) -> tuple[Session, Change]:
        for _ in range(_MOST_ROUNDS):
            before = await self._store.get(session_id)
            now = self._clock.now()
            change = transition(before, event, now)
            # What is told or asked counts too: a message may leave the record as it was.
            if change.session == before and not change.facts and not change.effects:
                return before, change
            try:
                with span(f"session.{type(event).__name__}", before):
                    after = await self._store.commit(
                        before, change.session, _events(change), _effects(change), now
                    )
            except StaleWrite:
                continue
            self.announce(before, change)
            return before, Change(after, change.facts, change.effects, change.outcome)
        raise Conflict("The session is changing too fast. Try again.")

    def announce(self, before: Session, change: Change) -> None:
        """Count and log what was committed, and wake whoever waits for it."""
        after = change.session
        self._purse.note(before, after)
        if before.stage is Stage.QUEUED and after.stage is Stage.CONNECTING:
            self._note_start(after)
        self._note_end(before, after)
        self._wake(after.id, change)
        if Stage.QUEUED is before.stage is not after.stage or after.stage is Stage.ENDED:
            self._hub.publish(QUEUE_TOPIC)

    def _note_start(self, session: Session) -> None:
        queued = session.stage is Stage.QUEUED
        if not queued:
            self._metrics.sessions_started.inc()
        log.info(
            "session.queued" if queued else "session.started",
            **ids_of(session),
        )

    def _note_end(self, before: Session, after: Session) -> None:
        if before.stage is Stage.ENDED or after.stage is not Stage.ENDED:
            return
        assert after.reason is not None
        assert after.ended_at is not None
        duration_s = after.duration_s(after.ended_at)
        self._metrics.sessions_ended.labels(reason=after.reason.value).inc()
        self._metrics.session_seconds.observe(duration_s)
        log.info(
            "session.ended",
            **ids_of(after),
            reason=after.reason.value,
            duration_s=round(duration_s, 1),
        )

    def _wake(self, session_id: str, change: Change) -> None:
        self._hub.publish(session_topic(session_id))
        self._hub.publish(DEADLINES_TOPIC)
        if change.facts:
            self._hub.publish(DELIVERIES_TOPIC)
        if change.effects:
            self._hub.publish(EFFECTS_TOPIC)


def _check_body(body: dict[str, Any]) -> None:
    try:
        size = len(json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:  # not a number, or half a character
        raise BadRequest("“body” holds a value that JSON cannot carry.", field="body") from error
    if size > MAX_SESSION_BODY_BYTES:
        raise TooLarge(f"“body” is larger than {MAX_SESSION_BODY_BYTES} bytes.", field="body")


def _with_most_persistence(limits: Limits, most_s: float) -> Limits:
    return replace(limits, persistence_s=min(limits.persistence_s, most_s))


def as_move(before: Session, change: Change) -> Move:
    """What the store is given of a change."""
    return Move(before, change.session, _events(change), _effects(change))


def _events(change: Change) -> list[NewEvent]:
    return [NewEvent(*event_of(fact)) for fact in change.facts]


def _effects(change: Change) -> list[NewEffect]:
    return [NewEffect(effect.kind, effect.payload) for effect in change.effects]


def _why_it_failed(session: Session) -> LaunchFailed | SessionEnded:
    failures = (EndReason.LAUNCH_FAILED, EndReason.BOT_NEVER_JOINED, EndReason.BOT_CRASHED)
    if session.reason in failures:
        return LaunchFailed(
            sentence_for(session.reason), session=session.id, reason=session.reason.value
        )
    return SessionEnded("This session is over. Start a new one.", session=session.id)
