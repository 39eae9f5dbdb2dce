"""The bot server of a page that brings its own order: the room first, then the bot called to it.

Names are those of the voice migration plan that such pages were written by: camelCase, but for
``room_url``. Not part of the schema that Greenroom's own client is built from.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from greenroom.wire.base import WireModel
from greenroom.wire.events import SessionStatus
from greenroom.wire.keys import MAX_TENANT_CHARS, MAX_USER_ID_CHARS
from greenroom.wire.link import IceServer, RoomKind

MAX_URL_CHARS = 512
_MAX_NAME_CHARS = 128
_MAX_TEXT_CHARS = 4_096


class _WithWhom(WireModel):
    """With whom to talk in the room: the first assistant unless it is named.

    ``assistantName`` is what the plan calls it, and ``assistant`` what all else here does.
    """

    assistant: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)
    assistant_name: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)

    @property
    def wanted(self) -> str | None:
        """The assistant that is meant; None: the first."""
        return self.assistant or self.assistant_name or None


class RoomAsked(_WithWhom):
    """``POST /api/voice/room``.

    Attributes:
        recording_consent: The user agrees to be recorded; without it nobody comes in where that
            may be. The session's start asks again: it is what has it on record.
    """

    recording_consent: bool | None = None


class RoomAnswer(WireModel):
    """The user's own room.

    On this machine (``kind`` ``local``) there is no address to join: a session is started, and the
    page connects by an offer.

    Attributes:
        room_url: Where to join; null in rooms on this machine.
        token: By what; for this user alone.
        room_name: What it is called; always the same for one user and assistant.
        reused: It was there already.
        expires_at: RFC 3339, UTC: when it empties itself unless a session begins in it; null:
            never.
    """

    kind: RoomKind
    room_url: str | None = None
    room_name: str
    token: str | None = None
    reused: bool
    expires_at: str | None = None
    ice_servers: list[IceServer] = Field(default_factory=list)


class RoomLeft(_WithWhom):
    """``DELETE /api/voice/room``.

    Attributes:
        room_url: Which room; the user's with the assistant unless said.
        teardown_delay: Seconds. 0 ends at once what goes on in the room. Above, nothing is ended:
            the session waits for its user for as long as it has promised (``persistence``).
    """

    room_url: str | None = Field(default=None, max_length=MAX_URL_CHARS)
    teardown_delay: float = Field(default=0.0, ge=0, le=86_400)


class Success(WireModel):
    """It is done, or had been."""

    success: bool = True


class BotRoom(WireModel):
    """Which bot is meant, by its room.

    Attributes:
        room_url: The room's address, or its name; the user's own with the assistant unless said.
        assistant: With whom the user talks there; whoever's room it is unless said.
        session_user_id: Whose room. Only a server or an operator names somebody else.
        tenant_id: In which tenant; the same holds.
    """

    room_url: str | None = Field(default=None, alias="room_url", max_length=MAX_URL_CHARS)
    assistant: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)
    session_user_id: str | None = Field(default=None, max_length=MAX_USER_ID_CHARS)
    tenant_id: str | None = Field(default=None, max_length=MAX_TENANT_CHARS)


class BotAsked(BotRoom):
    """``POST /api/bot/join``. What is not known here is passed over.

    Attributes:
        personality_id: Passed on to the bot; so are `persona`, `voice` and `voice_parameters`.
        voice_only: No camera: neither the bot's nor the user's.
        session_persistence: For how many seconds the bot waits for a user who has vanished, up to
            the assistant's ceiling; as long as usual unless said.
        token: Taken and not used: each gets a token of their own from us.
        recording_consent: The user agrees to be recorded.
    """

    personality_id: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)
    persona: str | None = Field(default=None, max_length=_MAX_TEXT_CHARS)
    voice: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)
    voice_parameters: dict[str, Any] | None = None
    voice_only: bool = True
    session_persistence: float | None = Field(default=None, ge=0, le=86_400)
    token: str | None = Field(default=None, max_length=_MAX_TEXT_CHARS)
    recording_consent: bool | None = None

    def told_to(self, user_id: str, tenant: str) -> dict[str, Any]:
        """What its bot finds in ``runner_args.body``: by the names that were asked with.

        Who the user is is what we know, and not what was said.
        """
        passed_on = {"personality_id", "persona", "voice", "voice_parameters", "voice_only"}
        told = self.model_dump(by_alias=True, exclude_none=True, include=passed_on)
        return {**told, "sessionUserId": user_id, "tenantId": tenant}


class BotAnswer(WireModel):
    """The bot that is there, or on its way.

    Attributes:
        pid: Of its process on this machine; null elsewhere, and while it is not forked yet.
        room_url: Where it joins; null in rooms on this machine.
        personality_id: What the session was started with; so are the next three.
        reused: It was there already: one session for a user and assistant.
        session_persistence: What holds, in seconds.
        status: What people are shown of the session, as everywhere.
    """

    pid: int | None
    room_url: str | None = Field(default=None, alias="room_url")
    room_name: str
    personality_id: str | None = None
    persona: str | None = None
    voice: str | None = None
    voice_only: bool
    reused: bool
    session_id: str
    assistant: str
    session_persistence: float
    status: SessionStatus


class BotLeft(WireModel):
    """``POST /api/bot/leave``. ``session_id``: whose bot goes; null: there is none, or no more."""

    success: bool = True
    session_id: str | None = None
