"""VAPI's calls over HTTP: what a page asks for, what of it is honoured, and what it is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from greenroom.errors import BadRequest, UnsupportedCall
from greenroom.session.model import EndReason, Session, Stage
from greenroom.wire.translate import rfc3339
from greenroom.wire.vapi import messages as m
from greenroom.wire.webhooks import MAX_URL_CHARS

MAX_TEXT_CHARS = 4_000
MAX_NAMES = 64
# VAPI's own bound of a phrase.
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=140)]
Name = Annotated[str, StringConstraints(max_length=128)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]
SECRET_HEADER = "X-Vapi-Secret"  # noqa: S105 - a header's name
# A page names them, so they are none that mean something on the way.
_HEADER = re.compile(r"(?i)(authorization|x-[a-z0-9-]{1,62})")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,2048}")
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")
_KEYS = ("credentials", "credentialIds")
# Read and honoured here, and of no concern to a bot: where messages go, and by which secret.
_SERVER_FIELDS = ("server", "serverUrl", "serverUrlSecret")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Asked(_Body):
    """What somebody else writes: what is not known here is kept, and told of."""

    model_config = ConfigDict(extra="allow")


class Server(_Asked):
    """Where a customer takes messages."""

    url: str | None = Field(default=None, max_length=MAX_URL_CHARS)
    secret: Annotated[str, StringConstraints(max_length=1_024)] | None = None
    headers: dict[str, str] | None = Field(default=None, max_length=16)


class Assistant(_Asked):
    """What of VAPI's assistant, or of its overrides, means something here; the rest is the bot's.

    ``name``: of an inline assistant, which of the server's assistants is to speak it, if it is one.
    """

    name: Name | None = None
    first_message: Text | None = None
    first_message_mode: Name | None = None
    max_duration_seconds: float | None = Field(default=None, gt=0, le=43_200)
    silence_timeout_seconds: float | None = Field(default=None, gt=0, le=3_600)
    end_call_message: Text | None = None
    end_call_phrases: list[Phrase] | None = Field(default=None, max_length=MAX_NAMES)
    variable_values: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    client_messages: list[Name] | None = Field(default=None, max_length=MAX_NAMES)
    server_messages: list[Name] | None = Field(default=None, max_length=MAX_NAMES)
    server: Server | None = None
    server_url: str | None = Field(default=None, max_length=MAX_URL_CHARS)
    server_url_secret: Annotated[str, StringConstraints(max_length=1_024)] | None = None


class CreateWebCall(_Asked):
    """``POST /call/web``. What the SDK leaves out is undefined there, and so not in the body."""

    assistant_id: Name | None = None
    assistant: Assistant | None = None
    assistant_overrides: Assistant | None = None
    metadata: dict[str, Any] | None = None
    room_delete_on_user_leave_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call as it is asked for.

    Attributes:
        assistant: Which of the server's assistants speaks; None: the first.
        inline: ``assistant`` is only a wish: the page wrote its assistant out.
        wishes: Limits that it asks for: the field of `Limits`, seconds, and where it was asked.
        keeps_room: The bot waits for a user who leaves.
        body: What the session's body has under `messages.BODY_KEY`.
        ignored: What Greenroom itself does nothing about; the bot is told of it all the same.
    """

    assistant: str | None
    inline: bool
    wishes: Mapping[str, tuple[float, str]]
    keeps_room: bool
    body: dict[str, Any]
    ignored: list[str]

    @property
    def consented(self) -> bool:
        """Whether the user agrees to be recorded: VAPI's own wire says that nowhere else."""
        return (self.body.get("metadata") or {}).get("recordingConsent") is True


class Transport(_Body):
    """How the page gets into the room. The SDK joins with ``call_token`` from its 2.7 on."""

    provider: str = "daily"
    assistant_video_enabled: bool = False
    call_url: str | None = None
    call_token: str | None = None


class CallAnswer(_Body):
    """A call. Of an ended one the reason, the report's figures and what was said are there, too.

    ``ignored``: fields that were asked for, and with which Greenroom itself does nothing.
    """

    id: str
    org_id: str
    type: str = "webCall"
    status: str
    created_at: str
    updated_at: str
    web_call_url: str | None = None
    transport: Transport | None = None
    assistant_id: str | None = None
    assistant: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    ended_reason: str | None = None
    cost: float | None = None
    cost_breakdown: dict[str, float] | None = None
    messages: list[dict[str, Any]] | None = None
    artifact: dict[str, Any] | None = None
    ignored: list[str] | None = None


# ---- what is asked for


def plan_of(asked: CreateWebCall) -> CallPlan:
    """What a page asks for, sorted.

    Raises:
        UnsupportedCall: It asks for a squad or a workflow.
        BadRequest: It names nobody to talk to, or brings keys or headers that are not its to bring.
    """
    others = [name for name in asked.model_extra or {} if name.startswith(("squad", "workflow"))]
    given = [name for name in others if (asked.model_extra or {})[name] is not None]
    if given:
        raise UnsupportedCall(
            f"“{given[0]}”: a call here is with one assistant of this server.", field=given[0]
        )
    if asked.assistant_id is None and asked.assistant is None:
        raise BadRequest("Name an assistant: “assistantId”.", field="assistantId")
    parts = {"assistant": asked.assistant, "assistantOverrides": asked.assistant_overrides}
    written = {where: part for where, part in parts.items() if part is not None}
    for where, part in written.items():
        _refuse_keys(where, part)
    merged = _merged(written)
    variables = {str(k): v for k, v in (merged.get("variableValues") or {}).items()}
    told = {name: _filled(value, variables) for name, value in merged.items()}
    return CallPlan(
        assistant=asked.assistant_id or (asked.assistant.name if asked.assistant else None),
        inline=asked.assistant_id is None,
        wishes=_wishes(written),
        keeps_room=asked.room_delete_on_user_leave_enabled is False,
        body=_body(told, asked.metadata, variables, _server_of(written)),
        ignored=_ignored(asked, written),
    )


def _refuse_keys(where: str, part: Assistant) -> None:
    for name in _KEYS:
        if (part.model_extra or {}).get(name):
            raise BadRequest(f"“{where}.{name}”: a page brings no keys.", field=f"{where}.{name}")


def _merged(written: Mapping[str, Assistant]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in written.values():
        merged |= part.model_dump(by_alias=True, exclude_none=True)
    return {name: value for name, value in merged.items() if name not in _SERVER_FIELDS}


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """A text with its ``{{variables}}``; one that nobody gave stays as it is."""
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda found: str(variables.get(found[1], found[0])), value)


def _wishes(written: Mapping[str, Assistant]) -> dict[str, tuple[float, str]]:
    names = {"max_duration_seconds": "max_duration_s", "silence_timeout_seconds": "idle_s"}
    wishes: dict[str, tuple[float, str]] = {}
    for where, part in written.items():
        for name, ours in names.items():
            value = getattr(part, name)
            if value is not None:
                wishes[ours] = (value, f"{where}.{to_camel(name)}")
    return wishes


def _body(
    assistant: dict[str, Any],
    metadata: dict[str, Any] | None,
    variables: dict[str, Any],
    server: dict[str, Any] | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {"assistant": assistant}
    known = metadata if metadata is not None else assistant.get("metadata")
    body |= {"metadata": known} if known else {}
    body |= {"variableValues": variables} if variables else {}
    body |= {"server": server} if server else {}
    return body


def _server_of(written: Mapping[str, Assistant]) -> dict[str, Any] | None:
    """Where messages go, as the last that was written says: address and headers."""
    found: dict[str, Any] | None = None
    for where, part in written.items():
        server = part.server or Server()
        url = server.url or part.server_url
        if url is None:
            continue
        _check_url(url, f"{where}.server.url" if server.url else f"{where}.serverUrl")
        headers = dict(server.headers or {})
        secret = server.secret or part.server_url_secret
        headers |= {SECRET_HEADER: secret} if secret else {}
        _check_headers(headers, f"{where}.server.headers")
        found = {"url": url, "headers": headers}
    return found


def is_address(url: str) -> bool:
    """Whether messages can be posted there, whoever that is."""
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
    except ValueError:
        return False
    nobody = not (parts.username or parts.password or parts.fragment)
    return plain and nobody and parts.scheme in ("https", "http") and bool(parts.hostname)


def _check_url(url: str, field: str) -> None:
    if not is_address(url):
        raise BadRequest(
            f"“{field}” must be an address, like https://app.example/vapi", field=field
        )


def _check_headers(headers: Mapping[str, str], field: str) -> None:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise BadRequest(
                f"“{field}”: only Authorization and X-…, in printable ASCII.", field=field
            )


def _ignored(asked: CreateWebCall, written: Mapping[str, Assistant]) -> list[str]:
    ignored = [name for name, value in (asked.model_extra or {}).items() if value is not None]
    for where, part in written.items():
        ignored += [f"{where}.{name}" for name in part.model_extra or {} if name not in _KEYS]
        ignored += [f"{where}.server.{n}" for n in (part.server and part.server.model_extra) or {}]
        ignored += [f"{where}.{name}" for name in _of_no_server(part)]
        for names, known in (
            ("client_messages", m.CLIENT_MESSAGES),
            ("server_messages", m.SERVER_MESSAGES),
        ):
            told = getattr(part, names) or ()
            ignored += [f"{where}.{to_camel(names)}: {n}" for n in told if n not in known]
    return sorted(ignored)


def _of_no_server(part: Assistant) -> list[str]:
    """What would go along to a server, where none is named."""
    server = part.server or Server()
    if server.url or part.server_url:
        return []
    given = {
        "server.secret": server.secret,
        "server.headers": server.headers,
        "serverUrlSecret": part.server_url_secret,
    }
    return [name for name, value in given.items() if value]


# ---- what a session is


def call_of(session: Session) -> dict[str, Any] | None:
    """What a session's body says of its VAPI call; None: it is none."""
    found = session.body.get(m.BODY_KEY)
    return found if isinstance(found, dict) else None


def for_the_bot(body: dict[str, Any]) -> dict[str, Any]:
    """A session's body as its bot gets it: without where messages go, and by what secret."""
    call = body.get(m.BODY_KEY)
    if not isinstance(call, dict) or "server" not in call:
        return body
    return {**body, m.BODY_KEY: {name: told for name, told in call.items() if name != "server"}}


_STATUS = {
    Stage.QUEUED: "queued",
    Stage.CONNECTING: "ringing",
    Stage.ACTIVE: "in-progress",
    Stage.LINGERING: "in-progress",
    Stage.ENDING: "in-progress",
    Stage.ENDED: "ended",
}


def status_of(session: Session) -> str:
    """How a call stands, in VAPI's words."""
    return _STATUS[session.stage]


def call_facts(session: Session, now: float) -> dict[str, Any]:
    """What every form of a call says of it, by the names of `CallAnswer`."""
    call = call_of(session) or {}
    ended = session.stage is Stage.ENDED
    return {
        "id": session.id,
        "org_id": session.tenant,
        "status": status_of(session),
        "created_at": rfc3339(session.created_at),
        "updated_at": rfc3339(session.ended_at or now),
        "assistant_id": session.assistant,
        "metadata": call.get("metadata"),
        "started_at": rfc3339(session.active_at) if session.active_at else None,
        "ended_at": rfc3339(session.ended_at) if ended and session.ended_at else None,
    }


def shown_assistant(session: Session) -> dict[str, Any]:
    """The assistant as messages show it: what the page wrote, and its name here."""
    call = call_of(session) or {}
    return {"id": session.assistant, "name": session.assistant, **call.get("assistant", {})}


def ended_as(reason: EndReason | None, told: str | None = None) -> str | None:
    """VAPI's word for the end; None: it has not ended."""
    return m.ended_reason(reason.value, told) if reason is not None else None
