"""OpenAI's chat completions, Realtime API and list of models, with their time and their faults.

In process (`OpenAI.app` is an ASGI application, `served` gives it a port) or as ``greenroom
stand-in openai``. Any client of an OpenAI-compatible server is content with it: Pipecat's
``OpenAILLMService`` and ``OpenAIRealtimeLLMService``, for two.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

from greenroom.testing.openai.realtime import Realtime
from greenroom.testing.openai.realtime.sounds import Hear
from greenroom.testing.openai.replies import USUAL_RULES, Calling, Fault, Reply, Rule
from greenroom.testing.openai.shapes import (
    Refused,
    checked,
    functions_of,
    last_message,
    text_of,
)

MAX_BODY_BYTES = 4 * 1024 * 1024
# About what a token is of English, by OpenAI's own rule of thumb.
CHARACTERS_A_TOKEN = 4
_PIECES = re.compile(r"\s*\S+|\s+")
_ARGUMENTS_PIECE_CHARS = 12


class _Broken(Exception):
    """The connection is to break, as ordered."""


@dataclass(slots=True)
class Asked:
    """One completion that was asked for. ``finished``: the answer went out to its end."""

    body: dict[str, Any]
    reply: Reply | None = None
    finished: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as the model was told it."""
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """What it was told to be."""
        told = (m for m in self.messages if m["role"] in ("system", "developer"))
        return "\n".join(text_of(message.get("content")) for message in told)

    @property
    def functions(self) -> list[str]:
        """What it might have called."""
        return functions_of(self.body)


class OpenAI:
    """A server of OpenAI's with some models.

    It says what is next in its script (`say`, `call`); if that is empty, what the first rule that
    fits the last message has.

    Args:
        rules: What is said to whom.
        keys: Which keys are good; may be changed at any time. None: any, and none at all, as
            local servers do.
        models: Which models there are; None: every name is one.
        first_token_s: From the request to the first piece of the answer.
        token_s: Between two pieces.
        wait: Waits, in seconds.
        hear: What the Realtime API understands speech with; see `Realtime`.

    Attributes:
        realtime: What it does at ``/v1/realtime``.
    """

    def __init__(
        self,
        *,
        rules: Iterable[Rule] = USUAL_RULES,
        keys: Iterable[str] | None = ("sk-stand-in",),
        models: Iterable[str] | None = None,
        first_token_s: float = 0.0,
        token_s: float = 0.0,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        hear: Hear | None = None,
    ) -> None:
        self.rules = list(rules)
        self.keys = None if keys is None else set(keys)
        self.models = None if models is None else list(models)
        self.first_token_s = first_token_s
        self.token_s = token_s
        self.asked: list[Asked] = []
        self.script: deque[Reply] = deque()
        self._faults: list[Fault] = []
        self._wait = wait
        self.realtime = Realtime(self, hear, wait)
        self.app = _app(self)

    # ---- what a test orders

    def say(self, text: str) -> None:
        """Say this next."""
        self.script.append(Reply(text))

    def call(self, name: str, arguments: dict[str, Any] | str | None = None) -> None:
        """Call this function next; ``arguments`` may be a text that is no JSON."""
        self.script.append(Reply(calls=(Calling(name, {} if arguments is None else arguments),)))

    def order(self, fault: Fault) -> None:
        """Have something go wrong, from the next time on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """From now on nothing goes wrong, and the script is empty."""
        self._faults.clear()
        self.script.clear()

    # ---- what clients ask

    def check_key(self, request: HTTPConnection) -> None:
        """Refuse whoever shows no key that is good."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if self.keys is not None and (scheme.lower() != "bearer" or key not in self.keys):
            raise Refused(401)

    def check_model(self, name: str) -> None:
        """Refuse a model that is not there."""
        if self.models is not None and name not in self.models:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise Refused(404, message, code="model_not_found")

    async def complete(self, request: Request, body: dict[str, Any]) -> StreamingResponse | Any:
        """``POST /v1/chat/completions``."""
        self.check_model(body["model"])
        asked = Asked(body, headers=dict(request.headers))
        self.asked.append(asked)
        fault = self.take_fault("answer")
        if fault is not None and fault.after_tokens is None:
            await _befall(fault, request)
        asked.reply = self.reply_to(*last_message(asked.body), asked.functions)
        if body.get("stream"):
            stream = self._streamed(asked, fault)
            return StreamingResponse(stream, media_type="text/event-stream")
        await self._wait(self.first_token_s)
        asked.finished = True
        return _whole(asked)

    def take_fault(self, on: str) -> Fault | None:
        """What is to go wrong with this, if anything; it is taken off the list."""
        index = next((i for i, fault in enumerate(self._faults) if fault.on == on), None)
        if index is None:
            return None
        fault = self._faults.pop(index)
        if fault.times > 1:
            self._faults.insert(index, replace(fault, times=fault.times - 1))
        return fault

    def reply_to(self, role: str, text: str, functions: Sequence[str]) -> Reply:
        """What is said next: by the script, or else by the first rule that fits.

        Args:
            role: Whose the last message is.
            text: What it says.
            functions: What may be called.
        """
        if self.script:
            return self.script.popleft()
        replies = (rule.reply(role, text, functions) for rule in self.rules)
        return next((reply for reply in replies if reply is not None), Reply("I see."))

    async def _streamed(self, asked: Asked, fault: Fault | None) -> AsyncIterator[str]:
        reply = asked.reply
        assert reply is not None
        head = _head(asked.body, "chat.completion.chunk")
        await self._wait(self.first_token_s)
        yield _event(head, {"role": "assistant", "content": None if reply.calls else ""})
        for number, delta in enumerate(_deltas(reply)):
            if fault is not None and fault.after_tokens == number:
                if fault.status is not None:
                    raise _Broken
                await asyncio.Event().wait()  # until the client goes
            if number:
                await self._wait(self.token_s)
            yield _event(head, delta)
        yield _event(head, {}, "tool_calls" if reply.calls else "stop")
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            yield _data({**head, "choices": [], "usage": _usage(asked)})
        asked.finished = True
        yield "data: [DONE]\n\n"


async def _befall(fault: Fault, request: Request) -> None:
    """What was ordered to happen instead of an answer."""
    if fault.status is None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        raise Refused(499, "The client has gone.")
    after = fault.retry_after_s
    headers = {"Retry-After": str(after)} if after is not None else None
    raise Refused(fault.status, headers=headers)


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    """A reply in the pieces that it is streamed in."""
    for piece in _PIECES.findall(reply.text):
        yield {"content": piece}
    for index, call in enumerate(reply.calls):
        function = {"name": call.name, "arguments": ""}
        yield {
            "tool_calls": [
                {"index": index, "id": _id("call"), "type": "function", "function": function}
            ]
        }
        for start in range(0, len(call.text), _ARGUMENTS_PIECE_CHARS):
            piece = call.text[start : start + _ARGUMENTS_PIECE_CHARS]
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _whole(asked: Asked) -> dict[str, Any]:
    reply = asked.reply
    assert reply is not None
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": _id("call"),
                "type": "function",
                "function": {"name": call.name, "arguments": call.text},
            }
            for call in reply.calls
        ]
    done = "tool_calls" if reply.calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": done}
    return {**_head(asked.body, "chat.completion"), "choices": [choice], "usage": _usage(asked)}


def _usage(asked: Asked) -> dict[str, int]:
    reply = asked.reply
    assert reply is not None
    prompt = len(json.dumps(asked.body["messages"])) // CHARACTERS_A_TOKEN + 1
    said = reply.text + "".join(call.name + call.text for call in reply.calls)
    completion = len(said) // CHARACTERS_A_TOKEN + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    # No time is told that a test would have to know.
    return {"id": _id("chatcmpl"), "object": kind, "created": 0, "model": body["model"]}


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    return _data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _data(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def _app(openai: OpenAI) -> FastAPI:
    app = FastAPI(title="Stand-in for OpenAI", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return error.answer

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        path = f"{request.method} {request.url.path}"
        return Refused(404, f"Invalid URL ({path})", code="unknown_url").answer

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        openai.check_key(request)
        listed: Sequence[str] = openai.models or ["stand-in"]
        return {"object": "list", "data": [_model(name) for name in listed]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str, request: Request) -> dict[str, Any]:
        openai.check_key(request)
        openai.check_model(name)
        return _model(name)

    @app.post("/v1/chat/completions", response_model=None)
    async def completions(request: Request) -> Any:
        openai.check_key(request)
        raw = await request.body()
        if len(raw) > MAX_BODY_BYTES:
            raise Refused(413, "The request is too large.")
        try:
            asked = json.loads(raw)
        except ValueError:
            asked = None
        return await openai.complete(request, checked(asked))

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        await openai.realtime.connect(socket)

    return app


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "greenroom"}
