"""The record of an assistant: who speaks, with which services and tools, within which limits.

The same names in a YAML file, in JSON and in what a bot is told of its session (`BotRecord`,
without what is none of its business). Here is the shape; `greenroom.assistants` reads and checks.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from greenroom.wire.base import WireModel
from greenroom.wire.script import ScriptRecord
from greenroom.wire.tools import MAX_TIMEOUT_S

# It travels to the bot in one `Welcome`, beside a body of up to 192 KiB: a message of the link
# holds 256.
MAX_RECORD_BYTES = 48 * 1024
MAX_NAME_CHARS = 64
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=NAME_PATTERN)]
Phrase = Annotated[str, Field(min_length=1, max_length=200)]
Percentage = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class _Part(WireModel):
    """A part of a record. A name that is none is refused: whoever wrote it relies on it."""

    model_config = ConfigDict(extra="forbid")


class OneService(_Part):
    """One of Pipecat's services, by its name or import path, and the settings that it is made with.

    Keys are none of them: those come from the environment of whoever runs the service.
    """

    service: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$")
    settings: dict[str, Any] = Field(default_factory=dict)


class ServiceRecord(OneService):
    """A service, and what takes its place, in this order, when it fails."""

    fallbacks: list[OneService] = Field(default_factory=list, max_length=4)


class VoiceRecord(_Part):
    """Which voice of the service speaks, and how; ``parameters`` are the service's own."""

    name: str | None = Field(default=None, max_length=128)
    parameters: dict[str, Any] = Field(default_factory=dict)


class ToolRecord(_Part):
    """A tool that the assistant may use. It has those that are named, and no other.

    Attributes:
        name: A built-in tool's (`greenroom.wire.tools.TOOLBOX`), or what it shall be called.
        kind: ``function``: one of the server's folder of tools; ``http``: an address that the
            server asks; ``mcp``: the tools of an MCP server; ``page``: the page's own.
        description: What tells a model when to use it.
        parameters: JSON Schema of its arguments.
        settings: Its kind's own: where it is, for example.
        timeout_s: How long a call may take.
        flag: It is there only while this feature flag says so for the user.
        users: It is there only for these users; for all, if not said.
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    kind: Literal["builtin", "function", "http", "mcp", "page"] = "builtin"
    description: str | None = Field(default=None, max_length=2_000)
    parameters: dict[str, Any] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)
    flag: str | None = Field(default=None, min_length=1, max_length=128)
    users: list[Annotated[str, Field(min_length=1, max_length=255)]] | None = Field(
        default=None, max_length=1_000
    )


class TurnRecord(_Part):
    """How it is noticed that the user has finished.

    ``detection``: ``model`` asks a small model whether a pause ends the turn; ``silence`` waits for
    ``silenceS`` of it. ``interruptible``: whether the user may speak over the assistant.
    """

    detection: Literal["model", "silence"] = "model"
    silence_s: float = Field(default=0.6, ge=0, le=5, allow_inf_nan=False)
    interruptible: bool = True


class ContextRecord(_Part):
    """How much of the conversation a model is told.

    Above ``mostTokens`` (estimated) or ``mostMessages`` since the last summary, what is older is
    summarised; so the context stays within bounds however long the conversation is.
    """

    most_tokens: int = Field(default=8_000, ge=500, le=1_000_000)
    most_messages: int = Field(default=40, ge=4, le=10_000)


class IdlePrompts(_Part):
    """What is said when the user was silent for ``afterS``: at most ``most`` times in a row."""

    after_s: Seconds = 20.0
    messages: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        min_length=1, max_length=16
    )
    most: int = Field(default=3, ge=1, le=20)


class VoiceSessionConfig(_Part):
    """How sessions go. Times in seconds; what is not said is the server's.

    ``enabled``: whether sessions may be started; ``persistence``: how long the bot waits for a
    vanished user; ``roomPrivacy``: rooms are always private; ``maxDuration``: the hard limit;
    ``autoStart``: whether a page starts without a click.
    """

    enabled: bool = True
    persistence: float | None = Field(default=None, ge=0, le=86_400, allow_inf_nan=False)
    room_privacy: Literal["private"] = "private"
    max_duration: Seconds | None = None
    auto_start: bool = False


class LimitsRecord(_Part):
    """Further time limits, in seconds; what is not said is the server's."""

    join_s: Seconds | None = None
    idle_s: Seconds | None = None
    pause_s: Seconds | None = None
    queue_s: Seconds | None = None


class BudgetRecord(_Part):
    """``sessionUsd``: a session that has cost so much is ended."""

    session_usd: float | None = Field(default=None, gt=0, le=1_000_000, allow_inf_nan=False)


class Rollout(_Part):
    """For whom Greenroom speaks, and for whom the other side still does.

    ``percentage`` of users (or, ``by: assistant``, of assistants) come to Greenroom, by a stable
    hash; ``tenants`` have percentages of their own; ``testers`` (user ids) always come. ``salt``
    draws anew: two assistants with the same salt draw the same users.
    """

    percentage: Percentage = 100.0
    by: Literal["user", "assistant"] = "user"
    tenants: dict[Annotated[str, Field(min_length=1, max_length=128)], Percentage] = Field(
        default_factory=dict, max_length=1_000
    )
    testers: list[Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        default_factory=list, max_length=1_000
    )
    salt: str | None = Field(default=None, max_length=64)


class BotRecord(_Part):
    """What the bot is told of its assistant: all of it that is of use to it."""

    name: Name
    title: str | None = Field(default=None, max_length=200)
    persona: str | None = Field(default=None, max_length=32_000)
    personality: str | None = Field(default=None, max_length=32_000)
    first_message: str | None = Field(default=None, max_length=2_000)
    language: str | None = Field(
        default=None, max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
    )
    stt: ServiceRecord | None = None
    llm: ServiceRecord | None = None
    tts: ServiceRecord | None = None
    speech_to_speech: ServiceRecord | None = None
    voice: VoiceRecord | None = None
    turns: TurnRecord = Field(default_factory=TurnRecord)
    context: ContextRecord = Field(default_factory=ContextRecord)
    tools: list[ToolRecord] = Field(default_factory=list, max_length=64)
    script: ScriptRecord | None = None
    end_phrases: list[Phrase] = Field(default_factory=list, max_length=64)
    end_message: str | None = Field(default=None, max_length=1_000)
    idle_prompts: IdlePrompts | None = None
    voice_session_config: VoiceSessionConfig = Field(default_factory=VoiceSessionConfig)
    metadata: dict[str, Any] = Field(default_factory=dict)


class PageMay(StrEnum):
    """What a page may tell the assistant that talks with its user.

    Beside what they may type, and what ``overrides`` lets a start, and so a page, change.
    """

    CONTEXT = "context"
    """Let it know something, as its user's word."""
    SAY = "say"
    """Have it say something: words that its user chooses, in the assistant's mouth."""


# Who gets a tool is decided before there is a bot.
_OF_THE_GATE = ("flag", "users")


class AssistantRecord(BotRecord):
    """A whole record.

    ``bot``: module or file of the bot that speaks it, one that the server was told of; the
    server's own if not said. ``overrides``: paths (``firstMessage``, ``voice.parameters``) that a
    start may replace, with everything below them; none, unless said. ``pageMay``: what a page may
    tell it while it talks.
    """

    bot: str | None = Field(default=None, min_length=1, max_length=512)
    limits: LimitsRecord = Field(default_factory=LimitsRecord)
    budget: BudgetRecord = Field(default_factory=BudgetRecord)
    rollout: Rollout = Field(default_factory=Rollout)
    overrides: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=100
    )
    page_may: list[PageMay] = Field(
        default_factory=lambda: [PageMay.CONTEXT], max_length=len(PageMay)
    )

    def for_bot(self, granted: Collection[str] | None = None) -> BotRecord:
        """What the bot is told: no other users' ids, no money, nothing about who may do what.

        Args:
            granted: The names of the tools that it has; all of them if None.
        """
        told = self.model_dump(include=set(BotRecord.model_fields), exclude_unset=True)
        if "tools" in told:
            told["tools"] = [
                {name: value for name, value in tool.items() if name not in _OF_THE_GATE}
                for tool in told["tools"]
                if granted is None or tool["name"] in granted
            ]
        return BotRecord.model_validate(told)


def as_data(record: BotRecord) -> dict[str, Any]:
    """A record as JSON with the names of the wire, and nothing that nobody said."""
    return record.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
