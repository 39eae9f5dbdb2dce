"""A question to nobody, inside one process: a language model's client is used once before forks.

OpenAI's library, which most of Pipecat's models are asked through, imports and builds most of
itself at its first use. In a forked child that cost 0.2 s before a bot with a model could begin,
and 0.1 s before its first answer; after this, a fifth of both (two busy cores, Pipecat 1.14).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from loguru import logger

WITHIN_S = 2.0
# Loaded by every service of Pipecat's that is asked as OpenAI's are.
_SERVICES = "pipecat.services.openai.base_llm"
_PIECE = (
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"nobody","choices":'
    '[{"index":0,"delta":{"role":"assistant","content":"Hm."},"finish_reason":"stop"}]}\n\n'
)
_ANSWER = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    f"{_PIECE}data: [DONE]\n\n"
).encode()


def is_needed() -> bool:
    """Whether a bot that this process has imported may ask such a model."""
    return _SERVICES in sys.modules


async def ask() -> None:
    """Ask, and hear the answer to its end; whatever goes wrong in it is nobody's loss."""
    # Imported here: a bot without a model need not have it, and it takes a second.
    from pipecat.services.openai.llm import OpenAILLMService

    logger.disable("pipecat")
    try:
        async with asyncio.timeout(WITHIN_S):
            server = await asyncio.start_server(_answer, "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                model = OpenAILLMService(
                    api_key="nobody",
                    base_url=f"http://127.0.0.1:{port}/v1",
                    settings=OpenAILLMService.Settings(model="nobody"),
                )
                async with model._client as client:
                    pieces = await client.chat.completions.create(
                        model="nobody",
                        messages=[{"role": "user", "content": "Anybody?"}],
                        stream=True,
                    )
                    async for _ in pieces:
                        pass
    except Exception as error:
        logger.warning(f"the model was not rehearsed: {type(error).__name__}")
    finally:
        logger.enable("pipecat")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
