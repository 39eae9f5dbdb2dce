"""A script spoken: the dialogue in a call, with the session's tools."""

from __future__ import annotations

import asyncio

from pipecat.runner.types import SmallWebRTCRunnerArguments

from greenroom.bot.context import current
from greenroom.bot.conversation import Conversation
from greenroom.bot.dialogue import Action, Call
from greenroom.bot.manner import manner_of
from greenroom.bot.scripted.dialogue import Script
from greenroom.bot.sphinx import SphinxSTTService
from greenroom.bot.talking import ears, seed_of, talk, usual_voice
from greenroom.bot.tools import Toolbox, ToolError
from greenroom.bot.tools.folder import folder


def prewarm() -> None:
    """Load the recogniser, and the folder of tools. No loop, no thread."""
    ears()
    usual_voice()
    folder()


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """See `greenroom.bot.scripted.bot`.

    Raises:
        ValueError: The record has no script.
    """
    session = current()
    record = session.record
    if record.script is None:
        raise ValueError("the assistant's record has no script")
    manner = manner_of(record).heard_by(ears().knows)
    script = Script(record.script, seed_of(session), manner, ears().knows)
    ears().take_meaning(script.meaning)
    recogniser = SphinxSTTService(grammar=script.grammar, recogniser=ears())

    def listen(grammar: str) -> None:
        recogniser.set_grammar(grammar)
        ears().take_meaning(script.meaning)

    async def call(asked: Call) -> list[Action]:
        await asyncio.shield(opening)
        try:
            result = await toolbox.call(asked.name, asked.arguments)
        except ToolError as error:
            return script.came_to_nothing(error.sentence)
        return script.came(result)

    conversation = Conversation(
        script,
        set_grammar=listen,
        paused=session.paused,
        muted=lambda: session.muted,
        call=call,
    )
    toolbox = Toolbox.of(session, goodbye=conversation.part)
    # Nobody waits for an MCP server to be greeted.
    opening = asyncio.create_task(toolbox.open())
    try:
        await talk(runner_args, session, record, recogniser, conversation)
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await toolbox.close()
