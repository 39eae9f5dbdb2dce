"""An assistant's tools, as a language model of Pipecat's calls them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultProperties,
)
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService

if TYPE_CHECKING:
    from greenroom.bot.tools import Toolbox

# A tool has its own, shorter limit; this is the bound if it forgets.
WITHIN_S = 90.0

_CANCELLED = "CANCELLED"

Handler = Callable[[FunctionCallParams], Awaitable[None]]


def offer(
    toolbox: Toolbox, models: Sequence[LLMService[Any]], parting: Callable[[], bool]
) -> ToolsSchema | None:
    """Let models use the tools: each call goes through the toolbox, and its errors come back.

    Args:
        toolbox: Has been opened.
        models: All that may be asked in this session.
        parting: Whether the farewell is being said; what a tool has come to is no question then.

    Returns:
        What the context is to offer; None if there are no tools.
    """
    for function in toolbox.functions:
        handler = _handler(toolbox, function.name, parting)
        for model in models:
            model.register_function(function.name, handler, timeout_secs=WITHIN_S)
    schemas = [
        FunctionSchema(
            name=function.name,
            description=function.description,
            properties=function.parameters.get("properties", {}),
            required=list(function.parameters.get("required", [])),
        )
        for function in toolbox.functions
    ]
    return ToolsSchema(standard_tools=list(schemas)) if schemas else None


class CutOff(FrameProcessor):
    """Stands before the aggregator of the model's words: what was cut off is over for the model.

    A call waits behind the words that were said before it (“Let me look”), and its cancellation
    does not. Whoever spoke into these words would leave a call in the context that is in progress
    for ever.

    Args:
        context: The conversation, as the model knows it.
    """

    def __init__(self, context: LLMContext) -> None:
        super().__init__()
        self._context = context
        self._begun: set[str] = set()
        self._cancelled: set[str] = set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but calls that were cancelled before they came here."""
        await super().process_frame(frame, direction)
        match frame:
            case FunctionCallCancelFrame() if frame.tool_call_id not in self._begun:
                self._cancelled.add(frame.tool_call_id)
            case FunctionCallInProgressFrame() if frame.tool_call_id in self._cancelled:
                self._remember(frame)
                return
            case FunctionCallInProgressFrame():
                self._begun.add(frame.tool_call_id)
        await self.push_frame(frame, direction)

    def _remember(self, frame: FunctionCallInProgressFrame) -> None:
        """The call as the aggregator writes one that was cancelled later."""
        called = {"name": frame.function_name, "arguments": json.dumps(frame.arguments)}
        call_id = frame.tool_call_id
        calls = [{"id": call_id, "type": "function", "function": called}]
        call = {"role": "assistant", "tool_calls": calls}
        result = {"role": "tool", "tool_call_id": call_id, "content": _CANCELLED}
        self._context.add_messages(cast(list[LLMContextMessage], [call, result]))


def _handler(toolbox: Toolbox, name: str, parting: Callable[[], bool]) -> Handler:
    async def call(params: FunctionCallParams) -> None:
        from greenroom.bot.tools import ToolError

        try:
            result: Any = await toolbox.call(name, params.arguments)
        except ToolError as error:
            result = {"error": str(error)}
        if not result:
            # Pipecat takes it for none, and would not ask the model what to say to it.
            result = {"result": result}
        properties = FunctionCallResultProperties(run_llm=False) if parting() else None
        await params.result_callback(result, properties=properties)

    return call
