"""An assistant's tools, as a language model of Pipecat's calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import FunctionCallResultProperties
from pipecat.services.llm_service import FunctionCallParams, LLMService

from greenroom.bot.cut_off import Calls

if TYPE_CHECKING:
    from greenroom.bot.tools import Toolbox

# A tool has its own, shorter limit; this is the bound if it forgets.
WITHIN_S = 90.0

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
    calls = Calls(toolbox.call)
    for function in toolbox.functions:
        handler = _handler(calls, function.name, parting)
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


def _handler(calls: Calls, name: str, parting: Callable[[], bool]) -> Handler:
    async def call(params: FunctionCallParams) -> None:
        from greenroom.bot.tools import ToolError

        try:
            result: Any = await calls.result(name, params.arguments)
        except ToolError as error:
            result = {"error": str(error)}
        if not result:
            # Pipecat takes it for none, and would not ask the model what to say to it.
            result = {"result": result}
        properties = FunctionCallResultProperties(run_llm=False) if parting() else None
        await params.result_callback(result, properties=properties)

    return call
