"""Tools: what an assistant may do beside talking, who carries it out, and what is told of it.

A record names tools (`greenroom.wire.assistants.ToolRecord`). Each gives one or more *functions*
to whoever speaks, a language model or a script. A call goes one way: the bot reports ``tool.call``;
whoever is named by ``where`` carries it out; what comes of it reaches the bot; the bot reports
``tool.result``, with how it went and how long it took. Both become events.

The built-in tools are described here, once, for models, scripts, the server and the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, Field

from greenroom.wire.base import WireModel

# A page of HTML is an argument, too.
MAX_ARGUMENTS_BYTES = 32 * 1024
MAX_RESULT_BYTES = 32 * 1024
MAX_HTML_CHARS = 24_000
MAX_NOTE_TITLE_CHARS = 200
MAX_NOTE_TEXT_CHARS = 8_000
MAX_ERROR_CHARS = 500
# No session is longer than a day, so no call is.
MAX_DURATION_MS = 24 * 3600 * 1000
DEFAULT_TIMEOUT_S = 15.0
MAX_TIMEOUT_S = 60.0
# A page asks its user before it opens an address, and people take their time.
CONSENT_TIMEOUT_S = 30.0


class Where(StrEnum):
    """Who carries a tool out."""

    BOT = "bot"
    SERVER = "server"
    PAGE = "page"


class ToolOutcome(StrEnum):
    """What came of a call."""

    OK = "ok"
    FAILED = "failed"  # the tool said so
    TIMEOUT = "timeout"  # nobody answered in time
    REFUSED = "refused"  # it was not allowed, did not exist, or its arguments did not match
    CANCELLED = "cancelled"  # the user spoke over it, or the session ended


class _Arguments(WireModel):
    """What a function is called with. A name that is none is refused."""

    model_config = ConfigDict(extra="forbid")


class CreateNote(_Arguments):
    """Write a note for the user and keep it."""

    title: str = Field(
        min_length=1, max_length=MAX_NOTE_TITLE_CHARS, description="A few words that say what it is"
    )
    text: str = Field(default="", max_length=MAX_NOTE_TEXT_CHARS, description="What to keep")


class ReadNote(_Arguments):
    """Read one of the user's notes."""

    id: str = Field(min_length=1, max_length=64, description="The note's id")


class EditNote(_Arguments):
    """Change the title or the text of one of the user's notes."""

    id: str = Field(min_length=1, max_length=64, description="The note's id")
    title: str | None = Field(default=None, min_length=1, max_length=MAX_NOTE_TITLE_CHARS)
    text: str | None = Field(default=None, max_length=MAX_NOTE_TEXT_CHARS)


class DeleteNote(_Arguments):
    """Delete one of the user's notes."""

    id: str = Field(min_length=1, max_length=64, description="The note's id")


class SearchNotes(_Arguments):
    """Find the user's notes: those that contain the words, or the newest if there are none."""

    query: str = Field(default="", max_length=200, description="Words to look for")


class ShowHtml(_Arguments):
    """Show the user a page of HTML beside the conversation. It can run no script."""

    title: str = Field(default="", max_length=200, description="Its heading")
    html: str = Field(
        min_length=1, max_length=MAX_HTML_CHARS, description="HTML with inline styles only"
    )


class OpenPage(_Arguments):
    """Open a web address in the user's browser. They are asked first."""

    url: str = Field(min_length=8, max_length=2_000, description="An https address")


class ShowCard(_Arguments):
    """Show the user a flash card; its back stays hidden until it is turned."""

    front: str = Field(min_length=1, max_length=500, description="The question")
    back: str = Field(min_length=1, max_length=500, description="The answer")


class TurnCard(_Arguments):
    """Turn the flash card that is shown, so that the user sees its back."""


class Panel(StrEnum):
    """What the page can show beside the conversation."""

    NOTES = "notes"
    HTML = "html"
    CARDS = "cards"
    MESSAGES = "messages"


class OpenPanel(_Arguments):
    """Open or close one of the page's panels."""

    panel: Panel
    open: bool = True


class EndCall(_Arguments):
    """Say goodbye and end the conversation."""

    farewell: str = Field(default="Goodbye!", min_length=1, max_length=500)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in function: its arguments, whose docstring tells a model what it does, and where."""

    arguments: type[WireModel]
    where: Where


TOOLBOX: Mapping[str, Mapping[str, Builtin]] = {
    "notes": {
        "create_note": Builtin(CreateNote, Where.SERVER),
        "read_note": Builtin(ReadNote, Where.SERVER),
        "edit_note": Builtin(EditNote, Where.SERVER),
        "delete_note": Builtin(DeleteNote, Where.SERVER),
        "search_notes": Builtin(SearchNotes, Where.SERVER),
    },
    "html": {"show_html": Builtin(ShowHtml, Where.BOT)},
    "browser": {"open_page": Builtin(OpenPage, Where.PAGE)},
    "flashcards": {
        "show_card": Builtin(ShowCard, Where.BOT),
        "turn_card": Builtin(TurnCard, Where.BOT),
    },
    "panels": {"open_panel": Builtin(OpenPanel, Where.BOT)},
    "end_call": {"end_call": Builtin(EndCall, Where.BOT)},
}
"""The built-in tools by the name that a record calls them, and the functions that each gives."""


# ---- what the bot reports; also the data of the events


CALL_ID_PATTERN = r"^[A-Za-z0-9_-]+$"


class ToolCallData(WireModel):
    """``voice.tool.call``: the assistant uses a tool. The page carries it out if ``where`` says so.

    Attributes:
        tool_call_id: Which call; letters and digits.
        tool: The tool's name in the record.
        name: The function's.
        where: Who carries it out.
        arguments: As the function takes them.
    """

    tool_call_id: str = Field(min_length=1, max_length=64, pattern=CALL_ID_PATTERN)
    tool: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=64)
    where: Where
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolResultData(WireModel):
    """``voice.tool.result``: what came of it. ``message``: of what did not succeed, for people."""

    tool_call_id: str = Field(min_length=1, max_length=64, pattern=CALL_ID_PATTERN)
    tool: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=64)
    outcome: ToolOutcome
    duration_ms: int = Field(ge=0, le=MAX_DURATION_MS)
    message: str | None = Field(default=None, max_length=500)


# ---- what the bot is told


class ToolAnswer(WireModel):
    """What a call that the server or the page carried out has come to: one of the two.

    ``result``: any JSON, up to `MAX_RESULT_BYTES`. ``error``: a sentence that the model may read.
    ``refused``: it was never tried. ``by``: who says so; a bot believes only who was to do it.
    """

    tool_call_id: str
    by: Where = Where.SERVER
    result: Any = None
    error: str | None = None
    refused: bool = False


class ToolResultBody(WireModel):
    """``POST /api/voice/session/{id}/tools/{toolCallId}``: what a page's tool has come to."""

    result: Any = None
    error: str | None = Field(default=None, max_length=MAX_ERROR_CHARS)


class ToolRequest(WireModel):
    """What is posted to an HTTP tool: the call, and for whom. Standard Webhooks sign it."""

    tool_call_id: str
    name: str
    arguments: dict[str, Any]
    session_id: str
    user_id: str
    tenant: str
    assistant: str


# ---- what the page shows


class NoteBody(WireModel):
    """A note of a user's. Times: RFC 3339, UTC."""

    id: str
    title: str
    text: str
    created_at: str
    updated_at: str


class NotesAnswer(WireModel):
    """``GET /api/voice/notes``: the user's notes, the latest changed first."""

    notes: list[NoteBody]


UI_NOTE = "ui.note"


class NoteData(WireModel):
    """``ui.note``: one of the user's notes was created, changed, deleted, or is to be shown."""

    action: Literal["created", "changed", "deleted", "shown"]
    note: NoteBody


class HtmlData(WireModel):
    """``ui.html``: to be shown in a frame without scripts, cookies and network."""

    id: str
    title: str
    html: str


class CardData(WireModel):
    """``ui.card``: a flash card; ``back`` only once it is turned."""

    id: str
    front: str
    back: str | None = None


class PanelData(WireModel):
    """``ui.panel``: a panel of the page opens or closes."""

    panel: Panel
    open: bool
