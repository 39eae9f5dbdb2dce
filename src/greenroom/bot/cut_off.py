"""Calls of tools that the user speaks into: they go on for a while, and are not done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from pipecat.frames.frames import Frame, FunctionCallCancelFrame, FunctionCallInProgressFrame
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

# So long a call goes on that was cut off: who asks “Hello?” meanwhile has the model call again, and
# that one waits for the same result. Long enough for a few words, and for a slow model.
KEPT_S = 15.0
_CUT_OFF = (
    "The user spoke before there was a result. If it is still wanted, call this function again, "
    "with the same arguments: it will not be done twice."
)


class Calls:
    """Calls of tools; the same call, made again after an interruption, is not a second one.

    Pipecat ends a call that somebody speaks into, and the model makes it again. What cannot be
    undone would be done twice, and what takes long would never come to its end.

    Args:
        make: Makes a call; cancelled, it ends.
        kept_s: How long one that was cut off goes on.
    """

    def __init__(
        self, make: Callable[[str, Any], Coroutine[Any, Any, Any]], kept_s: float = KEPT_S
    ) -> None:
        self._make = make
        self._kept_s = kept_s
        self._cut_off: dict[tuple[str, str], _CutOffCall] = {}

    async def result(self, name: str, arguments: Any) -> Any:
        """What comes of this call, or of the same that was cut off; raises what it raises."""
        key = (name, json.dumps(arguments, sort_keys=True, default=str))
        kept = self._cut_off.pop(key, None)
        if kept is None:
            call = asyncio.create_task(self._make(name, arguments))
        else:
            kept.end.cancel()
            call = kept.call
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if not call.cancelled():
                self._keep(key, call)
            raise

    def _keep(self, key: tuple[str, str], call: asyncio.Task[Any]) -> None:
        if key in self._cut_off:
            # The model has called twice the same at once.
            self._cut_off[key].end.cancel()
            self._drop(key)
        end = asyncio.get_running_loop().call_later(self._kept_s, self._drop, key)
        self._cut_off[key] = _CutOffCall(call, end)
        call.add_done_callback(_nobody_may_ask)

    def _drop(self, key: tuple[str, str]) -> None:
        self._cut_off.pop(key).call.cancel()


@dataclass(frozen=True, slots=True)
class _CutOffCall:
    call: asyncio.Task[Any]
    end: asyncio.TimerHandle


def _nobody_may_ask(call: asyncio.Task[Any]) -> None:
    """Nobody may be there to be told how it failed, which asyncio would complain of."""
    if not call.cancelled():
        call.exception()


class CutOff(FrameProcessor):
    """Stands before the aggregator of the model's words, and tells the model what was cut off.

    A call waits behind the words that were said before it (“Let me look”), and its cancellation
    does not. Whoever spoke into these words would leave a call in the context that is in progress
    for ever.

    Args:
        context: The conversation, as the model knows it.
    """

    def __init__(self, context: LLMContext) -> None:
        super().__init__()
        self._context = context
        self._cut_off: set[str] = set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but what an interruption has ended."""
        await super().process_frame(frame, direction)
        match frame:
            # One that took too long is the aggregator's: the model is asked about it.
            case FunctionCallCancelFrame() if not frame.run_llm:
                if not self._told(frame.tool_call_id):
                    self._cut_off.add(frame.tool_call_id)
                return
            case FunctionCallInProgressFrame() if frame.tool_call_id in self._cut_off:
                self._remember(frame)
                return
        await self.push_frame(frame, direction)

    def _told(self, call_id: str) -> bool:
        """Whether the call is in the context; if so, it has its result now."""
        for message in self._context.messages:
            if isinstance(message, dict) and message.get("tool_call_id") == call_id:
                message.update({"content": _CUT_OFF})
                return True
        return False

    def _remember(self, frame: FunctionCallInProgressFrame) -> None:
        called = {"name": frame.function_name, "arguments": json.dumps(frame.arguments)}
        call_id = frame.tool_call_id
        calls = [{"id": call_id, "type": "function", "function": called}]
        call = {"role": "assistant", "tool_calls": calls}
        result = {"role": "tool", "tool_call_id": call_id, "content": _CUT_OFF}
        self._context.add_messages(cast(list[LLMContextMessage], [call, result]))
