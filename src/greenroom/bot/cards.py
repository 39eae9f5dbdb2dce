"""The built-in bot: asks multiplications aloud, listens, and turns the cards."""

from __future__ import annotations

from pipecat.runner.types import SmallWebRTCRunnerArguments

from greenroom.bot.context import current
from greenroom.bot.conversation import Conversation
from greenroom.bot.deck import DECK
from greenroom.bot.dialogue import Dialogue, Say, ask
from greenroom.bot.manner import manner_of
from greenroom.bot.sphinx import SphinxSTTService
from greenroom.bot.talking import ears, seed_of, talk, usual_voice
from greenroom.wire.link import BotLevel

GREENROOM_LEVEL = BotLevel.ATTACHED


def prewarm() -> None:
    """Load the recogniser and synthesise greeting and questions. No loop, no thread.

    The rest takes espeak-ng about 20 ms a sentence while the bot speaks or listens anyway; all
    of it together would hold up the first launch.
    """
    ears()
    greeting = Dialogue(DECK, seed=0).greet()
    usual_voice().prewarm(action.text for action in greeting if isinstance(action, Say))
    usual_voice().prewarm(ask(card) for card in DECK)


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation, until goodbye or until Greenroom ends it."""
    session = current()
    record = session.record
    manner = manner_of(record).heard_by(ears().knows)
    ears().take_meaning(manner.meaning)
    dialogue = Dialogue(DECK, seed_of(session), manner)
    recogniser = SphinxSTTService(grammar=dialogue.grammar, recogniser=ears())
    conversation = Conversation(
        dialogue,
        set_grammar=recogniser.set_grammar,
        paused=session.paused,
        muted=lambda: session.muted,
    )
    await talk(runner_args, session, record, recogniser, conversation)
