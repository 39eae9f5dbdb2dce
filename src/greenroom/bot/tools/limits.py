"""How often tools may be used: a model that calls in circles is stopped, and the call goes on."""

from __future__ import annotations

from greenroom.bot.tools.functions import ToolError
from greenroom.wire.tools import ToolOutcome

# A model that needs more steps for one answer keeps its user waiting for a minute.
MOST_PER_TURN = 12
# An hour of conversation with a tool or two in each turn.
MOST_PER_SESSION = 400

_ENOUGH = "No more tools in this turn: tell the user what you have, and wait for them to speak."
_SPENT = "No more tools in this conversation. Go on without them."


class Limits:
    """Counts the calls of one session.

    Args:
        per_turn: The most between two utterances of the user.
        per_session: The most in all.
    """

    def __init__(self, per_turn: int = MOST_PER_TURN, per_session: int = MOST_PER_SESSION) -> None:
        self._per_turn = per_turn
        self._per_session = per_session
        self._in_turn = 0
        self._in_all = 0

    def new_turn(self) -> None:
        """The user has said something."""
        self._in_turn = 0

    @property
    def is_worth_telling(self) -> bool:
        """Whether a refusal is reported: of a model that does not stop, the first few are."""
        return self._in_turn <= self._per_turn + 3 and self._in_all <= self._per_session + 3

    def count(self) -> None:
        """One more call.

        Raises:
            ToolError: That is one too many.
        """
        self._in_turn += 1
        self._in_all += 1
        if self._in_all > self._per_session:
            raise ToolError(ToolOutcome.REFUSED, _SPENT)
        if self._in_turn > self._per_turn:
            raise ToolError(ToolOutcome.REFUSED, _ENOUGH)
