"""The stand-in for OpenAI, asked by OpenAI's own client: what passes here passes there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from greenroom.testing.openai import Fault, OpenAI, served

NOTE: Any = {
    "type": "function",
    "function": {"name": "create_note", "parameters": {"type": "object", "properties": {}}},
}
MILK: Any = [{"role": "user", "content": "Make a note: buy milk"}]
HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def server() -> AsyncIterator[tuple[OpenAI, openai.AsyncOpenAI]]:
    playing = OpenAI(models=["small"])
    async with served(playing) as address:
        client = openai.AsyncOpenAI(base_url=address, api_key="sk-stand-in", max_retries=0)
        async with client:
            yield playing, client


Server = tuple[OpenAI, openai.AsyncOpenAI]


async def _streamed(client: openai.AsyncOpenAI, **more: Any) -> tuple[str, str, str, Any]:
    """Text, name and arguments of the call, and what it used."""
    text = name = arguments = ""
    usage = None
    stream = await client.chat.completions.create(
        model="small", stream=True, stream_options={"include_usage": True}, **more
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                assert call.function is not None
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    return text, name, arguments, usage


async def test_it_streams_text_and_tells_what_it_used(server: Server) -> None:
    playing, client = server
    playing.say("One two three.")
    text, _, _, usage = await _streamed(client, messages=HELLO)
    assert text == "One two three."
    assert usage.completion_tokens > 0
    assert playing.asked[0].finished


async def test_it_calls_a_tool_by_rule_and_speaks_of_its_result(server: Server) -> None:
    _, client = server
    _, name, arguments, _ = await _streamed(client, messages=MILK, tools=[NOTE])
    assert (name, arguments) == ("create_note", '{"title": "buy milk"}')
    whole = await client.chat.completions.create(model="small", messages=MILK, tools=[NOTE])
    call = whole.choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "{}"}  # type: ignore[index]
    told: Any = [*MILK, call.model_dump(exclude_none=True), result]
    assert (await _streamed(client, messages=told, tools=[NOTE]))[0] == "Done."


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"messages": []}, "empty array"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, "preceding"),
        ({"temperature": 3}, "temperature"),
        ({"extra_body": {"mood": "good"}}, "Unrecognized request argument supplied: mood"),
        ({"tools": [{"type": "function", "function": {"name": "two words"}}]}, "function.name"),
        ({"tools": [NOTE, NOTE]}, "unique"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream'"),
    ],
)
async def test_what_openai_refuses_it_refuses(server: Server, more: Any, says: str) -> None:
    _, client = server
    asked = {"model": "small", "messages": HELLO, **more}
    with pytest.raises(openai.BadRequestError, match=says):
        await client.chat.completions.create(**asked)


async def test_faults_are_openais(server: Server) -> None:
    playing, client = server
    playing.order(Fault(429, retry_after_s=7))
    with pytest.raises(openai.RateLimitError) as limited:
        await _streamed(client, messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "7"
    playing.order(Fault(500, after_tokens=1))
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        await _streamed(client, messages=HELLO)
    playing.keys = set()
    with pytest.raises(openai.AuthenticationError):
        await client.models.list()
    playing.keys = None
    assert [model.id async for model in client.models.list()] == ["small"]
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="large", messages=HELLO)


async def test_one_that_hangs_hangs_until_its_client_goes(server: Server) -> None:
    playing, client = server
    playing.order(Fault(None))
    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.1).chat.completions.create(
            model="small", messages=HELLO
        )
    async with asyncio.timeout(10):
        assert (await _streamed(client, messages=HELLO))[0].startswith("Hello!")
