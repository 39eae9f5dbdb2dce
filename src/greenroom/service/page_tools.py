"""What a page's tools have come to, passed on to the bot that waits for it."""

from __future__ import annotations

from typing import Any

from greenroom.errors import BadRequest, TooLarge
from greenroom.service.sessions import Sessions
from greenroom.service.tool_calls import answer_of
from greenroom.session.inputs import ToolAnswered
from greenroom.session.lifecycle import refusal_of
from greenroom.session.model import Session, Stage
from greenroom.wire.base import size_bytes
from greenroom.wire.tools import MAX_RESULT_BYTES, ToolAnswer, Where


class PageTools:
    """Takes a page's answers.

    Only of the session's own user: in a group call all pages are told of a call, and what one of
    them answers is done in the name of whose call it is. Whether anybody waits for an answer, and
    for a page's, is the bot's to know: it takes the first, and no later one.

    Args:
        sessions: Answers go through the one writer, to the bot.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def answer(
        self, session: Session, call_id: str, result: Any, error: str | None
    ) -> Session:
        """Pass on what a call has come to.

        Args:
            session: Of the user who answers.
            call_id: Which call.
            result: Any JSON; without meaning beside an error.
            error: Why it failed, in a sentence that the model may read.

        Raises:
            TooLarge: The result is larger than `MAX_RESULT_BYTES`.
            BadRequest: It cannot be told to a bot.
            StillQueued: The session waits; nothing can have been called.
            SessionEnded: The session is over.
        """
        if session.stage is Stage.QUEUED or not session.stage.is_live:
            raise refusal_of(session)
        told = ToolAnswer(
            tool_call_id=call_id,
            by=Where.PAGE,
            result=result if error is None else None,
            error=error,
        )
        try:
            answer = answer_of(told)
            size = size_bytes(answer.get("result"))
        except ValueError:
            raise BadRequest(
                "“result” holds what cannot be told (NaN, half a character, say), or it is nested "
                "too deeply.",
                field="result",
            ) from None
        if size > MAX_RESULT_BYTES:
            raise TooLarge(f"“result” is larger than {MAX_RESULT_BYTES} bytes.", field="result")
        return await self._sessions.apply(session.id, ToolAnswered(answer))
