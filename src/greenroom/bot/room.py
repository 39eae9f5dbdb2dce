"""The local WebRTC room inside the bot: one connection, the newest page, who is present."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription, candidate_from_sdp
from loguru import logger

from greenroom.bot.ice import allow_loopback
from greenroom.bot.quality import quality_of
from greenroom.bot.rejoin import RoomConnection
from greenroom.errors import BadOffer
from greenroom.wire.link import Answer, Candidates, Offer, OfferRefused, ReportKind, RoomSpec

# The page pings once a second; aiortc itself notices a dead page only after about 30 s.
SILENT_AFTER_S = 3.0
LOOK_EVERY_S = 0.25
# Gathering asks STUN and TURN servers; aioice gives each of them 5 s.
ANSWER_WITHIN_S = 10.0
KEPT_ANSWERS = 16


class Room:
    """Where page and bot meet; owns the session's only `RoomConnection`.

    Offers and candidates must be given one after another. The newest page wins: the page
    before it is told ``moved`` before its peer is closed. Presence is reported as
    ``user.joined`` and ``user.left`` of the page that made the latest accepted offer.
    """

    def __init__(
        self,
        spec: RoomSpec,
        *,
        report: Callable[[ReportKind, dict[str, Any]], None],
        returned: Callable[[], Awaitable[None]],
        taken: Callable[[], None] = lambda: None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        ice_servers = [
            RTCIceServer(urls=server.urls, username=server.username, credential=server.credential)
            for server in spec.ice_servers
        ]
        self._report = report
        self._taken = taken
        self._clock_s = clock_s
        self._answers: dict[str, Answer] = {}
        self._offer: Offer | None = None
        self._present = False
        self._quality: dict[str, float] | None = None
        self._last_ping_s: float | None = None
        allow_loopback(spec.allow_loopback)
        self.connection = RoomConnection(ice_servers=ice_servers, listener=self, returned=returned)

    @property
    def user_present(self) -> bool:
        """Whether media with a page is connected at this moment."""
        return self._present

    async def take_offer(self, offer: Offer) -> Answer | OfferRefused:
        """Answer an offer; the same ``offer_id`` gets the same answer again.

        An offer that cannot be used disturbs nobody: the page before it stays connected.
        """
        if offer.offer_id in self._answers:
            return self._answers[offer.offer_id]
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                _check(offer.sdp)
                if self._offer is not None:
                    await _try(offer.sdp)
                answer = await (
                    self._change(offer) if self._goes_on(offer) else self._connect(offer)
                )
        except BadOffer as bad:
            return OfferRefused(offer_id=offer.offer_id, code=bad.code, message=bad.message)
        except TimeoutError:
            logger.warning("an offer could not be answered in time")
            return OfferRefused(
                offer_id=offer.offer_id, code="unavailable", message="The answer took too long."
            )
        self._answers[offer.offer_id] = answer
        while len(self._answers) > KEPT_ANSWERS:
            del self._answers[next(iter(self._answers))]
        return answer

    async def take_candidates(self, trickled: Candidates) -> None:
        """Add candidates of the present offer; those of older offers are of no use any more."""
        if self._offer is None or trickled.offer_id != self._offer.offer_id:
            return
        for candidate in trickled.candidates:
            line = candidate.candidate.removeprefix("candidate:")
            if not line:
                continue  # an empty candidate only says that there are no more
            try:
                parsed = candidate_from_sdp(line)
                parsed.sdpMid = candidate.sdp_mid
                parsed.sdpMLineIndex = candidate.sdp_mline_index
                await self.connection.add_ice_candidate(parsed)
            except Exception as error:
                logger.warning(f"a candidate could not be used: {type(error).__name__}")

    async def watch(self) -> None:
        """Report a page whose pings stopped as gone; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
            if self._present:
                self._quality = await quality_of(self.connection.pc)

    def look(self) -> None:
        """Compare the time of the last ping with the clock. A page that never pinged is trusted."""
        if self._last_ping_s is not None and self._clock_s() - self._last_ping_s > SILENT_AFTER_S:
            self._left("silent")

    async def close(self) -> None:
        """Close the connection for good."""
        if self._present:
            self._report_quality()
        await self.connection.disconnect()

    async def _connect(self, offer: Offer) -> Answer:
        before = self._offer
        if before is not None and before.participant != offer.participant:
            await self.connection.tell("moved")
            self._left("moved")
            self._last_ping_s = None
        else:
            self._left("replaced")
        self._offer = offer
        try:
            sdp, pc_id = await self.connection.answer(offer.sdp)
        except Exception as error:
            # A first offer that fails leaves a half-made peer behind.
            if before is None:
                self._offer = None
                await self.connection.forget_offer()
            raise BadOffer("The offer cannot be answered.") from error
        return Answer(offer_id=offer.offer_id, sdp=sdp, pc_id=pc_id)

    def _goes_on(self, offer: Offer) -> bool:
        """Whether the page keeps the peer that it has; if ours is gone it must begin anew."""
        return (
            offer.renegotiates
            and self._offer is not None
            and self._offer.participant == offer.participant
            and self.connection.pc.connectionState not in ("closed", "failed")
        )

    async def _change(self, offer: Offer) -> Answer:
        try:
            sdp, pc_id = await self.connection.change(offer.sdp)
        except Exception as error:
            raise BadOffer("The offer cannot be answered.") from error
        self._offer = offer
        return Answer(offer_id=offer.offer_id, sdp=sdp, pc_id=pc_id)

    # ---- what the connection tells us

    def bot_connected(self) -> None:
        """The bot uses its connection."""
        self._taken()

    def page_connected(self) -> None:
        """Media with the page that made the latest offer is connected.

        That is a sign of life. A page that has pinged before is expected to do so on its new
        connection, too: one that died before it could was trusted for half a minute.
        """
        if self._last_ping_s is not None:
            self._last_ping_s = self._clock_s()
        self._joined()

    def page_gone(self, why: str) -> None:
        """The peer closed or failed."""
        self._left(why)

    def page_pinged(self) -> None:
        """A keep-alive; after a silence it also says that the page is back."""
        self._last_ping_s = self._clock_s()
        if self.connection.pc.connectionState == "connected":
            self._joined()

    def page_ended(self) -> None:
        """The page asked for the end; Greenroom ends the session, and with it this process."""
        self._report(ReportKind.USER_ENDED, {})

    def page_said(self, event: str) -> None:
        """The page says farewell before it goes."""
        if event == "leave":
            self._left("left")

    def _joined(self) -> None:
        if not self._present and self._offer is not None:
            self._present = True
            self._report(ReportKind.USER_JOINED, {"participant": self._offer.participant})

    def _left(self, why: str) -> None:
        if self._present and self._offer is not None:
            self._present = False
            data = {"participant": self._offer.participant, "why": why}
            self._report(ReportKind.USER_LEFT, data)
            self._report_quality()

    def _report_quality(self) -> None:
        """How the page's audio came, at the last look; once for each time that it was here."""
        quality, self._quality = self._quality, None
        if quality is not None:
            self._report(ReportKind.QUALITY, quality)


def _check(sdp: str) -> None:
    """Refuse an offer in which something is missing.

    Raises:
        BadOffer: It cannot be parsed, has no audio first, or no fingerprint.
    """
    try:
        media = SessionDescription.parse(sdp).media
    except Exception as error:
        raise BadOffer("The offer is not SDP.") from error
    # Pipecat takes the first transceiver for the microphone.
    if next((part.kind for part in media if part.kind != "application"), None) != "audio":
        raise BadOffer("The offer has no audio, or not as its first medium.")
    # aiortc would notice this only when the peer is up, and the page before it gone.
    if not all(part.dtls and part.dtls.fingerprints for part in media):
        raise BadOffer("The offer has no DTLS fingerprint.")


async def _try(sdp: str) -> None:
    """Answer an offer on a peer of its own, so that a bad one cannot harm the living page.

    Raises:
        BadOffer: It cannot be answered.
    """
    probe = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await probe.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        await probe.createAnswer()
    except Exception as error:
        raise BadOffer("The offer cannot be answered.") from error
    finally:
        await probe.close()
