"""The error tree: every refusal and failure with a stable code, an HTTP status and a way out."""

from __future__ import annotations

from typing import Any, ClassVar


class GreenroomError(Exception):
    """The root of everything Greenroom raises on purpose.

    Attributes:
        code: Stable, machine-readable; part of the interface.
        status: HTTP status the API answers with.
        retryable: Whether the same call may succeed later, unchanged.
        message: Safe to show to anybody: no secret, no path, no transcript.
        detail: Further facts for the caller; the same rule holds.
        retry_after_s: No earlier than this does another try make sense, if that is known.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after_s: float | None = None, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.retry_after_s = retry_after_s

    def as_json(self) -> dict[str, Any]:
        """The body of an error answer.

        ``detail`` is repeated as a plain sentence because stock Pipecat clients
        read ``info ?? detail ?? statusText``.
        """
        return {
            "code": self.code,
            "message": self.message,
            "detail": self.message,
            "retryable": self.retryable,
            **({"facts": self.detail} if self.detail else {}),
        }


class BadRequest(GreenroomError):
    """The request itself is wrong; sending it again changes nothing."""

    code = "bad_request"
    status = 400


class BadOffer(BadRequest):
    """The SDP offer cannot be used (no audio, broken, too large)."""

    code = "bad_offer"


class BadRecord(BadRequest):
    """An assistant's record is wrong. ``facts``: ``field``, its path, and all ``problems``."""

    code = "bad_record"


class OverrideNotAllowed(BadRequest):
    """A start would replace what the assistant's record does not allow. ``facts``: ``field``."""

    code = "override_not_allowed"


class BadOverride(BadRequest):
    """What a start would replace may be replaced, and not by this. ``facts``: ``field``."""

    code = "bad_override"


class UnsupportedTransport(BadRequest):
    """The caller asks for a way of carrying audio that this server does not have."""

    code = "unsupported_transport"


class UnsupportedCall(BadRequest):
    """A call by VAPI's wire asks for a squad or a workflow; here it is with one assistant."""

    code = "unsupported_call"


class TooLarge(BadRequest):
    """A body or message is over its limit."""

    code = "too_large"
    status = 413


class TooSlow(BadRequest):
    """A body did not come within its time."""

    code = "too_slow"
    status = 408
    retryable = True


class Unauthorized(GreenroomError):
    """Nobody we know is asking."""

    code = "unauthorized"
    status = 401


class NoPublicKey(Unauthorized):
    """A start by Pipecat Cloud's wire without a key; there its code is ``PCC-1002``."""

    code = "no_public_key"


class Forbidden(GreenroomError):
    """Somebody is asking for what is not theirs, or from a place that may not ask."""

    code = "forbidden"
    status = 403


class ForeignRoom(Forbidden):
    """The room is elsewhere, or somebody else's (we do not say which): no bot of ours joins it."""

    code = "foreign_room"


class NotFound(GreenroomError):
    """No such thing, or none that the caller may know of."""

    code = "not_found"
    status = 404


class MethodNotAllowed(BadRequest):
    """There is something at this path, but not by this method; the `Allow` header says which."""

    code = "method_not_allowed"
    status = 405


class SessionEnded(GreenroomError):
    """The session is over; start a new one."""

    code = "session_ended"
    status = 410


class NotActive(GreenroomError):
    """The session lives, but nobody is in conversation right now."""

    code = "not_active"
    status = 409
    retryable = True


class CannotRead(GreenroomError):
    """The bot takes no typed words: it has not called `greenroom.bot.attach`."""

    code = "cannot_read"
    status = 409


class VoiceFixed(GreenroomError):
    """The assistant's model speaks by itself, and keeps the voice that it has begun with."""

    code = "voice_fixed"
    status = 409


class Conflict(GreenroomError):
    """Two writers met; the call was tried again and still lost."""

    code = "conflict"
    status = 409
    retryable = True


class RecordConflict(GreenroomError):
    """Somebody else has changed the assistant meanwhile. ``facts``: ``latest``, its version now."""

    code = "record_conflict"
    status = 409


class AssistantDisabled(GreenroomError):
    """The assistant takes no new sessions: by its record, or because it was switched off."""

    code = "assistant_disabled"
    status = 403


class ConsentNeeded(GreenroomError):
    """The conversation may be recorded, and this user has not agreed to that yet."""

    code = "consent_needed"
    status = 403


class StillQueued(GreenroomError):
    """The session waits for a place; connect when its status turns ``connecting``."""

    code = "still_queued"
    status = 409
    retryable = True


class OfferConflict(GreenroomError):
    """The room is somebody else's, or another page's by now."""

    code = "offer_conflict"
    status = 409


class Unavailable(GreenroomError):
    """Something we depend on is not there right now."""

    code = "unavailable"
    status = 503
    retryable = True


class AssistantNotReady(Unavailable):
    """What the assistant speaks with cannot be made here. ``facts``: all ``problems``."""

    code = "assistant_not_ready"
    retryable = False


class IssuerUnavailable(Unavailable):
    """Who signs the users cannot be asked for the keys, so nobody knows who is asking."""

    code = "issuer_unavailable"


class RoomsUnavailable(Unavailable):
    """Whoever keeps the rooms does not answer, fails, or asks us to come back later."""

    code = "rooms_unavailable"


class RoomsRefused(GreenroomError):
    """Whoever keeps the rooms does not accept our key, or what we ask for."""

    code = "rooms_refused"
    status = 502


class RoomNotPrivate(RoomsRefused):
    """Somebody made the room public, and it cannot be made private again: nobody is let in."""

    code = "room_not_private"


class LaunchFailed(GreenroomError):
    """The bot could not be brought to life."""

    code = "launch_failed"
    status = 502
    retryable = True


class BotSilent(GreenroomError):
    """The bot did not answer in time."""

    code = "bot_silent"
    status = 504
    retryable = True


class Draining(Unavailable):
    """The server is going down and takes no new sessions."""

    code = "draining"


class LimitReached(GreenroomError):
    """One more session would be too many; each limit has a code of its own below.

    ``facts``: ``limit``, its current ``value``, and what is ``allowed``.
    """

    code = "limit_reached"
    status = 429
    retryable = True


class BudgetUsedUp(GreenroomError):
    """The money for today is spent. ``facts``: ``budget``, ``spentUsd``, ``limitUsd``."""

    code = "budget_spent"
    status = 429
    retryable = True


class UserLiveLimit(LimitReached):
    """The user talks (or waits) elsewhere already."""

    code = "limit_user_live"


class UserDayLimit(LimitReached):
    """The user has started as often as one may in a day."""

    code = "limit_user_day"


class UserCooldown(LimitReached):
    """The user's last session has only just ended."""

    code = "limit_user_cooldown"


class LiveLimit(LimitReached):
    """Every place of this installation is taken."""

    code = "limit_live"


class DayLimit(LimitReached):
    """The installation has had its starts of the day."""

    code = "limit_day"


class TenantLiveLimit(LimitReached):
    """Every place of this tenant is taken."""

    code = "limit_tenant_live"


class TenantDayLimit(LimitReached):
    """The tenant has had its starts of the day."""

    code = "limit_tenant_day"


class AssistantLiveLimit(LimitReached):
    """This assistant talks with as many as it may."""

    code = "limit_assistant_live"


class QueueLimit(LimitReached):
    """Every place is taken, and the waiting room is full."""

    code = "limit_queue"


class MachineFull(LimitReached):
    """The machine cannot carry one more call without disturbing the others."""

    code = "machine_full"


class AgentsFull(GreenroomError):
    """Every agent of the pool is taken, which was found out only when one was asked for."""

    code = "agents_full"
    status = 429
    retryable = True


class CallFull(GreenroomError):
    """Every place of the group call is taken. ``facts``: how many it has (``allowed``)."""

    code = "call_full"
    status = 409
    retryable = True


class RateLimited(GreenroomError):
    """Too many calls in a short time. ``facts``: ``rate``, which, and how many a minute it allows.

    Unlike a `LimitReached` it says nothing about sessions: whoever calls is to slow down.
    """

    code = "rate_limited"
    status = 429
    retryable = True


class Halted(GreenroomError):
    """Everything was stopped by an operator, and no session begins until one says so."""

    code = "halted"
    status = 503

    @classmethod
    def because(cls, reason: str) -> Halted:
        """With an operator's words, if there are any."""
        sentence = "All conversations were stopped by the people in charge"
        return cls(f"{sentence}: {reason}" if reason else f"{sentence}.")


class BadSignature(GreenroomError):
    """A webhook is not signed by the launch that it names, or by nobody; we do not say which."""

    code = "bad_signature"
    status = 401


class StaleMessage(GreenroomError):
    """A webhook is signed, but too long ago (or ahead) for us to believe that it is meant now."""

    code = "stale_message"
    status = 401


class LaunchFenced(GreenroomError):
    """This launch has no session (any more): the bot must end, and need not say anything again."""

    code = "launch_fenced"
    status = 410


class ReportGap(GreenroomError):
    """Reports before these are missing. ``facts``: ``nextSeq``, the number to send from."""

    code = "report_gap"
    status = 409
    retryable = True


class BadSetting(GreenroomError):
    """A setting is missing, empty or absurd; raised at start-up, with its name."""

    code = "bad_setting"
