"""Lets a page leave and come back to the same bot: all that touches Pipecat's private parts.

Stock Pipecat ends a bot when its peer connection closes, calls ``on_client_connected`` for
every connection, and falls silent for good when a page reloads while the bot speaks: the
future of the audio chunk being written is never resolved, and the output declares itself
unusable ten seconds later. `RoomConnection` takes care of all three.

It also saves a caller time: the bot may begin with a page as soon as that page has its answer.
While ICE and DTLS connect, which takes several round trips, the bot thinks of its first words
and has them spoken; what is ready before the page is connected waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Protocol

from aiortc import RTCIceServer
from aiortc.mediastreams import MediaStreamTrack
from pipecat.frames.frames import OutputAudioRawFrame
from pipecat.transports.smallwebrtc import transport
from pipecat.transports.smallwebrtc.connection import (
    SCREEN_VIDEO_TRANSCEIVER_INDEX,
    VIDEO_TRANSCEIVER_INDEX,
    SmallWebRTCConnection,
    SmallWebRTCTrack,
)
from pipecat.transports.smallwebrtc.transport import (
    RawAudioTrack,
    SmallWebRTCCallbacks,
    SmallWebRTCClient,
    SmallWebRTCTransport,
)

WRITTEN_FOR_PIPECAT = "1.14.0"
# How long a last message to a page may take to leave before its peer is closed.
LAST_MESSAGE_WITHIN_S = 0.1
# How long a piece of sound waits for a page that is on its way. Well below the ten seconds after
# which Pipecat gives an output up.
PAGE_COMES_WITHIN_S = 5.0
_BROKEN = ("closed", "failed")
_ANSWERED = "answered"


class PageListener(Protocol):
    """Who is told what happens between the page and this process. Calls must not block."""

    def bot_connected(self) -> None:
        """The bot uses the connection: it asked for it, or gave it something to play."""

    def page_connected(self) -> None:
        """Media with the page is connected."""

    def page_gone(self, why: str) -> None:
        """The page's peer closed or failed."""

    def page_pinged(self) -> None:
        """The page sent a keep-alive."""

    def page_ended(self) -> None:
        """The page asked the bot to disconnect (RTVI), which means the end of the session."""

    def page_said(self, event: str) -> None:
        """The page sent ``{"type": "greenroom", "event": event}``."""


class RoomConnection(SmallWebRTCConnection):
    """One session's connection, whichever page is at its other end.

    Pipecat's transport sees one connection that is sometimes mute; it never learns that a
    page left. It is told ``connected`` when a page has been answered, a few round trips before
    media flows. `returned` is awaited for every page after the first one that was connected.
    """

    def __init__(
        self,
        *,
        ice_servers: list[RTCIceServer],
        listener: PageListener,
        returned: Callable[[], Awaitable[None]],
    ) -> None:
        # Before super(), which sets listeners up.
        self._listener = listener
        self._returned = returned
        self._cut = False
        self._ending = False
        self._greeted = False
        self._met = False
        self._announced = False
        self._page_here = asyncio.Event()
        self._playing: MediaStreamTrack | None = None
        super().__init__(ice_servers=ice_servers)
        self._register_event_handler(_ANSWERED)

    async def answer(self, sdp: str) -> tuple[str, str]:
        """Connect to the page that made this offer, instead of any other.

        Args:
            sdp: The offer.

        Returns:
            The SDP answer, with all candidates, and the peer connection's id.

        Raises:
            Exception: Whatever aiortc raises for an offer it cannot use.
        """
        if self._answer is None:
            await self.initialize(sdp, "offer")
        else:
            self._cut_off()
            await self.renegotiate(sdp, "offer", restart_pc=True)
        await self._announce()
        return str(self._pc.localDescription.sdp), self.pc_id

    async def forget_offer(self) -> None:
        """After `answer` failed for the first page: be as new, for whoever offers next."""
        self._pc.remove_all_listeners()
        await self._close()
        self._initialize()

    async def change(self, sdp: str) -> tuple[str, str]:
        """Let the present page change what its peer connection carries.

        Args:
            sdp: The offer that the page made with the peer connection it has.

        Returns:
            As `answer` does.

        Raises:
            Exception: Whatever aiortc raises for an offer it cannot use.
        """
        await self.renegotiate(sdp, "offer", restart_pc=False)
        return str(self._pc.localDescription.sdp), self.pc_id

    async def tell(self, event: str) -> None:
        """Send the page a Greenroom event over the data channel, if it has one."""
        channel = self._data_channel
        if channel is None or channel.readyState != "open":
            return
        drained = asyncio.Event()
        channel.on("bufferedamountlow", drained.set)
        self.send_app_message({"type": "greenroom", "event": event})
        if channel.bufferedAmount:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(drained.wait(), LAST_MESSAGE_WITHIN_S)

    async def connect(self) -> None:
        """Let the bot take part; called by a transport when it starts, or by the bot itself."""
        self._listener.bot_connected()
        await super().connect()
        await self._announce()

    async def page_to_come(self) -> None:
        """Wait for the page to be connected if one is on its way, but not for ever.

        One is until the first has been connected: a bot may begin to speak before anybody has
        offered. Later, one is when it has been answered and its media is still being connected.
        """
        connecting = self._announced and self._pc.connectionState in ("new", "connecting")
        if connecting or not self._met:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAGE_COMES_WITHIN_S):
                    await self._page_here.wait()

    def replace_audio_track(self, track: MediaStreamTrack) -> None:
        """Play this track to the page. A closed peer forgets its track; we must not."""
        self._listener.bot_connected()
        self._playing = track
        super().replace_audio_track(track)

    def video_input_track(self) -> SmallWebRTCTrack | None:
        """The camera, if the page offered one; the stock method warns each time it did not."""
        offered = len(self._pc.getTransceivers()) > VIDEO_TRANSCEIVER_INDEX
        return super().video_input_track() if offered else None

    def screen_video_input_track(self) -> SmallWebRTCTrack | None:
        """The shared screen, if the page offered one."""
        offered = len(self._pc.getTransceivers()) > SCREEN_VIDEO_TRANSCEIVER_INDEX
        return super().screen_video_input_track() if offered else None

    def is_connected(self) -> bool:
        """Whether audio written now can reach a page.

        Replaces a comparison of wall-clock times, which a clock set back would blind.
        """
        return self._connect_invoked and not self._cut and self._pc.connectionState == "connected"

    async def disconnect(self) -> None:
        """Close the connection for good; called by the transport when its pipeline ends."""
        self._ending = True
        await super().disconnect()

    async def client_connected(self, first: Callable[[], Awaitable[None]]) -> None:
        """Call `first` for the first page, and the `returned` handler for later ones.

        A page that comes in place of a first one that never got through needs no call: what
        the bot said to that one still waits.
        """
        if not self._greeted:
            self._greeted = True
            await first()
        elif self._met:
            await self._returned()

    def _initialize(self) -> None:
        super()._initialize()
        self._cut = False
        self._announced = False
        self._page_here.clear()

    async def _announce(self) -> None:
        """Let a transport begin with the page that was answered, if both are there."""
        both = self._connect_invoked and self._answer
        if both and not self._announced and self._pc.connectionState not in _BROKEN:
            self._announced = True
            await self._call_event_handler(_ANSWERED)

    def _setup_listeners(self) -> None:
        super()._setup_listeners()
        peer = self._pc

        def heard(message: object) -> None:
            if peer is self._pc and isinstance(message, str) and message.startswith("ping"):
                self._listener.page_pinged()

        peer.on("datachannel", lambda channel: channel.on("message", heard))

    async def _call_event_handler(self, event_name: str, *args: Any, **kwargs: Any) -> None:
        if event_name == "app-message" and _is_ours(args[0]):
            self._listener.page_said(str(args[0].get("event")))
        else:
            if event_name == "app-message" and _asks_for_the_end(args[0]):
                self._listener.page_ended()
            await super()._call_event_handler(event_name, *args, **kwargs)

    async def _handle_new_connection_state(self) -> None:
        state = self._pc.connectionState
        if state in _BROKEN and not self._ending:
            await self._page_gone(state)
            return
        if state == "connected":
            self._met = True
            self._page_here.set()
        await super()._handle_new_connection_state()
        if state == "connected":
            self._listener.page_connected()

    async def _page_gone(self, why: str) -> None:
        """Take the page away from the transport without ending anything."""
        self._page_here.clear()
        self._cut_off()
        self._pc.remove_all_listeners()
        await self._call_event_handler("disconnected")
        await self._close()
        self._listener.page_gone(why)

    def _cut_off(self) -> None:
        """Write nothing more to the present peer, and let go of whoever waits for it to play."""
        self._cut = True
        track = self._playing
        if isinstance(track, RawAudioTrack):
            for _, played in track._chunk_queue:
                if played is not None and not played.done():
                    played.set_result(True)
            track._chunk_queue.clear()


def adapt_transport() -> None:
    """Have Pipecat's transport bear with a page that leaves and comes back, in every bot.

    ``on_client_connected`` is called for the first page only: a bot greets there, and would
    greet again after a reload. What is said while a page is on its way waits for it. What is
    said while nobody comes takes as long as it would take to hear; the stock transport drops it
    as fast as the processor can. And what is played is timed by the monotonic clock: with the
    wall clock, one that is set back silences the bot for as long as it was set back.
    Side effect: replaces methods and the clock of the transport, once.
    """
    if getattr(SmallWebRTCTransport, "_bears_with_pages", False):
        return
    _begin_when_answered()
    greet = SmallWebRTCTransport._on_client_connected
    write = SmallWebRTCClient.write_audio_frame

    async def _on_client_connected(
        self: SmallWebRTCTransport, connection: SmallWebRTCConnection
    ) -> None:
        if isinstance(connection, RoomConnection):
            await connection.client_connected(lambda: greet(self, connection))
        else:
            await greet(self, connection)

    async def write_audio_frame(self: SmallWebRTCClient, frame: OutputAudioRawFrame) -> bool:
        if isinstance(self._webrtc_connection, RoomConnection):
            await self._webrtc_connection.page_to_come()
        written = await write(self, frame)
        if not written and not self.is_closing:
            await asyncio.sleep(frame.num_frames / frame.sample_rate)
        return written

    SmallWebRTCTransport._on_client_connected = _on_client_connected  # type: ignore[method-assign]
    SmallWebRTCClient.write_audio_frame = write_audio_frame  # type: ignore[method-assign]
    vars(transport)["time"] = SimpleNamespace(time=time.monotonic)
    SmallWebRTCTransport._bears_with_pages = True  # type: ignore[attr-defined]


def _begin_when_answered() -> None:
    """Have the transport begin with each page once: as soon as it is answered."""
    make = SmallWebRTCClient.__init__
    begin = SmallWebRTCClient._handle_client_connected

    def __init__(
        self: SmallWebRTCClient,
        webrtc_connection: SmallWebRTCConnection,
        callbacks: SmallWebRTCCallbacks,
    ) -> None:
        make(self, webrtc_connection, callbacks)
        self._began_with = None  # type: ignore[attr-defined]
        if isinstance(webrtc_connection, RoomConnection):

            @webrtc_connection.event_handler(_ANSWERED)
            async def answered(connection: RoomConnection) -> None:
                await self._handle_client_connected()

    async def _handle_client_connected(self: SmallWebRTCClient) -> None:
        peer = self._webrtc_connection.pc
        if self._began_with is not peer:  # type: ignore[attr-defined]
            self._began_with = peer  # type: ignore[attr-defined]
            await begin(self)

    SmallWebRTCClient.__init__ = __init__  # type: ignore[method-assign]
    SmallWebRTCClient._handle_client_connected = _handle_client_connected  # type: ignore[method-assign]


def _asks_for_the_end(message: object) -> bool:
    """RTVI's ``disconnect-bot``. The bot hears it too: it may end by itself if we cannot."""
    return (
        isinstance(message, dict)
        and message.get("label") == "rtvi-ai"
        and message.get("type") == "disconnect-bot"
    )


def _is_ours(message: object) -> bool:
    return isinstance(message, dict) and message.get("type") == "greenroom"
