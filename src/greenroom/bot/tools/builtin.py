"""The built-in tools: those that the bot carries out itself, and those that it hands on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from greenroom.bot.context import BotSession
from greenroom.bot.tools.functions import BadTool, Check, Function, ToolError, checked_by_model
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.base import WireModel
from greenroom.wire.link import ReportKind
from greenroom.wire.tools import (
    TOOLBOX,
    Builtin,
    CardData,
    EndCall,
    HtmlData,
    OpenPage,
    OpenPanel,
    PanelData,
    ShowCard,
    ShowHtml,
    ToolOutcome,
    TurnCard,
    Where,
)

Goodbye = Callable[[str], Awaitable[Any]]


class Builtins:
    """The built-in functions of one session.

    Args:
        session: What is shown is reported here.
        goodbye: Says a farewell and ends the session. It is begun, and not waited for.
    """

    def __init__(self, session: BotSession, goodbye: Goodbye) -> None:
        self._session = session
        self._goodbye = goodbye
        self._card: CardData | None = None
        self._parting: asyncio.Future[Any] | None = None

    def functions_of(self, tool: ToolRecord) -> Iterator[Function]:
        """The functions of a built-in tool.

        Raises:
            BadTool: There is no built-in tool of this name.
        """
        if tool.name not in TOOLBOX:
            raise BadTool("there is no built-in tool of this name")
        for name, builtin in TOOLBOX[tool.name].items():
            yield Function(
                name=name,
                description=_description(tool, builtin),
                parameters=parameters_of(builtin.arguments),
                tool=tool,
                where=builtin.where,
                check=_check(tool, builtin.arguments),
                run=self._run if builtin.where is Where.BOT else None,
            )

    async def _run(self, asked: Any) -> Any:
        match asked:
            case ShowHtml(title=title, html=html):
                self._show("ui.html", HtmlData(id=_new_id(), title=title, html=html))
            case ShowCard(front=front, back=back):
                self._card = CardData(id=_new_id(), front=front, back=back)
                self._show("ui.card", self._card.model_copy(update={"back": None}))
            case TurnCard():
                if self._card is None:
                    raise ToolError(ToolOutcome.FAILED, "No card is shown.")
                self._show("ui.card", self._card)
            case OpenPanel(panel=panel, open=open_):
                self._show("ui.panel", PanelData(panel=panel, open=open_))
            case EndCall(farewell=farewell):
                self._parting = asyncio.ensure_future(self._goodbye(farewell))
        return {"done": True}

    def _show(self, event: str, data: WireModel) -> None:
        told = data.model_dump(mode="json", by_alias=True, exclude_none=True)
        self._session.report(ReportKind.APP, {"type": event, "data": told})


def parameters_of(arguments: type[WireModel]) -> dict[str, Any]:
    """JSON Schema of a built-in function's arguments, without what tells a model nothing."""
    schema = arguments.model_json_schema(by_alias=True)
    for name in ("title", "description"):
        schema.pop(name, None)
    return schema


def _description(tool: ToolRecord, builtin: Builtin) -> str:
    """The built-in words; a record's own where the tool is one function."""
    own = " ".join((builtin.arguments.__doc__ or "").split())
    return tool.description or own if len(TOOLBOX[tool.name]) == 1 else own


def _check(tool: ToolRecord, arguments: type[WireModel]) -> Check:
    check = checked_by_model(arguments)
    if arguments is not OpenPage:
        return check
    allowed = tool.settings.get("allow")
    hosts = [str(host).lower() for host in allowed] if isinstance(allowed, list) else []

    def check_address(given: dict[str, Any]) -> Any:
        asked = check(given)
        _require_allowed(asked.url, hosts)
        return asked

    return check_address


def _require_allowed(url: str, hosts: list[str]) -> None:
    """Only https, only hosts that the record names: exactly, or below ``*.example.org``.

    Raises:
        ToolError: Any other address; so none of the server's or the user's own network.
    """
    host = _plain_host(url)
    if host is None:
        raise ToolError(ToolOutcome.REFUSED, "url: must be a plain https address.")
    if not any(host == one or (one[:2] == "*." and host.endswith(one[1:])) for one in hosts):
        names = ", ".join(hosts) or "none"
        raise ToolError(
            ToolOutcome.REFUSED, f"url: this host is not allowed. Allowed: {names}"[:500]
        )


def _plain_host(url: str) -> str | None:
    """The host of an https address; None where a browser might read it otherwise than we do."""
    if "\\" in url or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        return None
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and parts.username is None and parts.port in (None, 443)
    except ValueError:
        return None
    return parts.hostname if plain else None


def _new_id() -> str:
    return secrets.token_hex(8)
