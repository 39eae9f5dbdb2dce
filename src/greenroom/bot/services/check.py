"""Whether an assistant could work here: ``python -m greenroom.bot.services.check``.

Reads ``{"record": {…}, "try": false}`` from standard input and writes ``{"problems": [{path, code,
message}]}``. It runs in the bots' environment: what is missing there is missing for a call.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

from loguru import logger

from greenroom.bot.services.make import Maker, Services
from greenroom.bot.services.problems import NotReady, Problem
from greenroom.wire.assistants import BotRecord

TRIED_WITHIN_S = 15.0


async def check(record: BotRecord, *, try_it: bool = False) -> list[Problem]:
    """What keeps this record from working; nothing if it would.

    Args:
        record: The assistant's.
        try_it: Also ask its language model for a word, which may cost a fraction of a cent.
    """
    if record.llm is None and record.speech_to_speech is None:
        return []
    try:
        made = await Maker(record, instruction="Answer with one word.").make()
    except NotReady as refusal:
        return refusal.problems
    try:
        return await _asked(made) if try_it and record.llm is not None else []
    finally:
        await made.close()


async def _asked(made: Services) -> list[Problem]:
    """Ask each language model for a word."""
    from pipecat.processors.aggregators.llm_context import LLMContext

    problems = []
    for index, llm in enumerate(made.llm):
        path = "llm" if index == 0 else f"llm.fallbacks.{index - 1}"
        context = LLMContext([{"role": "user", "content": "Say yes."}])
        try:
            async with asyncio.timeout(TRIED_WITHIN_S):
                await llm.run_inference(context, max_tokens=16)  # type: ignore[attr-defined]
        except Exception as error:
            message = f"it was asked for a word, and {_what_came(error)}."
            problems.append(Problem(f"{path}.service", "service_failed", message))
    return problems


def _what_came(error: Exception) -> str:
    """What came instead of a word; the words of an error may quote a key."""
    status = getattr(error, "status_code", None)
    if status:
        return f"answered with status {status}"
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"TimeoutError", "APITimeoutError"}:
        return f"did not answer within {TRIED_WITHIN_S:g} s"
    if kinds & {"OSError", "APIConnectionError"}:
        return "could not be reached"
    return "failed"


def main() -> None:
    """Read, check, write; what a service's import prints goes to standard error."""
    logger.remove()
    warnings.simplefilter("ignore")
    asked: dict[str, Any] = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr
    record = BotRecord.model_validate(asked["record"])
    problems = asyncio.run(check(record, try_it=bool(asked.get("try"))))
    json.dump({"problems": [one.as_data() for one in problems]}, out)


if __name__ == "__main__":
    main()
