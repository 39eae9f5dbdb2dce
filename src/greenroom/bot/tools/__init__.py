"""What an assistant may do beside talking: functions that its record names, called within bounds.

It knows nothing of Pipecat; whoever speaks, a model or a script, calls `Toolbox.call`.
"""

from __future__ import annotations

from greenroom.bot.declare import ToolContext, tool
from greenroom.bot.tools.functions import Function, ToolError
from greenroom.bot.tools.toolbox import Toolbox

__all__ = ["Function", "ToolContext", "ToolError", "Toolbox", "tool"]
