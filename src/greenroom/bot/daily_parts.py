"""What of Pipecat's transport for Daily has no public name: pinned with Pipecat, like `rejoin`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport

# How RTVI marks its messages.
RTVI_LABEL = "rtvi-ai"


def call_themselves(part: FrameProcessor, name: str) -> None:
    """Have a transport join under this name, whatever its bot called it.

    Side effect: changes the client of the transport that this input or output belongs to. Of a
    transport that has none, nothing.
    """
    client: Any = getattr(part, "_client", None)
    if hasattr(client, "_bot_name"):
        client._bot_name = name


def transport_of(part: FrameProcessor) -> BaseTransport | None:
    """The transport that an input belongs to, if it knows it."""
    transport = getattr(part, "_transport", None)
    return transport if isinstance(transport, BaseTransport) else None


def listen_in(part: FrameProcessor, take: Callable[[Any, str], bool]) -> None:
    """Be told of every app-message first, with who sent it; what `take` takes, nobody else gets.

    Pipecat's own RTVI would fail on a message that is no object, and each failure is reported.

    Side effect: replaces a method of this input, if it has it.
    """
    push: Callable[[Any, str], Awaitable[None]] | None = getattr(part, "push_app_message", None)
    if push is None:
        return

    async def push_app_message(message: Any, sender: str) -> None:
        if not take(message, sender):
            await push(message, sender)

    part.push_app_message = push_app_message  # type: ignore[attr-defined]


def without_rtvi(part: BaseOutputTransport) -> None:
    """Keep what Pipecat tells its own clients from a page that is none of them.

    Side effect: replaces a method of this output.
    """
    send = part.send_message

    async def send_message(frame: Any) -> Any:
        message = frame.message
        if isinstance(message, dict) and message.get("label") == RTVI_LABEL:
            return None
        return await send(frame)

    part.send_message = send_message  # type: ignore[method-assign]
