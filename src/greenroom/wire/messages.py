"""The sentences that people read when a session ends: one for each reason."""

from __future__ import annotations

from greenroom.session.model import EndReason

_SENTENCES: dict[EndReason, str] = {
    EndReason.USER: "You ended the conversation.",
    EndReason.GOODBYE: "You said goodbye.",
    EndReason.IDLE: "Nobody said anything for a while, so the conversation was closed.",
    EndReason.MAX_DURATION: "The time for this conversation was up.",
    EndReason.PAUSED_TOO_LONG: "The conversation was paused for too long and was closed.",
    EndReason.BUDGET: "The money for this conversation was spent, so it was closed.",
    EndReason.QUEUE_TIMEOUT: "No place became free in time.",
    EndReason.LEFT: "You were away for too long, so the conversation was closed.",
    EndReason.NO_SHOW: "Your browser could not connect to the conversation.",
    EndReason.KICKED: "Somebody in charge ended the conversation.",
    EndReason.EMERGENCY: "All conversations were stopped by the people in charge.",
    EndReason.SERVER_DRAIN: "The server is being restarted. Please start again in a moment.",
    EndReason.BUSY: "All assistants are talking with somebody. Try again in a moment.",
    EndReason.LAUNCH_FAILED: "The assistant could not be started.",
    EndReason.BOT_NEVER_JOINED: "The assistant did not answer in time.",
    EndReason.BOT_LEFT: "The assistant ended the conversation.",
    EndReason.BOT_CRASHED: "The assistant stopped working.",
    EndReason.LOST: "The conversation was lost when the server stopped.",
}


def sentence_for(reason: EndReason, note: str | None = None) -> str:
    """What to tell a person about this reason; ``note``: the words of whoever ended it."""
    sentence = _SENTENCES[reason]
    return f"{sentence.removesuffix('.')}: {note}" if note else sentence
