"""Beginning a session: found again, let in, told to wait, or refused, in one transaction."""

from __future__ import annotations

from asyncio import Lock
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from greenroom.errors import (
    AssistantDisabled,
    AssistantNotReady,
    BadRequest,
    BudgetUsedUp,
    Conflict,
    ConsentNeeded,
    Draining,
    Halted,
    LimitReached,
    TooLarge,
)
from greenroom.ports.clock import Clock
from greenroom.ports.open_rooms import Door
from greenroom.ports.store import AlreadyLive, New, Store
from greenroom.service.admission import Admission
from greenroom.service.assistants import Assistant
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring, new_id
from greenroom.service.purse import Purse
from greenroom.service.readiness import Readiness
from greenroom.service.tool_gate import ToolGate
from greenroom.service.writer import MOST_ROUNDS, Writer, as_new
from greenroom.session.facts import Change
from greenroom.session.group import GroupCall
from greenroom.session.inputs import Consented
from greenroom.session.lifecycle import open_session
from greenroom.session.model import Limits, Session, SessionKind
from greenroom.session.policy import Occupancy, Place
from greenroom.session.wishes import wished
from greenroom.wire.base import size_bytes
from greenroom.wire.link import MAX_SESSION_BODY_BYTES
from greenroom.wire.vapi.messages import BODY_KEY

log = structlog.get_logger("greenroom.sessions")

# Nothing is wrong with the request, nor with the house: it is simply not to be now.
_REFUSALS = (
    LimitReached,
    BudgetUsedUp,
    Halted,
    Draining,
    AssistantDisabled,
    AssistantNotReady,
    ConsentNeeded,
)


@dataclass(frozen=True, slots=True)
class Started:
    """The answer to a start: a new session, or the one that runs already."""

    session: Session
    reused: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants a session, what its bot is to be told, and what else holds for it."""

    user_id: str
    tenant: str
    body: dict[str, Any]
    trace_id: str
    limits: Limits
    guest: bool
    wait: bool
    consented: bool = False
    group_call: GroupCall | None = None

    @property
    def kind(self) -> SessionKind:
        """Whether it is to be for one or for several."""
        return SessionKind.VOICE if self.group_call is None else SessionKind.GROUP


class Starting:
    """Begins sessions. The database decides who comes in; this asks it.

    Args:
        records: Whether what is said may be recorded, so that nobody comes in who does not agree.

    Attributes:
        takes_new: Whether anybody may come in now.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keyring: Keyring,
        metrics: Metrics,
        admission: Admission,
        purse: Purse,
        writer: Writer,
        readiness: Readiness,
        gate: ToolGate,
        *,
        records: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._metrics = metrics
        self._admission = admission
        self._purse = purse
        self._writer = writer
        self._readiness = readiness
        self._gate = gate
        self._records = records
        self.takes_new = True
        self._pressed: WeakValueDictionary[tuple[str, str, str, str], Lock] = WeakValueDictionary()

    async def find_or_open(self, wish: Wish, assistant: Assistant) -> Started:
        """The user's running session, or a new one; `Sessions.start` says what is promised.

        Raises:
            GreenroomError: As `Sessions.start`.
        """
        _check_body(wish.body)
        # Somebody who presses again and again waits here, and not where admission is decided.
        who = (wish.tenant, wish.user_id, assistant.name, wish.kind.value)
        async with self._pressed.setdefault(who, Lock()):
            try:
                return await self._find_or_open(wish, assistant)
            except _REFUSALS as refusal:
                self._metrics.sessions_refused.labels(code=refusal.code).inc()
                why = {"code": refusal.code, "trace": wish.trace_id}
                log.info("session.refused", **{**refusal.detail, **why})
                raise

    def refuse_new(self) -> None:
        """From now on no new session is begun; running ones are still found."""
        self.takes_new = False

    async def _find_or_open(self, wish: Wish, assistant: Assistant) -> Started:
        for _ in range(MOST_ROUNDS):
            live = await self._store.live_of(wish.user_id, assistant.name, wish.tenant, wish.kind)
            if live is not None:
                self._metrics.sessions_reused.inc()
                return Started(await self._agreed(live, wish), reused=True)
            if not self.takes_new:
                raise Draining("The server is being restarted. Try again in a moment.")
            assistant.require_enabled()
            await self._readiness.require(assistant)
            if self._records and not wish.consented:
                raise consent_needed()
            await self._purse.admit(wish.user_id, wish.tenant)
            try:
                return Started(await self._open(wish, assistant), reused=False)
            except AlreadyLive:
                continue  # somebody was faster; by the next look it may even have ended
        raise Conflict("The session could not be started. Try again.")

    async def _agreed(self, session: Session, wish: Wish) -> Session:
        """A running session, with what its user agrees to only now."""
        if not (self._records and wish.consented) or wish.user_id in session.consents:
            return session
        return await self._writer.apply(session.id, Consented(wish.user_id), session)

    async def _open(self, wish: Wish, assistant: Assistant) -> Session:
        record = await self._gate.record_for(assistant, wish.user_id, wish.tenant)
        now = self._clock.now()
        place = Place(wish.user_id, wish.tenant, assistant.name, wish.kind)
        quotas = self._admission.quotas_for(guest=wish.guest)
        opened: list[Change] = []

        def decide(occupancy: Occupancy) -> New:
            position = self._admission.place_for(
                place, occupancy, guest=wish.guest, may_wait=wish.wait
            )
            change = self._opening(wish, assistant, record, position, now)
            opened[:] = [change]
            return as_new(change)

        session = await self._store.admit(place, quotas, now, decide)
        self._writer.begun(replace(opened[0], session=session), now)
        return session

    def _opening(
        self,
        wish: Wish,
        assistant: Assistant,
        record: dict[str, Any],
        position: int | None,
        now: float,
    ) -> Change:
        session_id = new_id("ses")
        tariff = self._purse.tariff(assistant.name)
        return open_session(
            session_id=session_id,
            user_id=wish.user_id,
            tenant=wish.tenant,
            trace_id=wish.trace_id,
            assistant=assistant.name,
            bot=assistant.bot,
            room=self._room_of(wish, assistant, session_id),
            launch_id=new_id("lau"),
            limits=wish.limits,
            body=wish.body,
            tariff=replace(tariff, budget_micro_usd=assistant.budget_micro_usd),
            assistant_version=assistant.version,
            record=record,
            now=now,
            position=position,
            group_call=wish.group_call,
            consented=self._records and wish.consented,
        )

    def _room_of(self, wish: Wish, assistant: Assistant, session_id: str) -> str:
        """A user's own is always the same; a call's is its own: who was in another stays out."""
        if wish.group_call is not None:
            return self._keyring.call_room(wish.user_id, session_id)
        if _door_of(wish.body) is Door.OPEN:
            return self._keyring.open_room_for(session_id)
        return self._keyring.room_for(wish.user_id, assistant.name, wish.tenant)


def consent_needed() -> ConsentNeeded:
    """The refusal of whoever has not agreed to be recorded."""
    return ConsentNeeded(
        "This conversation may be recorded. Ask the user, and send “recordingConsent”: true if "
        "they agree.",
        field="recordingConsent",
    )


def _door_of(body: dict[str, Any]) -> Door:
    """Who is to get into the room: a VAPI call may have one that is open."""
    return Door((body.get(BODY_KEY) or {}).get("door", Door.PRIVATE))


def limits_for(
    assistant: Assistant, wishes: Mapping[str, float], most_persistence_s: float
) -> Limits:
    """What holds for a session that is asked for with wishes.

    Raises:
        BadRequest: A wish is no time, or above its ceiling.
    """
    limits = wished(assistant.limits, assistant.most, wishes)
    return replace(limits, persistence_s=min(limits.persistence_s, most_persistence_s))


def whole_body(body: dict[str, Any] | None, call: dict[str, Any] | None) -> dict[str, Any]:
    """What a session keeps of a start: what the bot is to know, and of a VAPI call its plan.

    Raises:
        BadRequest: Somebody else's body has the key of such a call: it says where messages go, and
            is read by the one door that checks it.
    """
    if BODY_KEY in (body or {}):
        raise BadRequest(f"“body.{BODY_KEY}” is kept for VAPI's calls.", field=f"body.{BODY_KEY}")
    return {**(body or {}), **({BODY_KEY: call} if call is not None else {})}


def _check_body(body: dict[str, Any]) -> None:
    try:
        size = size_bytes(body)
    except ValueError as error:  # not a number, or half a character
        raise BadRequest("“body” holds a value that JSON cannot carry.", field="body") from error
    if size > MAX_SESSION_BODY_BYTES:
        raise TooLarge(f"“body” is larger than {MAX_SESSION_BODY_BYTES} bytes.", field="body")
