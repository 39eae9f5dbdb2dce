"""One client of the Realtime stand-in: what it sends is done, or refused, in order."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import WebSocket, WebSocketDisconnect

from greenroom.testing.openai.realtime.answering import Answer, Asked, Broken
from greenroom.testing.openai.realtime.conversation import (
    Conversation,
    Item,
    item_of,
    new_id,
    new_session,
    updated,
)
from greenroom.testing.openai.realtime.shapes import Wrong, checked
from greenroom.testing.openai.realtime.sounds import Detector, Started, milliseconds

if TYPE_CHECKING:
    from greenroom.testing.openai.stand_in import OpenAI

LEAST_COMMIT_MS = 100
MOST_APPEND_BYTES = 15 * 1024 * 1024
# How OpenAI closes what it did not want, and how what breaks is closed.
REFUSED, BROKE, GOES_AWAY = 4000, 1011, 1001


class Connection:
    """A session with one client.

    Args:
        openai: Whose client it is.
        socket: Accepted already.
        model: Which model it wants.

    Attributes:
        session: Its settings, as they are told.
        conversation: What was said.
        events: What the client has sent, in order, without sounds.
    """

    def __init__(self, openai: OpenAI, socket: WebSocket, model: str) -> None:
        self.session = new_session(model)
        self.conversation = Conversation()
        self.events: list[dict[str, Any]] = []
        self._openai = openai
        self._socket = socket
        self._sending = asyncio.Lock()
        self._detector = Detector()
        self._item_id = new_id("item")  # of what is being said
        self._answer: Answer | None = None
        self._answering: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._has_spoken = False

    async def serve(self) -> None:
        """Serve it until it goes, or until it is sent away."""
        await self._send("session.created", session=self.session)
        try:
            while True:
                await self._take(await self._socket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass  # it has gone, or sent bytes, which OpenAI never reads
        finally:
            tasks = {*self._beside, *([self._answering] if self._answering else [])}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, code: int, wrong: Wrong | None = None) -> None:
        """Send the client away, with or without a word."""
        if wrong is not None:
            await self._refuse(wrong, None)
        with contextlib.suppress(RuntimeError):
            await self._socket.close(code)

    # ---- what a client sends

    async def _take(self, text: str) -> None:
        event: Any = None
        try:
            try:
                event = json.loads(text)
            except ValueError:
                raise Wrong("Could not parse the event as JSON.", "invalid_json") from None
            await self._do(checked(event))
        except Wrong as wrong:
            sent_id = event.get("event_id") if isinstance(event, dict) else None
            await self._refuse(wrong, sent_id)

    async def _do(self, event: dict[str, Any]) -> None:
        if event["type"] != "input_audio_buffer.append":
            self.events.append(event)
        match event["type"]:
            case "session.update":
                await self._update(event["session"])
            case "input_audio_buffer.append":
                await self._hear(event["audio"])
            case "input_audio_buffer.commit":
                await self._commit()
            case "input_audio_buffer.clear":
                self._detector.clear()
                await self._send("input_audio_buffer.cleared")
            case "conversation.item.create":
                await self._add(item_of(event["item"]), event.get("previous_item_id"))
            case "conversation.item.retrieve":
                item = self.conversation.get(event["item_id"], "item_retrieve_invalid_item_id")
                await self._send("conversation.item.retrieved", item=item.data)
            case "conversation.item.delete":
                item = self.conversation.get(event["item_id"], "item_delete_invalid_item_id")
                self.conversation.items.remove(item)
                await self._send("conversation.item.deleted", item_id=event["item_id"])
            case "conversation.item.truncate":
                where = {n: event[n] for n in ("item_id", "content_index", "audio_end_ms")}
                self.conversation.truncate(*where.values())
                await self._send("conversation.item.truncated", **where)
            case "response.create":
                await self._respond(event.get("response") or {})
            case "response.cancel":
                await self._cancel(event.get("response_id"))

    async def _update(self, change: dict[str, Any]) -> None:
        wanted = updated(self.session, change)
        if wanted["model"] != self.session["model"]:
            message = "Cannot update a conversation's model."
            raise Wrong(message, "cannot_update_model", "session.model")
        voice, before = (one["audio"]["output"]["voice"] for one in (wanted, self.session))
        if voice != before and self._has_spoken:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Wrong(message, "cannot_update_voice", "session.audio.output.voice")
        self.session = wanted
        await self._send("session.updated", session=wanted)

    async def _add(self, item: Item, after: str | None = None) -> None:
        before = self.conversation.add(item, after)
        for kind in ("conversation.item.added", "conversation.item.done"):
            await self._send(kind, previous_item_id=before, item=item.data)

    # ---- the user's voice

    async def _hear(self, audio: str) -> None:
        try:
            pcm = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError):
            pcm = b"?"
        if len(pcm) % 2 or not pcm:
            message = (
                "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but "
                "got an invalid value."
            )
            raise Wrong(message, "invalid_value", "audio")
        if len(pcm) > MOST_APPEND_BYTES:
            raise Wrong("Invalid 'audio': above the limit of 15 MiB.", "invalid_value", "audio")
        how = self.session["audio"]["input"]["turn_detection"]
        for noticed in self._detector.hear(pcm, how):
            if isinstance(noticed, Started):
                await self._send(
                    "input_audio_buffer.speech_started",
                    audio_start_ms=noticed.at_ms,
                    item_id=self._item_id,
                )
                if how["interrupt_response"]:
                    await self._cut("turn_detected")
            else:
                await self._send(
                    "input_audio_buffer.speech_stopped",
                    audio_end_ms=noticed.at_ms,
                    item_id=self._item_id,
                )
                await self._heard(noticed.pcm, answer=how["create_response"])

    async def _commit(self) -> None:
        pcm = bytes(self._detector.pcm)
        if (length_ms := milliseconds(pcm)) < LEAST_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio."
            )
            raise Wrong(message, "input_audio_buffer_commit_empty")
        self._detector.clear()
        await self._heard(pcm, answer=False)

    async def _heard(self, pcm: bytes, *, answer: bool) -> None:
        """Something was said: it is an item, is understood, and perhaps answered."""
        item_id, self._item_id = self._item_id, new_id("item")
        content = [{"type": "input_audio", "transcript": None}]
        data = {"id": item_id, "type": "message", "role": "user", "content": content}
        item = item_of(data)
        item.pcm = pcm
        items = self.conversation.items
        before = items[-1].data["id"] if items else None
        await self._send("input_audio_buffer.committed", previous_item_id=before, item_id=item_id)
        await self._add(item)
        understanding = self._begin(self._understand(item))
        if self.session["audio"]["input"]["transcription"] is not None:
            self._begin(self._transcribe(item, understanding))
        if answer and self._active is None:
            await self._respond({}, understanding)

    async def _understand(self, item: Item) -> None:
        item.text = await self._openai.realtime.understand(item.pcm)

    async def _transcribe(self, item: Item, understanding: asyncio.Task[None]) -> None:
        realtime = self._openai.realtime
        await asyncio.wait({understanding})
        await realtime.wait(realtime.transcript_s)
        kind = "conversation.item.input_audio_transcription"
        where = {"item_id": item.data["id"], "content_index": 0}
        if self._openai.take_fault("transcript") is not None:
            error = {
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": "The audio could not be transcribed.",
            }
            await self._send(f"{kind}.failed", **where, error=error)
            return
        item.data["content"] = [{"type": "input_audio", "transcript": item.text}]
        if item.text:
            await self._send(f"{kind}.delta", **where, delta=item.text)
        usage = {"type": "duration", "seconds": round(milliseconds(item.pcm) / 1000, 3)}
        await self._send(f"{kind}.completed", **where, transcript=item.text, usage=usage)

    # ---- the model's

    async def _respond(
        self, wanted: dict[str, Any], understanding: asyncio.Task[None] | None = None
    ) -> None:
        if (active := self._active) is not None:
            message = (
                "Conversation already has an active response in progress: "
                f"{active.id}. Wait until the response is finished before creating a new one."
            )
            raise Wrong(message, "conversation_already_has_active_response")
        audio = {**self.session["audio"]}
        audio["output"] = {**audio["output"], **((wanted.get("audio") or {}).get("output") or {})}
        settings = {**self.session, **wanted, "audio": audio}
        tools = [] if settings["tool_choice"] == "none" else settings["tools"] or []
        functions = [tool["name"] for tool in tools]
        said = self.conversation.said()
        asked = Asked(said, settings["instructions"], functions)
        self._openai.realtime.asked.append(asked)
        self._answer = answer = Answer(
            self._send,
            self.conversation,
            asked,
            settings,
            wait=self._openai.realtime.wait,
            first_token_s=self._openai.first_token_s,
            token_s=self._openai.token_s,
            fault=self._openai.take_fault("answer"),
        )
        await answer.begin()
        self._answering = asyncio.create_task(self._run(answer, asked, understanding))

    async def _run(
        self, answer: Answer, asked: Asked, understanding: asyncio.Task[None] | None
    ) -> None:
        if understanding is not None:
            await asyncio.wait({understanding})
            asked.said = self.conversation.said()
        role, text = asked.said[-1] if asked.said else ("system", "")
        asked.reply = self._openai.reply_to(role, text, asked.functions)
        self._has_spoken = self._has_spoken or bool(asked.reply.text)
        try:
            await answer.run()
        except Broken:
            await self.close(BROKE)

    async def _cancel(self, response_id: str | None) -> None:
        if (active := self._active) is None or response_id not in (None, active.id):
            message = "Cancellation failed: no active response found"
            raise Wrong(message, "response_cancel_not_active", "response_id")
        await self._cut("client_cancelled")

    async def _cut(self, reason: str) -> None:
        answer, answering = self._active, self._answering
        if answer is not None and answering is not None:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            if not answer.ended:
                await answer.cut(reason)

    @property
    def _active(self) -> Answer | None:
        return None if self._answer is None or self._answer.ended else self._answer

    # ---- helpers

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._beside.add(task)
        done: Callable[[asyncio.Task[None]], None] = self._beside.discard
        task.add_done_callback(done)
        return task

    async def _refuse(self, wrong: Wrong, event_id: str | None) -> None:
        self._openai.realtime.refused.append(wrong.message)
        error = {
            "type": "invalid_request_error",
            "code": wrong.code,
            "message": wrong.message,
            "param": wrong.param,
            "event_id": event_id,
        }
        await self._send("error", error=error)

    async def _send(self, kind: str, **more: Any) -> None:
        event = {"type": kind, "event_id": new_id("event"), **more}
        async with self._sending:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.send_text(json.dumps(event))
