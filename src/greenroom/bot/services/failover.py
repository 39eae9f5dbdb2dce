"""What takes over when a service fails: Pipecat's switcher, for more reasons than its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from pipecat.frames.frames import ErrorFrame
from pipecat.pipeline.llm_switcher import LLMSwitcher
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

Switched = Callable[[AIService, AIService], Awaitable[None]]


def nobody_waits_for(error: ErrorFrame) -> bool:
    """Whether a model's error is about no answer: a tool's mistake, or a summary that failed.

    The first has a category; of the second Pipecat 1.14 tells in words only. It summarises again.
    """
    about_a_summary = "context summar" in error.error.lower()
    return about_a_summary or error.category is ErrorCategory.APPLICATION


class Failover(ServiceSwitcherStrategyManual):
    """Moves on to the next service whenever the active one fails, and does not come back.

    Pipecat's own moves only when a service can never work again (a bad key, say). In a
    conversation somebody waits: a rate limit, a server's error or silence is reason enough.
    """

    async def handle_error(self, error: ErrorFrame) -> FrameProcessor | None:
        """Switch, unless it was the application's mistake or nothing is left to switch to."""
        if nobody_waits_for(error):
            return None
        place = self.services.index(self.active_service)
        for candidate in self.services[place + 1 :]:
            if candidate.is_usable:
                return await self._set_active_if_available(candidate)
        return None


def switching(services: Sequence[AIService], switched: Switched) -> FrameProcessor:
    """One processor of several services, of which the first works until it fails.

    Args:
        services: In the order in which they take over; a single one is returned as it is.
        switched: Awaited with the one that failed and the one that took over.
    """
    if len(services) == 1:
        return services[0]
    switcher: ServiceSwitcher[Failover]
    if all(isinstance(one, LLMService) for one in services):
        switcher = LLMSwitcher(cast(list[LLMService[Any]], list(services)), Failover)
    else:
        switcher = ServiceSwitcher(cast(list[FrameProcessor], list(services)), Failover)
    active = services[0]

    @switcher.strategy.event_handler("on_service_switched")
    async def on_service_switched(strategy: Failover, service: AIService) -> None:
        nonlocal active
        failed, active = active, service
        await switched(failed, service)

    return switcher
