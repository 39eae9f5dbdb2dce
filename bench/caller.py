"""A caller in a process of its own, so that what it costs is not counted: ``bench/cpu.py`` runs it.

    .venv/bin/python bench/caller.py greenroom http://127.0.0.1:7788

An aiortc peer instead of a browser: what the bot's process does depends on the packets alone, and
a browser would keep the second core of a small machine busy. Like a browser's, its packets come
every 20 ms, in silence too, with a ping over the data channel every second. It connects by
Greenroom's own door, and follows the events by WebSocket as the page does; or by Pipecat's.
On its standard input it takes a line a command, and answers each with a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from websockets.asyncio.client import connect
from websockets.typing import Origin

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bot.page import Microphone
from tests.bot.speech import spoken

from greenroom.bot.ice import allow_loopback

AUDIBLE = 500
CONNECTED_WITHIN_S = 20.0


class Caller:
    """One call, from the offer to the end of this process."""

    def __init__(self, door: str, url: str) -> None:
        self.heard_ms = 0.0
        self._door = door
        self._url = url
        self._microphone = Microphone()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel = self._peer.createDataChannel("chat")
        self._connected = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._peer.addTrack(self._microphone)
        self._peer.on("track", lambda track: self._own(self._listen(track)))
        self._peer.on("connectionstatechange", self._state_changed)

    async def call(self, stack: AsyncExitStack) -> None:
        """Offer, take the answer, and wait until media is connected."""
        http = httpx.AsyncClient(base_url=self._url, timeout=40, trust_env=False)
        await stack.enter_async_context(http)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        sdp = str(self._peer.localDescription.sdp)
        offer = self._offer_greenroom if self._door == "greenroom" else self._offer_pipecat
        answer = RTCSessionDescription(await offer(http, sdp), "answer")
        await self._peer.setRemoteDescription(answer)
        async with asyncio.timeout(CONNECTED_WITHIN_S):
            await self._connected.wait()
        self._own(self._ping())

    def say(self, text: str) -> None:
        """Speak; returns at once."""
        self._microphone.say(spoken(text))

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._peer.close()

    async def _offer_greenroom(self, http: httpx.AsyncClient, sdp: str) -> str:
        offer = {"id": "offer-cpu-bench", "participant": "page-cpu-bench", "sdp": sdp}
        answer = await http.post("/api/voice/session", json={"offer": offer})
        answer.raise_for_status()
        self._own(self._follow(answer.json()["ticket"]))
        return str(answer.json()["answer"]["sdp"])

    async def _offer_pipecat(self, http: httpx.AsyncClient, sdp: str) -> str:
        started = await http.post("/start", json={"transport": "webrtc", "body": {}})
        started.raise_for_status()
        path = f"/sessions/{started.json()['sessionId']}/api/offer"
        answer = await http.post(path, json={"sdp": sdp, "type": "offer"})
        answer.raise_for_status()
        return str(answer.json()["sdp"])

    async def _follow(self, ticket: str) -> None:
        address = self._url.replace("http", "ws", 1) + "/ws"
        async with connect(address, origin=Origin(self._url), proxy=None) as socket:
            await socket.send(json.dumps({"type": "subscribe", "ticket": ticket, "after": 0}))
            async for _ in socket:
                pass

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            if np.abs(frame.to_ndarray().astype(np.int32)).max() > AUDIBLE:
                self.heard_ms += 1000 * frame.samples / frame.sample_rate

    async def _ping(self) -> None:
        while self._channel.readyState != "closed":
            if self._channel.readyState == "open":
                self._channel.send(f"ping: {time.time()}")
            await asyncio.sleep(1.0)

    def _own(self, work: object) -> None:
        self._tasks.append(asyncio.create_task(work))  # type: ignore[arg-type]

    def _state_changed(self) -> None:
        if self._peer.connectionState == "connected":
            self._connected.set()


async def main(door: str, url: str) -> None:
    """Call, then obey: ``say WORDS``, ``heard`` (milliseconds of sound since it was last asked)."""
    allow_loopback(True)
    caller = Caller(door, url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(caller.close)
        await caller.call(stack)
        print("connected", flush=True)
        lines = asyncio.StreamReader()
        reading = asyncio.StreamReaderProtocol(lines)
        await asyncio.get_running_loop().connect_read_pipe(lambda: reading, sys.stdin)
        while line := (await lines.readline()).decode().strip():
            if line.startswith("say "):
                caller.say(line.removeprefix("say "))
                print("said", flush=True)
            else:
                print(f"{caller.heard_ms:.0f}", flush=True)
                caller.heard_ms = 0.0


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
