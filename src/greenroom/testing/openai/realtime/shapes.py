"""What OpenAI's Realtime API accepts of a client, and how a refusal looks (reference of 2026)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

# G.711, which telephones speak, is refused here: this stand-in plays and hears PCM only.
RATE_HZ = 24_000
MAX_ITEM_ID_CHARS = 32


class Wrong(Exception):
    """An error event that is due; the connection stays open after it.

    Args:
        message: In OpenAI's words, as far as they are known.
        code: What programs go by.
        param: Which field it is about.
    """

    def __init__(self, message: str, code: str | None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Pcm(_Shape):
    type: Literal["audio/pcm"]
    rate: Literal[24000] | None = None


class _Transcription(_Shape):
    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class _NoiseReduction(_Shape):
    type: Literal["near_field", "far_field"]


class _ServerVad(_Shape):
    type: Literal["server_vad"]
    threshold: float | None = Field(default=None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(default=None, ge=0)
    silence_duration_ms: int | None = Field(default=None, ge=0)
    idle_timeout_ms: int | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class _SemanticVad(_Shape):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


_TurnDetection = Annotated[_ServerVad | _SemanticVad, Field(discriminator="type")]


class _AudioInput(_Shape):
    format: _Pcm | None = None
    transcription: _Transcription | None = None
    noise_reduction: _NoiseReduction | None = None
    turn_detection: _TurnDetection | None = None


class _AudioOutput(_Shape):
    format: _Pcm | None = None
    voice: str | None = None
    speed: float | None = Field(default=None, ge=0.25, le=1.5)


class _Audio(_Shape):
    input: _AudioInput | None = None
    output: _AudioOutput | None = None


class _Tool(_Shape):
    type: Literal["function"]
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Forced(_Shape):
    type: Literal["function"]
    name: str


class _Reasoning(_Shape):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


_Modalities = Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=1)]
_MostTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
_Choice = Literal["auto", "none", "required"] | _Forced


class _Answering(_Shape):
    """How a response is made: as the session says, or as it itself does."""

    output_modalities: _Modalities | None = None
    instructions: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: _Choice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: _MostTokens | None = None
    prompt: Any = None
    reasoning: _Reasoning | None = None


class _Session(_Answering):
    type: Literal["realtime"]
    model: str | None = None
    audio: _Audio | None = None
    tracing: Any = None
    include: list[str] | None = None
    truncation: Any = None


class _ResponseAudio(_Shape):
    output: _AudioOutput | None = None


class _Response(_Answering):
    conversation: Literal["auto", "none"] | None = None
    metadata: dict[str, str] | None = None
    audio: _ResponseAudio | None = None


class _Item(_Shape):
    id: str | None = Field(default=None, max_length=MAX_ITEM_ID_CHARS)
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class _Content(_Shape):
    type: str
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None
    image_url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


class _Message(_Item):
    type: Literal["message"]
    role: Literal["user", "assistant", "system"]
    content: list[_Content]


class _Call(_Item):
    type: Literal["function_call"]
    name: str
    arguments: str
    call_id: str | None = None


class _CallOutput(_Item):
    type: Literal["function_call_output"]
    call_id: str
    output: str


class _Event(_Shape):
    event_id: str | None = Field(default=None, max_length=512)


class _Update(_Event):
    type: Literal["session.update"]
    session: _Session


class _Append(_Event):
    type: Literal["input_audio_buffer.append"]
    audio: str


class _Bare(_Event):
    type: Literal["input_audio_buffer.commit", "input_audio_buffer.clear"]


class _ItemCreate(_Event):
    type: Literal["conversation.item.create"]
    previous_item_id: str | None = None
    item: Annotated[_Message | _Call | _CallOutput, Field(discriminator="type")]


class _ItemNamed(_Event):
    type: Literal["conversation.item.retrieve", "conversation.item.delete"]
    item_id: str


class _Truncate(_Event):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: int
    audio_end_ms: int = Field(ge=0)


class _Create(_Event):
    type: Literal["response.create"]
    response: _Response | None = None


class _Cancel(_Event):
    type: Literal["response.cancel"]
    response_id: str | None = None


_EVENTS: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        _Update | _Append | _Bare | _ItemCreate | _ItemNamed | _Truncate | _Create | _Cancel,
        Field(discriminator="type"),
    ]
)
_KNOWN = (
    *("session.update", "input_audio_buffer.append", "input_audio_buffer.commit"),
    *("input_audio_buffer.clear", "conversation.item.create", "conversation.item.retrieve"),
    *("conversation.item.truncate", "conversation.item.delete", "response.create"),
    "response.cancel",
)
# How Pydantic names which of several shapes it means; no fields.
_CHOSEN = {
    *("server_vad", "semantic_vad", "message", "function_call", "function_call_output"),
    *("_Forced", "int", "literal['inf']", "literal['auto','none','required']"),
}
_CONTENT = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text", "output_audio"),
}


def checked(event: Any) -> dict[str, Any]:
    """A client's event, if OpenAI would take its shape.

    Raises:
        Wrong: It would not.
    """
    if not isinstance(event, dict):
        raise Wrong("Could not parse the event: it must be a JSON object.", "invalid_json")
    kind = event.get("type")
    if kind is None:
        raise Wrong("Missing required parameter: 'type'.", "missing_required_parameter", "type")
    if kind not in _KNOWN:
        raise Wrong(_invalid(kind, _KNOWN), "invalid_value", "type")
    try:
        _EVENTS.validate_python(event)
    except ValidationError as error:
        raise _wrong(error) from error
    if kind == "conversation.item.create":
        _check_item(event["item"])
    names = [tool["name"] for tool in (event.get("session") or {}).get("tools") or []]
    if len(set(names)) < len(names):
        raise Wrong("Invalid 'session.tools': names must be unique.", "invalid_value", "tools")
    return event


def _check_item(item: dict[str, Any]) -> None:
    if item["type"] != "message":
        return
    allowed = _CONTENT[item["role"]]
    for index, part in enumerate(item["content"]):
        at = f"item.content[{index}]"
        if part["type"] not in allowed:
            raise Wrong(_invalid(part["type"], allowed), "invalid_value", f"{at}.type")
        needed = {"input_audio": "audio", "output_audio": "transcript", "input_image": "image_url"}
        name = needed.get(part["type"], "text")
        if not part.get(name):
            message = f"Missing required parameter: '{at}.{name}'."
            raise Wrong(message, "missing_required_parameter", f"{at}.{name}")


def _wrong(error: ValidationError) -> Wrong:
    """The first mistake, in OpenAI's form."""
    mistakes = error.errors(include_url=False, include_context=False)
    # What does not exist at all first: something missing is often only written wrongly.
    first = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    path = ""
    for part in first["loc"][1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in _CHOSEN:
            path += f".{part}" if path else part
    match first["type"]:
        case "extra_forbidden":
            return Wrong(f"Unknown parameter: '{path}'.", "unknown_parameter", path)
        case "missing" | "union_tag_not_found":
            path = path if first["type"] == "missing" else f"{path}.type"
            message = f"Missing required parameter: '{path}'."
            return Wrong(message, "missing_required_parameter", path)
        case kind if kind.endswith("_type"):
            message = f"Invalid type for '{path}': {first['msg']}."
            return Wrong(message, "invalid_type", path)
        case _:
            return Wrong(f"Invalid value for '{path}': {first['msg']}.", "invalid_value", path)


def _invalid(value: Any, allowed: tuple[str, ...]) -> str:
    supported = ", ".join(f"'{one}'" for one in allowed)
    return f"Invalid value: '{value}'. Supported values are: {supported}."
