"""HTTP tools: a call is posted to an address of the record's, signed, and its answer taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from standardwebhooks import Webhook

from greenroom.assistants.tools import mismatches
from greenroom.errors import Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.deliveries import Answer, Sender, Undelivered
from greenroom.service.letters import USER_AGENT
from greenroom.service.policies import Outside, outside
from greenroom.service.tool_calls import Call, Done, ToolFailed, ToolRefused, ToolTooLate
from greenroom.wire.tools import MAX_ERROR_CHARS, MAX_RESULT_BYTES, ToolRequest

log = structlog.get_logger("greenroom.tools")

# What passes by itself; whoever asks again soon may well be answered.
_PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_ANY_ARGUMENTS = {"type": "object"}
# Room for what stands around a result.
MOST_ANSWER_BYTES = MAX_RESULT_BYTES + 1024


def _any(url: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class ToolServers:
    """What the house says of HTTP tools.

    Attributes:
        secrets: All of them sign each call (Standard Webhooks); none: there are no HTTP tools.
        problem_of: What is wrong with an address, in words; None: nothing is.
    """

    secrets: tuple[SecretStr, ...] = ()
    problem_of: Callable[[str], str | None] = _any


@dataclass(frozen=True, slots=True)
class _Place:
    """Implements `greenroom.ports.deliveries.Address`: tools of one host share its connections."""

    name: str
    url: str


class HttpTools:
    """Implements `greenroom.service.tool_calls.Runner` for tools of the kind ``http``.

    The same call has the same ``webhook-id`` at every try, so that the far side can take it once.

    Args:
        sender: Posts, only where it is allowed to.
        servers: What signs.
        clock: The time.
    """

    def __init__(self, sender: Sender, servers: ToolServers, clock: Clock) -> None:
        self._sender = sender
        self._servers = servers
        self._clock = clock

    async def __call__(self, call: Call) -> Done:
        """See `Runner`. Cancelled, nobody knows whether the far side has taken it."""
        if not self._servers.secrets:
            raise ToolRefused("This server calls no HTTP tools.")
        wrong = mismatches(call.tool.parameters or _ANY_ARGUMENTS, call.arguments)
        if wrong:
            raise ToolRefused(f"The arguments do not match. {'; '.join(wrong)}")
        place = _place(call)
        body = _body(call)
        try:
            async with asyncio.timeout(call.left_s):
                answer = await outside(Outside.ASK_TOOL, lambda: self._post(call, place, body))
        except TimeoutError:
            raise ToolTooLate("The tool did not answer in time.") from None
        except Unavailable as error:
            raise ToolFailed(error.message) from None
        return Done(_result(answer))

    async def _post(self, call: Call, place: _Place, body: str) -> Answer:
        try:
            answer = await self._sender.send(place, self._headers(call, body), body.encode())
        except Undelivered as why:
            # Why is the operator's to know: it may name addresses of the server's own network.
            log.warning("tool.unreachable", tool=call.tool.name, host=place.name, error=str(why))
            raise Unavailable("The tool's address could not be reached.") from None
        if answer.status in _PASSING:
            message = f"The tool is not available now (status {answer.status})."
            raise Unavailable(message, retry_after_s=answer.retry_after_s)
        return answer

    def _headers(self, call: Call, body: str) -> dict[str, str]:
        sent_at = datetime.fromtimestamp(int(self._clock.now()), UTC)
        signatures = [
            Webhook(secret.get_secret_value()).sign(call.key, sent_at, body)
            for secret in self._servers.secrets
        ]
        return {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": call.key,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _place(call: Call) -> _Place:
    url = str(call.tool.settings.get("url", ""))
    parts = urlsplit(url)
    return _Place(f"{parts.scheme}://{parts.netloc}", url)


def _body(call: Call) -> str:
    session = call.session
    request = ToolRequest(
        tool_call_id=call.id,
        name=call.name,
        arguments=dict(call.arguments),
        session_id=session.id,
        user_id=session.user_id,
        tenant=session.tenant,
        assistant=session.assistant,
    )
    return request.to_json()


def _result(answer: Answer) -> Any:
    """What an answer says: ``{"result": …}``, or any JSON; an empty one says nothing.

    Raises:
        ToolFailed: It says ``{"error": …}``, was refused, is too long, or is no JSON.
    """
    if len(answer.body) > MOST_ANSWER_BYTES:
        raise ToolFailed(f"The tool answered more than {MAX_RESULT_BYTES} bytes.")
    is_good = 200 <= answer.status < 300
    try:
        said = json.loads(answer.body, parse_constant=_no_number) if answer.body.strip() else None
    except (ValueError, RecursionError):
        if is_good:
            raise ToolFailed("The tool's answer is no JSON.") from None
        said = None
    if isinstance(said, Mapping) and said.get("error") is not None:
        error = said["error"]
        words = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
        # Half characters, which JSON may spell, cannot be told on.
        readable = words.encode(errors="replace").decode()
        raise ToolFailed(readable[:MAX_ERROR_CHARS] or "The tool failed without a word.")
    if not is_good:
        raise ToolFailed(f"The tool answered with status {answer.status}.")
    return said["result"] if isinstance(said, Mapping) and "result" in said else said


def _no_number(constant: str) -> float:
    raise ValueError(constant)
