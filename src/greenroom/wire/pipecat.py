"""What stock Pipecat clients say over HTTP: bodies in their words, and what a ``pc_id`` stands for.

The names are those of Pipecat's own runner: snake_case, but for a few that never were.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from greenroom.wire.http import MAX_SDP_CHARS
from greenroom.wire.link import Candidate, IceServer

MAX_CANDIDATES = 64
_PEER = re.compile(r"(ses_[0-9a-f]{24})\.([0-9a-f]{24})\.([0-9a-f]{24})")
_DIGEST_CHARS = 24


class _Body(BaseModel):
    """Unknown fields are ignored: clients of other versions say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class StartRequest(_Body):
    """``POST /start``. ``body`` reaches the bot as ``runner_args.body``."""

    transport: str | None = Field(default=None, max_length=64)
    create_daily_room: bool = Field(default=False, alias="createDailyRoom")
    enable_default_ice_servers: bool = Field(default=False, alias="enableDefaultIceServers")
    body: dict[str, Any] | None = None

    @property
    def wanted_transport(self) -> str:
        """What the client asks for; the older clients of Daily only ask for its room."""
        return self.transport or ("daily" if self.create_daily_room else "webrtc")


class IceConfig(_Body):
    """The servers that both ends are to use."""

    ice_servers: list[IceServer] = Field(serialization_alias="iceServers")


class StartResult(_Body):
    """Answer to `StartRequest`; the client derives the offer's address from ``sessionId``.

    On Daily it joins ``dailyRoom`` with ``dailyToken`` instead.
    """

    session_id: str = Field(serialization_alias="sessionId")
    ice_config: IceConfig | None = Field(default=None, serialization_alias="iceConfig")
    daily_room: str | None = Field(default=None, serialization_alias="dailyRoom")
    daily_token: str | None = Field(default=None, serialization_alias="dailyToken")


class OfferRequest(_Body):
    """An SDP offer. ``pc_id``: from the last answer that this client got, if it got one."""

    sdp: str = Field(min_length=1, max_length=MAX_SDP_CHARS)
    type: Literal["offer"]
    pc_id: str | None = Field(default=None, max_length=128)
    restart_pc: bool | None = None
    request_data: dict[str, Any] | None = Field(
        default=None, validation_alias=AliasChoices("request_data", "requestData")
    )


class OfferAnswer(_Body):
    """The SDP answer."""

    sdp: str
    type: Literal["answer"] = "answer"
    pc_id: str


class TrickledCandidate(_Body):
    """One ICE candidate."""

    candidate: str = Field(max_length=2_048)
    sdp_mid: str | None = Field(default=None, max_length=64)
    sdp_mline_index: int | None = Field(default=None, ge=0)


class CandidatesRequest(_Body):
    """Further candidates of the offer that was answered with this ``pc_id``."""

    pc_id: str = Field(max_length=128)
    candidates: list[TrickledCandidate] = Field(max_length=MAX_CANDIDATES)

    def as_candidates(self) -> list[Candidate]:
        """The same in the link's words."""
        return [Candidate(**candidate.model_dump()) for candidate in self.candidates]


class PatchResult(_Body):
    """Answer to `CandidatesRequest`."""

    status: Literal["success"] = "success"


class StatusResult(_Body):
    """``GET /status``: what may be asked of ``/start``."""

    status: Literal["ready"] = "ready"
    transports: list[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """A stock client's connection: what its ``pc_id`` stands for, so that nothing need be kept.

    A stock client does not say which page it is. The first offer of a page is unlike any other,
    so its digest names the page; later offers carry the ``pc_id`` and with it the page's name.
    The same offer sent twice gets the same name, and so the same answer.

    Attributes:
        session_id: The session that it belongs to.
        participant: The page.
        offer: The digest of the latest offer.
    """

    session_id: str
    participant: str
    offer: str

    @classmethod
    def parse(cls, pc_id: str | None) -> Peer | None:
        """The peer of this ``pc_id``; None if it was not given out here."""
        found = _PEER.fullmatch(pc_id or "")
        return cls(*found.groups()) if found else None

    @classmethod
    def offering(cls, session_id: str, sdp: str, before: Peer | None) -> Peer:
        """The peer that makes this offer; ``before``: what it was called until now."""
        digest = hashlib.sha256(sdp.encode(errors="replace")).hexdigest()[:_DIGEST_CHARS]
        known = before is not None and before.session_id == session_id
        return cls(session_id, before.participant if before and known else digest, digest)

    @property
    def pc_id(self) -> str:
        """What the client is told to call it."""
        return f"{self.session_id}.{self.participant}.{self.offer}"

    @property
    def offer_id(self) -> str:
        """The id of its latest offer on the link."""
        return f"{self.participant}-{self.offer}"
