"""The Realtime API of the stand-in for OpenAI, asked by OpenAI's own client."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai.types.realtime import (
    ConversationItemAdded,
    RealtimeErrorEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    SessionUpdatedEvent,
)
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from greenroom.testing.openai import Ears, Fault, OpenAI, Rule, realtime_address, served
from greenroom.testing.openai.realtime.sounds import spoken

NOTE: Any = {
    "type": "function",
    "name": "create_note",
    "parameters": {"type": "object", "properties": {}},
}
SILENCE = bytes(48 * 700)  # 700 ms


class Client:
    """One connection with the stand-in; every event is checked by OpenAI's own types."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def send(self, kind: str, **more: Any) -> None:
        """Send an event."""
        await self.connection.send({"type": kind, **more})

    async def until(self, kind: str) -> Any:
        """The next event of this type; what comes before it is kept."""
        async with asyncio.timeout(10):
            while True:
                event = await self.connection.recv()
                # The client itself takes whatever comes.
                type(event).model_validate(event.model_dump(exclude_unset=True), strict=False)
                self.events.append(event)
                if event.type == kind:
                    return event

    async def says(self, pcm: bytes) -> None:
        """Speak: int16, mono, 24 kHz; in pieces, as a microphone does."""
        for start in range(0, len(pcm), 4800):
            audio = base64.b64encode(pcm[start : start + 4800]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def writes(self, text: str, role: str = "user") -> None:
        """Put a message into the conversation."""
        content = [{"type": "input_text", "text": text}]
        await self.send(
            "conversation.item.create", item={"type": "message", "role": role, "content": content}
        )

    async def refused(self) -> tuple[str | None, str | None]:
        """The code of the next error, and what it is about."""
        event = await self.until("error")
        assert isinstance(event, RealtimeErrorEvent)
        return event.error.code, event.error.param

    def kinds(self) -> list[str]:
        """The types of all events that came."""
        return [event.type for event in self.events]

    def audio(self) -> bytes:
        """All sound that came."""
        kind = "response.output_audio.delta"
        return b"".join(base64.b64decode(e.delta) for e in self.events if e.type == kind)


@asynccontextmanager
async def connected(address: str, key: str = "sk-stand-in") -> AsyncIterator[Client]:
    """A client whose session was created."""
    url = realtime_address(address).removesuffix("/realtime")
    async with (
        openai.AsyncOpenAI(base_url=address, websocket_base_url=url, api_key=key) as asking,
        asking.realtime.connect(model="small") as connection,
    ):
        client = Client(connection)
        await client.until("session.created")
        yield client


@pytest.fixture
async def playing() -> AsyncIterator[tuple[OpenAI, str]]:
    openai = OpenAI(models=["small"], hear=Ears("what is the weather", "yes"))
    async with served(openai) as address:
        yield openai, address


@pytest.fixture
async def client(playing: tuple[OpenAI, str]) -> AsyncIterator[Client]:
    async with connected(playing[1]) as client:
        yield client


async def test_a_spoken_turn_is_heard_written_down_and_answered(
    playing: tuple[OpenAI, str], client: Client
) -> None:
    openai = playing[0]
    openai.rules.insert(0, Rule("weather", say="It is sunny today."))
    transcription = {"model": "gpt-4o-transcribe"}
    session = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
    await client.send("session.update", session=session)
    updated = await client.until("session.updated")
    assert isinstance(updated, SessionUpdatedEvent)
    await client.says(spoken("what is the weather") + SILENCE)
    done = await client.until("response.done")
    kinds = client.kinds()
    written = "conversation.item.input_audio_transcription.completed"
    if written not in kinds:
        await client.until(written)
    transcript = next(event for event in client.events if event.type == written)
    assert transcript.transcript == "what is the weather"
    assert isinstance(done, ResponseDoneEvent)
    assert done.response.status == "completed"
    # It sounds like what it says.
    assert client.audio() == spoken("It is sunny today.")
    said = [e.delta for e in client.events if e.type == "response.output_audio_transcript.delta"]
    assert "".join(said) == "It is sunny today."
    order = ["speech_started", "speech_stopped", "committed"]
    at = [kinds.index(f"input_audio_buffer.{kind}") for kind in order]
    assert at == sorted(at)
    assert at[-1] < kinds.index("response.created")
    usage: Any = done.response.usage
    assert usage.input_token_details.audio_tokens > 10
    assert usage.output_token_details.audio_tokens > 10
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_token_details.cached_tokens == 0
    # The next answer reads it all again, which is cheaper.
    await client.writes("And now?")
    await client.send("response.create")
    again: Any = (await client.until("response.done")).response.usage
    assert again.input_token_details.cached_tokens_details.audio_tokens > 10


async def test_it_is_interrupted_by_speech_or_by_its_client(
    playing: tuple[OpenAI, str], client: Client
) -> None:
    openai = playing[0]
    openai.token_s = 60.0
    for reason in ("turn_detected", "client_cancelled"):
        openai.say("One two three four.")
        await client.writes("Count.")
        await client.send("response.create")
        delta = await client.until("response.output_audio.delta")
        if reason == "turn_detected":
            await client.says(spoken("yes"))
            await client.until("input_audio_buffer.speech_started")
        else:
            await client.send("response.create")
            code, _ = await client.refused()
            assert code == "conversation_already_has_active_response"
            await client.send("response.cancel")
        done = (await client.until("response.done")).response
        assert (done.status, done.status_details.reason) == ("cancelled", reason)
        assert done.output[0].status == "incomplete"
        where = {"item_id": delta.item_id, "content_index": 0}
        await client.send("conversation.item.truncate", **where, audio_end_ms=100)
        assert (await client.until("conversation.item.truncated")).audio_end_ms == 100
        await client.send("conversation.item.truncate", **where, audio_end_ms=60_000)
        assert await client.refused() == ("invalid_value", "audio_end_ms")
        await client.send("response.cancel")
        assert (await client.refused())[0] == "response_cancel_not_active"
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")


async def test_it_calls_a_tool_and_speaks_of_its_result(
    playing: tuple[OpenAI, str], client: Client
) -> None:
    await client.send("session.update", session={"type": "realtime", "tools": [NOTE]})
    await client.writes("Make a note: buy milk")
    await client.send("response.create", response={"output_modalities": ["text"]})
    called = await client.until("response.function_call_arguments.done")
    assert (called.name, json.loads(called.arguments)) == ("create_note", {"title": "buy milk"})
    await client.until("response.done")
    output = {"type": "function_call_output", "output": "{}"}
    await client.send("conversation.item.create", item={**output, "call_id": "call_other"})
    assert (await client.refused())[0] == "invalid_tool_call_id"
    await client.send("conversation.item.create", item={**output, "call_id": called.call_id})
    added = await client.until("conversation.item.done")
    assert added.item.type == "function_call_output"
    await client.send("response.create", response={"output_modalities": ["text"]})
    assert (await client.until("response.output_text.done")).text == "Done."
    assert playing[0].realtime.asked[-1].said[-1] == ("tool", "{}")
    assert not client.audio()


async def test_without_its_detector_the_client_says_when_a_turn_is_over(
    playing: tuple[OpenAI, str], client: Client
) -> None:
    playing[0].realtime.hears("anything")
    off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    await client.send("session.update", session=off)
    await client.send("input_audio_buffer.commit")
    assert (await client.refused())[0] == "input_audio_buffer_commit_empty"
    await client.says(spoken("yes") + SILENCE)
    await client.send("input_audio_buffer.commit")
    item = await client.until("conversation.item.added")
    assert isinstance(item, ConversationItemAdded)
    await client.send("response.create")
    created = await client.until("response.created")
    assert isinstance(created, ResponseCreatedEvent)
    await client.until("response.done")
    assert "input_audio_buffer.speech_started" not in client.kinds()
    assert playing[0].realtime.asked[0].said == [("user", "anything")]


@pytest.mark.parametrize(
    ("kind", "more", "refused"),
    [
        ("session.upgrade", {}, ("invalid_value", "type")),
        ("session.update", {}, ("missing_required_parameter", "session")),
        ("session.update", {"session": {}}, ("missing_required_parameter", "session.type")),
        (
            "session.update",
            {"session": {"type": "realtime", "temperature": 1}},
            ("unknown_parameter", "session.temperature"),
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "output_modalities": ["text", "audio"]}},
            ("invalid_value", "session.output_modalities"),
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "model": "large"}},
            ("cannot_update_model", "session.model"),
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "audio": {"input": {"turn_detection": {}}}}},
            ("missing_required_parameter", "session.audio.input.turn_detection.type"),
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "tools": [{**NOTE, "name": "two words"}]}},
            ("invalid_value", "session.tools[0].name"),
        ),
        ("input_audio_buffer.append", {"audio": "???"}, ("invalid_value", "audio")),
        (
            "conversation.item.create",
            {"item": {"type": "message", "role": "user", "content": "hello"}},
            ("invalid_type", "item.content"),
        ),
        (
            "conversation.item.create",
            {
                "item": {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "input_text", "text": "hello"}],
                }
            },
            ("invalid_value", "item.content[0].type"),
        ),
        ("conversation.item.retrieve", {"item_id": "x"}, ("item_retrieve_invalid_item_id",) * 2),
        ("response.create", {"response": {"voice": "x"}}, ("unknown_parameter", "response.voice")),
    ],
)
async def test_what_openai_refuses_it_refuses_and_goes_on(
    client: Client, kind: str, more: Any, refused: tuple[str, str]
) -> None:
    await client.send(kind, event_id="mine", **more)
    code, param = await client.refused()
    assert code == refused[0]
    assert param == ("item_id" if refused[0].startswith("item_") else refused[1])
    assert client.events[-1].error.event_id == "mine"
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")


async def test_its_voice_stays_once_it_was_heard(client: Client) -> None:
    def voiced(name: str) -> Any:
        return {"type": "realtime", "audio": {"output": {"voice": name}}}

    await client.send("session.update", session=voiced("cedar"))
    await client.until("session.updated")
    await client.send("response.create")
    await client.until("response.done")
    await client.send("session.update", session=voiced("marin"))
    assert (await client.refused())[0] == "cannot_update_voice"


async def test_who_may_not_come_in_is_told_why(playing: tuple[OpenAI, str]) -> None:
    openai, address = playing
    url = realtime_address(address)
    good = {"Authorization": "Bearer sk-stand-in"}
    openai.order(Fault(503, on="connect"))
    for headers, status in ((good, 503), ({}, 401), ({"Authorization": "Bearer no"}, 401)):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{url}?model=small", additional_headers=headers)
        assert refusal.value.response.status_code == status
    openai.order(Fault(None, on="connect"))
    with pytest.raises(TimeoutError):
        await connect(f"{url}?model=small", additional_headers=good, open_timeout=0.1)
    for query, beta, code in (
        ("", {}, "missing_model"),
        ("?model=large", {}, "model_not_found"),
        ("?model=small", {"OpenAI-Beta": "realtime=v1"}, "beta_api_shape_disabled"),
    ):
        async with connect(url + query, additional_headers={**good, **beta}) as socket:
            assert json.loads(await socket.recv())["error"]["code"] == code
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4000


async def test_misfortunes_come_as_ordered(playing: tuple[OpenAI, str]) -> None:
    openai, address = playing
    async with connected(address) as client:
        openai.order(Fault(429))
        await client.send("response.create")
        failed: Any = (await client.until("response.done")).response
        assert (failed.status, failed.status_details.error.code) == (
            "failed",
            "rate_limit_exceeded",
        )
        openai.order(Fault(None, after_tokens=1))
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        assert (await client.until("response.done")).response.status == "cancelled"
        openai.order(Fault(None, on="transcript"))
        openai.realtime.hears("yes")
        heard = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        await client.send("session.update", session={"type": "realtime", **heard})
        await client.says(spoken("yes") + SILENCE)
        await client.until("conversation.item.input_audio_transcription.failed")
        await openai.realtime.expire()
        assert (await client.refused())[0] == "session_expired"
        with pytest.raises(ConnectionClosed):
            await client.until("session.updated")
    async with connected(address) as client:
        openai.order(Fault(500, after_tokens=1))
        await client.send("response.create")
        with pytest.raises(ConnectionClosed):
            await client.until("response.done")
        assert client.audio()
    async with connected(address) as client:
        await openai.realtime.drop()
        with pytest.raises(ConnectionClosed):
            await client.until("session.updated")
