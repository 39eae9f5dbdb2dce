"""What a Realtime session remembers: its settings, its items, and what reading them costs."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

from greenroom.testing.openai.realtime.shapes import RATE_HZ, Wrong
from greenroom.testing.openai.realtime.sounds import milliseconds

CHARACTERS_A_TOKEN = 4
# By OpenAI's price page: 100 ms of a user's speech are a token, and 50 ms of the model's.
USER_MS_A_TOKEN = 100
MODEL_MS_A_TOKEN = 50

_SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}


def new_id(prefix: str) -> str:
    """A name for something, as OpenAI gives them."""
    return f"{prefix}_{secrets.token_hex(10)}"


def new_session(model: str) -> dict[str, Any]:
    """What a session is like before its client says how it is to be."""
    pcm = {"type": "audio/pcm", "rate": RATE_HZ}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess"),
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful assistant.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "prompt": None,
        "include": None,
        "truncation": "auto",
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_SERVER_VAD),
            },
            "output": {"format": dict(pcm), "voice": "marin", "speed": 1.0},
        },
    }


def updated(session: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A session as a ``session.update`` wants it; what is left out stays as it is."""
    new = copy.deepcopy(session)
    for name, value in change.items():
        if name != "audio":
            new[name] = value
    for side, told in (change.get("audio") or {}).items():
        new["audio"][side].update(told or {})
    turns = new["audio"]["input"]["turn_detection"]
    if turns is not None:
        usual = _SERVER_VAD if turns["type"] == "server_vad" else _SEMANTIC_VAD
        new["audio"]["input"]["turn_detection"] = {**usual, **turns}
    return new


@dataclass
class Item:
    """One item of a conversation.

    Attributes:
        data: As it goes over the wire.
        text: What it says, whether written, spoken or heard.
        pcm: What it sounds like.
    """

    data: dict[str, Any]
    text: str = ""
    pcm: bytes = b""

    @property
    def role(self) -> str:
        """Whose it is: ``user``, ``assistant``, ``system``; ``tool`` is what came of a call."""
        if self.data["type"] == "function_call_output":
            return "tool"
        return str(self.data.get("role", "assistant"))

    @property
    def tokens(self) -> tuple[int, int]:
        """What reading it costs: tokens of text, and of sound."""
        if self.pcm:
            each = USER_MS_A_TOKEN if self.role == "user" else MODEL_MS_A_TOKEN
            return 0, int(milliseconds(self.pcm) / each) + 1
        return len(self.text) // CHARACTERS_A_TOKEN + 1, 0


@dataclass
class Conversation:
    """The items of a session, in order."""

    items: list[Item] = field(default_factory=list)
    _read: tuple[int, int] = (0, 0)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Add an item; at the end, if ``after`` names none.

        Returns:
            The id of the item before it.

        Raises:
            Wrong: There is no such item to add it after, its id is taken, or it answers no call.
        """
        data = item.data
        if any(one.data["id"] == data["id"] for one in self.items):
            message = f"Error adding item: an item with id '{data['id']}' already exists."
            raise Wrong(message, "item_create_duplicate_item_id", "item.id")
        if data["type"] == "function_call_output":
            self._check_call(data["call_id"])
        place = len(self.items)
        if after == "root":
            place = 0
        elif after is not None:
            before = self.get(after, "item_create_invalid_previous_item_id", "previous_item_id")
            place = self.items.index(before) + 1
        self.items.insert(place, item)
        return self.items[place - 1].data["id"] if place else None

    def get(self, item_id: str, code: str, param: str = "item_id") -> Item:
        """The item of this id.

        Raises:
            Wrong: There is none; with this code.
        """
        for item in self.items:
            if item.data["id"] == item_id:
                return item
        raise Wrong(f"The item with id '{item_id}' does not exist.", code, param)

    def truncate(self, item_id: str, content_index: int, end_ms: int) -> None:
        """Forget what of the assistant's words was not heard.

        Raises:
            Wrong: It was no speech of the assistant's, or it is shorter than that.
        """
        item = self.get(item_id, "item_truncate_invalid_item_id")
        if item.role != "assistant" or item.data["type"] != "message" or content_index != 0:
            message = "Only the audio of assistant messages can be truncated."
            raise Wrong(message, "invalid_value", "item_id")
        if (length_ms := milliseconds(item.pcm)) < end_ms:
            message = f"Audio content of {int(length_ms)}ms is already shorter than {end_ms}ms"
            raise Wrong(message, "invalid_value", "audio_end_ms")
        heard = len(item.text) * end_ms // max(1, int(length_ms))
        item.pcm, item.text = item.pcm[: end_ms * RATE_HZ * 2 // 1000], item.text[:heard]

    def said(self) -> list[tuple[str, str]]:
        """Who said what, so far."""
        return [(item.role, item.text) for item in self.items]

    def read(self, told: str) -> dict[str, Any]:
        """What reading it all costs. Side effect: it is in the cache from now on.

        Args:
            told: What the model is told beside the items.
        """
        counted = [item.tokens for item in self.items]
        text = sum(one for one, _ in counted) + len(told) // CHARACTERS_A_TOKEN
        audio = sum(one for _, one in counted)
        cached_text, cached_audio = min(text, self._read[0]), min(audio, self._read[1])
        self._read = (text, audio)
        return {
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": 0,
            "cached_tokens": cached_text + cached_audio,
            "cached_tokens_details": {
                "text_tokens": cached_text,
                "audio_tokens": cached_audio,
                "image_tokens": 0,
            },
        }

    def _check_call(self, call_id: str) -> None:
        calls = [one.data for one in self.items if one.data.get("call_id") == call_id]
        if [one["type"] for one in calls] != ["function_call"]:
            message = f"Tool call ID '{call_id}' not found in conversation."
            raise Wrong(message, "invalid_tool_call_id", "item.call_id")


def usage(read: dict[str, Any], text: str, pcm: bytes) -> dict[str, Any]:
    """What an answer costs.

    Args:
        read: What it was to read the conversation.
        text: What was written, or said.
        pcm: The sound of it.
    """
    wrote = len(text) // CHARACTERS_A_TOKEN + 1
    spoke = int(milliseconds(pcm) / MODEL_MS_A_TOKEN)
    inputs = read["text_tokens"] + read["audio_tokens"]
    return {
        "total_tokens": inputs + wrote + spoke,
        "input_tokens": inputs,
        "output_tokens": wrote + spoke,
        "input_token_details": read,
        "output_token_details": {"text_tokens": wrote, "audio_tokens": spoke},
    }


def item_of(data: dict[str, Any]) -> Item:
    """An item that a client has sent, complete as the server knows it."""
    whole = {"id": new_id("item"), "object": "realtime.item", "status": "completed", **data}
    if whole["type"] == "function_call":
        whole.setdefault("call_id", new_id("call"))
        return Item(whole, whole["name"] + whole["arguments"])
    if whole["type"] == "function_call_output":
        return Item(whole, whole["output"])
    words = (part.get("text") or part.get("transcript") or "" for part in whole["content"])
    return Item(whole, " ".join(words))
