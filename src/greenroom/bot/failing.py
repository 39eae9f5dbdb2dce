"""What people are told when a part of a bot fails: what kind of part it is, and what they can do.

Names of classes are for the log; whoever looks at a page cannot do anything with them.
"""

from __future__ import annotations

from typing import Any, Literal

from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

Part = Literal["ears", "voice", "model"]

_NAMES: dict[Part, str] = {
    "ears": "speech recognition",
    "voice": "voice",
    "model": "language model",
}
_WHAT_TO_DO: dict[Part | None, str] = {
    "ears": "If you are not heard, type instead, or start again.",
    "voice": "If you hear nothing, start again.",
    "model": "Ask again in a moment; if no answer comes, start again.",
    None: "If nobody answers, start again.",
}


def part_of(processor: Any) -> Part | None:
    """What kind of service this is; of a switcher, those that it switches between. Else None."""
    for one in (processor, *getattr(processor, "services", ())):
        match one:
            case STTService():
                return "ears"
            case TTSService():
                return "voice"
            case LLMService():  # one that hears and speaks by itself, too
                return "model"
    return None


def has_failed(processor: Any) -> str:
    """What is said when a part has failed."""
    part = part_of(processor)
    what = f"The {_NAMES[part]}" if part else "A part of the assistant"
    return f"{what} failed. {_WHAT_TO_DO[part]}"


def was_replaced(service: Any) -> str:
    """What is said when another service has taken over from a failed one."""
    part = part_of(service)
    what = f"The {_NAMES[part]}" if part else "A part of the assistant"
    return f"{what} failed, and another took over. The conversation goes on."
