"""What runs inside the bot's process; the only importer of Pipecat."""

from greenroom.bot.context import BotSession, current

__all__ = ["BotSession", "current"]
