"""A visitor without a browser: starts sessions by HTTP and follows their events by WebSocket."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection
from websockets.asyncio.client import connect
from websockets.typing import Origin

from greenroom.doctor.peer import Peer

Json = dict[str, Any]


class Visitor:
    """Somebody with a cookie of their own.

    Attributes:
        http: The client that carries the cookie.
        session_id: Of the session started last.
        events: What the WebSocket told about it, in its order.
    """

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http = http
        self.session_id = ""
        self.events: list[Json] = []
        self._url = url

    async def start(self) -> Json:
        """``POST /api/voice/session`` without an offer: the bot is launched, nobody comes yet."""
        answer = await self.http.post("/api/voice/session", json={})
        answer.raise_for_status()
        started: Json = answer.json()
        self.session_id = started["session"]["sessionId"]
        return started

    async def call(self, peer: Peer) -> Json:
        """``POST /api/voice/session`` with an offer, as the page does; media is on its way."""
        answer = await self.http.post("/api/voice/session", json={"offer": await peer.offer()})
        answer.raise_for_status()
        started: Json = answer.json()
        self.session_id = started["session"]["sessionId"]
        await peer.take(started["answer"]["sdp"])
        return started

    async def offer(self, sdp: str) -> httpx.Response:
        """Offer media, as a page does; the answer may be a refusal."""
        body = {"id": uuid.uuid4().hex, "participant": uuid.uuid4().hex, "sdp": sdp}
        return await self.http.post(f"/api/voice/session/{self.session_id}/offer", json=body)

    async def stop(self) -> httpx.Response:
        """``DELETE /api/voice/session/{id}``."""
        return await self.http.delete(f"/api/voice/session/{self.session_id}")

    async def follow_to_the_end(self, ticket: str, within_s: float) -> Json:
        """Read events until the session's end; returns the data of ``voice.session.end``."""
        address = self._url.replace("http", "ws", 1) + "/ws"
        async with asyncio.timeout(within_s), connect(address, origin=Origin(self._url)) as socket:
            await socket.send(json.dumps({"type": "subscribe", "ticket": ticket, "after": 0}))
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "refused":
                    raise AssertionError(f"refused: {message}")
                if message["type"] != "event":
                    continue
                self.events.append(message["event"])
                if message["event"]["type"] == "voice.session.end":
                    return dict(message["event"]["data"])
        raise AssertionError(f"the events stopped before the end: {self.events}")

    def told(self, event_type: str) -> list[Json]:
        """The data of all events of this type so far."""
        return [event["data"] for event in self.events if event["type"] == event_type]


@asynccontextmanager
async def a_visitor(url: str) -> AsyncIterator[Visitor]:
    """A new visitor of this address."""
    async with httpx.AsyncClient(base_url=url, timeout=40, trust_env=False) as http:
        yield Visitor(http, url)


async def audio_offer() -> str:
    """An SDP offer as a page makes it: audio both ways and a data channel. Nobody is behind it."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        connection.addTransceiver("audio", direction="sendrecv")
        connection.createDataChannel("greenroom")
        await connection.setLocalDescription(await connection.createOffer())
        return str(connection.localDescription.sdp)
    finally:
        await connection.close()
