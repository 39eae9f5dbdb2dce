"""A bot that may ask a language model; it never gets to."""

from __future__ import annotations

from typing import Any

from pipecat.services.openai.llm import OpenAILLMService

MODEL = OpenAILLMService


async def bot(runner_args: Any) -> None:
    """Nothing."""
