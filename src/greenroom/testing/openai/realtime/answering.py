"""One response of the Realtime stand-in: streamed in its time, cut short, or gone wrong."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from greenroom.testing.openai.realtime.conversation import Conversation, Item, new_id, usage
from greenroom.testing.openai.realtime.sounds import BYTES_A_MS, spoken
from greenroom.testing.openai.replies import Calling, Fault, Reply

# What one event carries of sound.
CHUNK_BYTES = 100 * BYTES_A_MS
_PIECES = re.compile(r"\s*\S+\s*$|\s*\S+")
_ARGUMENTS_PIECE_CHARS = 12
_FAILURES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached for requests."),
}
_SERVER_FAILED = ("server_error", "server_error", "The server had an error while responding.")

Send = Callable[..., Awaitable[None]]


class Broken(Exception):
    """The connection is to break, as ordered."""


@dataclass(slots=True)
class Asked:
    """One response that was asked for, by the client or by the end of a turn.

    Attributes:
        said: Who had said what before it.
        instructions: What the model was told to be.
        functions: What it might have called.
        reply: What it answered.
        status: ``in_progress``, ``completed``, ``cancelled``, ``failed``.
    """

    said: list[tuple[str, str]]
    instructions: str
    functions: list[str]
    reply: Reply = field(default_factory=Reply)
    status: str = "in_progress"


class Answer:
    """A response on its way.

    Args:
        send: Sends an event to the client.
        conversation: What it adds its items to.
        asked: What was asked, and the reply that is given.
        settings: The session, with what this response wants otherwise.
        wait: Waits for so many seconds.
        first_token_s: Until it begins.
        token_s: Between two words.
        fault: What is to go wrong with it.

    Attributes:
        ended: Whether it is over, so that another may begin.
    """

    def __init__(
        self,
        send: Send,
        conversation: Conversation,
        asked: Asked,
        settings: dict[str, Any],
        *,
        wait: Callable[[float], Awaitable[None]],
        first_token_s: float,
        token_s: float,
        fault: Fault | None,
    ) -> None:
        self.id = new_id("resp")
        self._send = send
        self._conversation = conversation
        self._asked = asked
        self._settings = settings
        self._wait = wait
        self._first_token_s = first_token_s
        self._token_s = token_s
        self._fault = fault
        self._output: list[Item] = []
        self._written = 0
        self._read: dict[str, Any] | None = None
        self.ended = False

    async def begin(self) -> None:
        """Say that it is on its way."""
        await self._send("response.created", response=self._as_data())

    async def run(self) -> None:
        """Give it, to its end.

        Raises:
            Broken: The connection is to break in its midst.
        """
        self._read = self._conversation.read(self._asked.instructions)
        fault = self._fault
        if fault is not None and fault.after_tokens is None:
            if fault.status is None:
                await asyncio.Event().wait()  # until it is cancelled
            kind, code, message = _FAILURES.get(fault.status or 500, _SERVER_FAILED)
            error = {"type": kind, "code": code, "message": message}
            await self._end("failed", {"type": "failed", "error": error})
            return
        await self._wait(self._first_token_s)
        if self._asked.reply.text:
            await self._speak(self._asked.reply.text)
        for call in self._asked.reply.calls:
            await self._call(call)
        await self._end("completed")

    async def cut(self, reason: str) -> None:
        """It was cancelled: tell how it ends. ``run`` must not be running any more."""
        for item in self._output:
            if item.data["status"] == "in_progress":
                item.data["status"] = "incomplete"
                await self._item_event("response.output_item.done", item)
        await self._end("cancelled", {"type": "cancelled", "reason": reason})

    async def _speak(self, text: str) -> None:
        aloud = self._settings["output_modalities"] == ["audio"]
        output = self._settings["audio"]["output"]
        pcm = await asyncio.to_thread(spoken, text, output["speed"]) if aloud else b""
        content = {"type": "output_audio" if aloud else "output_text"}
        item = await self._begin({"type": "message", "role": "assistant", "content": []})
        part = {"type": "audio", "transcript": ""} if aloud else {"type": "text", "text": ""}
        await self._part_event("response.content_part.added", item, part=part)
        kind = "response.output_audio_transcript" if aloud else "response.output_text"
        pieces = _PIECES.findall(text)
        for number, piece in enumerate(pieces):
            await self._pace()
            item.text += piece
            await self._part_event(f"{kind}.delta", item, delta=piece)
            upto = len(pcm) * (number + 1) // len(pieces) // 2 * 2
            for start in range(len(item.pcm), upto, CHUNK_BYTES):
                sound = pcm[start : min(start + CHUNK_BYTES, upto)]
                item.pcm += sound
                delta = base64.b64encode(sound).decode()
                await self._part_event("response.output_audio.delta", item, delta=delta)
        if aloud:
            await self._part_event("response.output_audio.done", item)
            await self._part_event(f"{kind}.done", item, transcript=text)
            part, content = {**part, "transcript": text}, {**content, "transcript": text}
        else:
            await self._part_event(f"{kind}.done", item, text=text)
            part, content = {**part, "text": text}, {**content, "text": text}
        await self._part_event("response.content_part.done", item, part=part)
        item.data["content"] = [content]
        await self._complete(item)

    async def _call(self, call: Calling) -> None:
        call_id = new_id("call")
        item = await self._begin(
            {"type": "function_call", "name": call.name, "call_id": call_id, "arguments": ""}
        )
        kind = "response.function_call_arguments"
        where = {"call_id": call_id, **self._where(item)}
        for start in range(0, len(call.text), _ARGUMENTS_PIECE_CHARS):
            await self._pace()
            piece = call.text[start : start + _ARGUMENTS_PIECE_CHARS]
            await self._send(f"{kind}.delta", **where, delta=piece)
        item.data["arguments"], item.text = call.text, call.name + call.text
        await self._send(f"{kind}.done", **where, name=call.name, arguments=call.text)
        await self._complete(item)

    async def _pace(self) -> None:
        """Wait between two pieces; here it breaks off, if that was ordered."""
        fault = self._fault
        if fault is not None and fault.after_tokens == self._written:
            if fault.status is not None:
                raise Broken
            await asyncio.Event().wait()  # nothing more comes
        if self._written:
            await self._wait(self._token_s)
        self._written += 1

    async def _begin(self, data: dict[str, Any]) -> Item:
        item = Item(
            {"id": new_id("item"), "object": "realtime.item", "status": "in_progress", **data}
        )
        self._output.append(item)
        await self._item_event("response.output_item.added", item)
        before = self._conversation.add(item)
        await self._send("conversation.item.added", previous_item_id=before, item=dict(item.data))
        return item

    async def _complete(self, item: Item) -> None:
        item.data["status"] = "completed"
        await self._item_event("response.output_item.done", item)
        place = self._conversation.items.index(item)
        before = self._conversation.items[place - 1].data["id"] if place else None
        await self._send("conversation.item.done", previous_item_id=before, item=dict(item.data))

    async def _end(self, status: str, details: dict[str, Any] | None = None) -> None:
        self._asked.status = status
        self.ended = True
        used = None
        if status != "failed" and self._read is not None:
            said = "".join(item.text for item in self._output)
            sound = b"".join(item.pcm for item in self._output)
            used = usage(self._read, said, sound)
        await self._send("response.done", response=self._as_data(status, details, used))

    async def _item_event(self, kind: str, item: Item) -> None:
        index = self._output.index(item)
        await self._send(kind, response_id=self.id, output_index=index, item=dict(item.data))

    async def _part_event(self, kind: str, item: Item, **more: Any) -> None:
        await self._send(kind, **self._where(item), content_index=0, **more)

    def _where(self, item: Item) -> dict[str, Any]:
        index = self._output.index(item)
        return {"response_id": self.id, "item_id": item.data["id"], "output_index": index}

    def _as_data(
        self,
        status: str = "in_progress",
        details: dict[str, Any] | None = None,
        used: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        output = self._settings["audio"]["output"]
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [dict(item.data) for item in self._output],
            "output_modalities": self._settings["output_modalities"],
            "max_output_tokens": self._settings["max_output_tokens"],
            "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
            "usage": used,
            "metadata": self._settings.get("metadata"),
        }
