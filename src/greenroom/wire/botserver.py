"""The bot server of a page that brings its own order: the room first, then the bot called to it.

Names are those of the voice migration plan that such pages were written by: camelCase, but for
``room_url``. Not part of the schema that Greenroom's own client is built from.
"""

from __future__ import annotations

from pydantic import Field

from greenroom.wire.base import WireModel
from greenroom.wire.link import IceServer, RoomKind

MAX_URL_CHARS = 512
_MAX_NAME_CHARS = 128


class RoomAsked(WireModel):
    """``POST /api/voice/room``. With whom to talk there: the first assistant unless it is named.

    ``assistantName`` is what the plan calls it, and ``assistant`` what all else here does.
    """

    assistant: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)
    assistant_name: str | None = Field(default=None, max_length=_MAX_NAME_CHARS)

    @property
    def wanted(self) -> str | None:
        """The assistant that is meant; None: the first."""
        return self.assistant or self.assistant_name or None


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


class RoomLeft(RoomAsked):
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
