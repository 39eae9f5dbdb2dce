"""The use cases: commands from people. The one writer carries them out."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from greenroom.errors import (
    AgentsFull,
    BadRequest,
    BotSilent,
    CannotRead,
    Forbidden,
    GreenroomError,
    LaunchFailed,
    NotFound,
    OfferConflict,
)
from greenroom.ports.clock import Clock
from greenroom.ports.effects import PendingEffect
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import BotExit, ExitCause
from greenroom.ports.store import (
    Store,
)
from greenroom.service.admission import Admission
from greenroom.service.assistants import Assistant, Catalogue
from greenroom.service.exits import describe_exit, where_it_broke
from greenroom.service.flags import Flags
from greenroom.service.links import Link, Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring, digest_of
from greenroom.service.policies import Outside, outside
from greenroom.service.purse import Purse
from greenroom.service.readiness import Readiness
from greenroom.service.redaction import Redaction
from greenroom.service.starting import Started, Starting, Wish, limits_for, whole_body
from greenroom.service.tool_gate import ToolGate
from greenroom.service.tracing import ids_of
from greenroom.service.writer import (
    DEADLINES_TOPIC,
    EFFECTS_TOPIC,
    QUEUE_TOPIC,
    Writer,
    session_topic,
)
from greenroom.session import inputs as i
from greenroom.session.facts import Change, Outcome
from greenroom.session.group import GroupCall
from greenroom.session.lifecycle import CLOCK_SLACK_S, refusal_of
from greenroom.session.model import (
    DEFAULT_TENANT,
    EndReason,
    PauseCause,
    Session,
    SessionKind,
    Stage,
)
from greenroom.session.roster import in_call
from greenroom.wire.http import TICKET_LIFETIME_S
from greenroom.wire.link import Answer, Candidates, Offer
from greenroom.wire.messages import sentence_for

__all__ = [
    "DEADLINES_TOPIC",
    "EFFECTS_TOPIC",
    "QUEUE_TOPIC",
    "Assistant",
    "Sessions",
    "Started",
    "session_topic",
]

log = structlog.get_logger("greenroom.sessions")

# A reader that waits for a link looks again this often even if nothing woke it.
_LOOK_AGAIN_S = 1.0
# Who was refused although there seemed to be a place finds one no sooner.
BUSY_AGAIN_S = 10.0
_BEFORE_ANY_SESSION = (ExitCause.IMPORT_FAILED, ExitCause.IMPORT_HUNG)


class Sessions:
    """Commands from people; what bots report comes in by `greenroom.service.reports`.

    Args:
        store: The truth.
        hub: Woken after every commit.
        clock: The time.
        links: Open links of bots.
        keyring: Names and secrets.
        catalogue: What may be started.
        metrics: Counters.
        admission: Decides who comes in.
        purse: Prices and budgets.
        redaction: What is taken out of people's words before they are kept.
        readiness: Whether an assistant could work; all could, unless said.
        flags: Asks which of an assistant's tools are there for whom.
        records: Whether what is said may be recorded.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        links: Links,
        keyring: Keyring,
        catalogue: Catalogue,
        metrics: Metrics,
        admission: Admission,
        purse: Purse,
        redaction: Redaction | None = None,
        readiness: Readiness | None = None,
        flags: Flags | None = None,
        *,
        records: bool = False,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._links = links
        self._keyring = keyring
        self._catalogue = catalogue
        self._metrics = metrics
        self._writer = Writer(store, hub, clock, metrics, purse, redaction)
        readiness = readiness or Readiness(catalogue, clock, None, set())
        self._starting = Starting(
            *(store, clock, keyring, metrics, admission, purse, self._writer, readiness),
            ToolGate(flags or Flags()),
            records=records,
        )

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
        call: dict[str, Any] | None = None,
        group_call: GroupCall | None = None,
        overrides: Mapping[str, Any] | None = None,
        consented: bool = False,
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
            group_call: What the group call is like that is wanted; None: a session for one.
            wait: Where there is no place, wait for one: the session is then queued.
            call: The plan of a VAPI call; see `greenroom.wire.vapi.calls`.
            overrides: What a new session changes of its assistant's record, which has to allow it.
            consented: The user agrees to be recorded; kept, with the time, where that may be.

        Raises:
            Draining: The server takes no new sessions.
            BudgetUsedUp: The money for today is spent.
            NotFound: No such assistant.
            AssistantDisabled: It takes no new sessions.
            AssistantNotReady: What it speaks with cannot be made here.
            OverrideNotAllowed: The assistant's record does not allow what is overridden.
            ConsentNeeded: What is said may be recorded, and the user has not agreed.
            BadRequest: The body is no JSON that can be stored, or too large; or a wish is above
                its ceiling.
            LimitReached: It would be one too many.
        """
        assistant = await self._catalogue.find(assistant_name)
        assistant = self._catalogue.override(assistant, overrides or {})
        limits = limits_for(assistant, wishes or {}, most_persistence_s)
        wish = Wish(
            user_id,
            tenant,
            whole_body(body, call),
            trace_id or secrets.token_hex(16),
            limits if wait else replace(limits, queue_s=0.0),
            guest,
            wait,
            consented,
            group_call,
        )
        return await self._starting.find_or_open(wish, assistant)

    @property
    def bots(self) -> list[str]:
        """The modules or files that may have to be launched."""
        return self._catalogue.bounds.bots

    async def assistants(self) -> list[Assistant]:
        """Who may be talked with, the default one first."""
        return await self._catalogue.listed()

    async def assistant(self, name: str | None) -> Assistant:
        """The assistant of this name, or the default one. Raises `NotFound`."""
        return await self._catalogue.find(name)

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

    async def seen_by(
        self, session_id: str, user_id: str, *, tenant: str = DEFAULT_TENANT
    ) -> Session:
        """A session that this user may follow: their own, or a call that they were let into.

        Raises:
            NotFound: There is none, or it is not for them.
        """
        session = await self._store.get(session_id)
        if not session.may_be_seen_by(user_id, tenant):
            raise NotFound("There is no such session.")
        return session

    async def current(
        self, user_id: str, assistant_name: str | None, *, tenant: str = DEFAULT_TENANT
    ) -> Session | None:
        """The user's live session with this assistant, for a page that was reloaded."""
        return await self._store.live_of(
            user_id, assistant_name or self._catalogue.bounds.default, tenant
        )

    async def connect(
        self, session_id: str, user_id: str, offer: Offer, *, tenant: str = DEFAULT_TENANT
    ) -> Answer:
        """Bring a page's media into the room: its offer goes to the bot, the answer comes back.

        Waits until the bot is linked, at most until the session's join deadline.

        Raises:
            OfferConflict: The session is somebody else's.
            SessionEnded: It is over.
            LaunchFailed: It ended while we waited, because the bot did not come to life.
            AgentsFull: It ended while we waited, because every agent was taken.
            StillQueued: It waits, or waits again, for a place.
            BotSilent: The bot did not answer in time.
            BadOffer: The bot cannot use the offer.
        """
        session = await self._store.get(session_id)
        if not session.is_of(user_id, tenant):
            raise OfferConflict("This session belongs to somebody else.")
        began = self._clock.now()
        with self._links.wanted(session.launch_id):
            session = await self._writer.apply(session_id, i.Offer(offer.participant), session)
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
        if session.stage is Stage.QUEUED or not session.stage.is_live:
            raise refusal_of(session)
        link = await self._linked(session)
        await outside(Outside.TRICKLE, lambda: link.trickle(candidates))

    async def _linked(self, session: Session) -> Link:
        give_up_at = self._clock.now() + session.limits.join_s
        async with self._hub.subscribe(session_topic(session.id)) as waiter:
            while True:
                link = self._links.get(session.launch_id)
                if link is not None:
                    return link
                if session.stage is Stage.QUEUED:
                    raise refusal_of(session)
                if not session.stage.is_live:
                    raise _why_it_failed(session)
                if self._clock.now() >= give_up_at:
                    raise BotSilent("The assistant did not answer in time. Try again.")
                await waiter.wait(_LOOK_AGAIN_S)
                session = await self._store.get(session.id)

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
        known = None
        if user_id is not None:
            known = await self.get(session_id, user_id, tenant=tenant)
        return await self._obey(session_id, i.Stop(reason, note), known)

    async def mute(
        self,
        session_id: str,
        user_id: str,
        *,
        muted: bool,
        timestamp_ms: int,
        tenant: str = DEFAULT_TENANT,
    ) -> Session:
        """Switch the user's microphone; of two calls the later ``timestamp_ms`` holds.

        Raises:
            BadRequest: It is a group call, where everybody has a microphone of their own.
        """
        session = await self.get(session_id, user_id, tenant=tenant)
        if session.kind is SessionKind.GROUP:
            raise BadRequest(
                "In a group call everybody switches their own microphone, in its room."
            )
        ahead_s = timestamp_ms / 1000 - self._clock.now()
        if ahead_s > CLOCK_SLACK_S:
            log.warning("mute.from_the_future", **ids_of(session), ahead_s=round(ahead_s, 1))
        return await self._obey(session_id, i.Mute(muted, timestamp_ms), session)

    async def pause(
        self,
        session_id: str,
        user_id: str,
        cause: PauseCause,
        *,
        paused: bool,
        tenant: str = DEFAULT_TENANT,
    ) -> Session:
        """Let a cause to pause appear, or lift it; the others stay as they are.

        As long as the user is in a group call of ours, nobody lifts that cause: the record wins.
        """
        session = await self.get(session_id, user_id, tenant=tenant)
        lifts_call = cause is PauseCause.GROUP_CALL and not paused
        if lifts_call and await self.is_in_a_call(session):
            log.info("resume.in_a_call", **ids_of(session))
            return session
        if paused:
            self._metrics.pauses.labels(cause=cause.value).inc()
        command = i.Pause(cause) if paused else i.Resume(cause)
        return await self._obey(session_id, command, session)

    async def is_in_a_call(self, session: Session) -> bool:
        """Whether a session's user is in a group call of ours now, or about to be."""
        calls = await self._store.group_calls(session.tenant)
        return any(session.user_id in in_call(call) for call in calls)

    async def message(
        self, session_id: str, user_id: str, text: str, *, tenant: str = DEFAULT_TENANT
    ) -> Session:
        """Tell the bot what the user typed instead of speaking.

        Raises:
            NotActive: Nobody is in conversation right now.
            CannotRead: The bot would never see it.
            SessionEnded: The session is over.
        """
        session = await self.get(session_id, user_id, tenant=tenant)
        if session.stage is Stage.ACTIVE and not self._links.reads(session.launch_id):
            raise CannotRead("This assistant cannot read: say it.", session=session.id)
        return await self._obey(session_id, i.Message(text), session)

    async def _obey(self, session_id: str, command: i.Command, known: Session | None) -> Session:
        """Carry a command out; one that changes nothing is on record as that."""
        _, change = await self._writer.change(session_id, command, known)
        if change.outcome is not Outcome.APPLIED:
            told = {"command": type(command).__name__.lower(), "outcome": change.outcome.value}
            self._metrics.commands_ignored.labels(**told).inc()
            log.info("command.ignored", **ids_of(change.session), **told)
        return change.session

    async def ticket(self, session: Session, user_id: str | None = None) -> str:
        """A new one-time ticket for ``WS /ws``; only its digest is kept.

        Args:
            session: Which session it opens.
            user_id: For whom, of a group call's people; None: whose session it is.
        """
        ticket = secrets.token_urlsafe(24)
        now = self._clock.now()
        until = now + TICKET_LIFETIME_S
        whose = user_id or session.user_id
        await self._store.put_ticket(digest_of(ticket), session.id, whose, until, now)
        self._metrics.tickets.inc()
        return ticket

    async def redeem(self, ticket: str) -> tuple[Session, bool]:
        """The session that a ticket opens, and whether for its own user; the ticket is used up.

        Raises:
            Forbidden: It is unknown, used, or too old.
        """
        taken = await self._store.take_ticket(digest_of(ticket), self._clock.now())
        if taken is None:
            self._metrics.tokens_refused.labels(kind="ticket").inc()
            raise Forbidden("This ticket is unknown, used or expired. Ask for a new one.")
        session_id, user_id = taken
        session = await self._store.get(session_id)
        return session, session.user_id == user_id

    def refuse_new(self) -> None:
        """From now on no new session is begun; running ones are still found."""
        self._starting.refuse_new()

    @property
    def takes_new(self) -> bool:
        """Whether anybody may come in now."""
        return self._starting.takes_new

    # ---- bots

    async def by_launch(self, launch_id: str) -> Session:
        """The session of a launch. Raises `NotFound`."""
        return await self._store.by_launch(launch_id)

    def bot_joined(self, session: Session, level: object) -> None:
        """A session's bot has said what can be done with it."""
        self._links.joined(session.launch_id, level)

    async def exited(self, exit_: BotExit) -> None:
        """A bot's process is no more."""
        try:
            session = await self.apply(exit_.session_id, describe_exit(exit_))
        except NotFound:
            log.warning("bot.exit.unknown_session", session=exit_.session_id)
            return
        self._metrics.bot_exits.labels(cause=exit_.cause.value).inc()
        broke = where_it_broke(exit_.last_words) if exit_.exit_code else None
        (log.error if broke else log.info)(
            "bot.exited",
            **{**ids_of(session), "launch": exit_.launch_id},
            cause=exit_.cause.value,
            exit_code=exit_.exit_code,
            signal=exit_.signal,
            **({"broke": broke} if broke else {}),
            # Before a session there is nothing confidential to a program's last words.
            **({"last_words": exit_.last_words} if exit_.cause in _BEFORE_ANY_SESSION else {}),
        )

    async def apply(
        self, session_id: str, event: i.Input, *, settles: PendingEffect | None = None
    ) -> Session:
        """Let something happen to a session; see `Writer.apply`."""
        return await self._writer.apply(session_id, event, settles=settles)

    async def change(
        self, session_id: str, event: i.Input, known: Session | None = None
    ) -> tuple[Session, Change]:
        """As `apply`, and what it was before; see `Writer.change`."""
        return await self._writer.change(session_id, event, known)

    def announce(self, before: Session, change: Change, at: float) -> None:
        """Tell of a change that somebody else committed; see `Writer.announce`."""
        self._writer.announce(before, change, at)


def _why_it_failed(session: Session) -> GreenroomError:
    if session.reason is EndReason.BUSY:
        return AgentsFull(sentence_for(EndReason.BUSY), retry_after_s=BUSY_AGAIN_S)
    failures = (EndReason.LAUNCH_FAILED, EndReason.BOT_NEVER_JOINED, EndReason.BOT_CRASHED)
    if session.reason in failures:
        return LaunchFailed(
            sentence_for(session.reason), session=session.id, reason=session.reason.value
        )
    return refusal_of(session)
