"""Port: the audit log, to which lines are added, and in which none is ever changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

DONE = "done"


class ActorKind(StrEnum):
    """By what somebody was known who did something."""

    OPERATOR = "operator"
    """An operator's token; its name."""
    KEY = "key"
    """An API key; its name and id."""
    COMMAND = "command"
    """The command line beside the server; the name of the operating system's user."""


class Act(StrEnum):
    """What can be done that is put on record. Part of the interface."""

    STOP_ALL = "house.stop"
    RESUME = "house.resume"
    END_SESSION = "session.kick"
    CREATE_KEY = "key.create"
    REVOKE_KEY = "key.revoke"
    OPERATOR_TOKEN = "token.operator"  # noqa: S105 - a name
    REPLAY = "delivery.replay"
    UPGRADE = "database.upgrade"
    SAVE_ASSISTANT = "assistant.save"
    PUBLISH_ASSISTANT = "assistant.publish"
    ROLL_BACK_ASSISTANT = "assistant.rollback"
    DELETE_ASSISTANT = "assistant.delete"
    KILL_ASSISTANT = "assistant.kill"
    REVIVE_ASSISTANT = "assistant.revive"
    EXPORT = "user.export"
    ERASE = "user.erase"
    # What a server's key does in the name of a user. Operators say, tell and adjust as well.
    USER_TOKEN = "token.user"  # noqa: S105 - a name
    START = "session.start"
    CONNECT = "session.connect"
    FOLLOW = "session.follow"
    MUTE = "session.mute"
    PAUSE = "session.pause"
    MESSAGE = "session.message"
    SAY = "session.say"
    CONTEXT = "session.context"
    ADJUST = "session.adjust"
    ANSWER_TOOL = "session.tool"
    END = "session.end"
    DELETE_NOTE = "note.delete"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where. ``address``: None at the server's own command line."""

    kind: ActorKind | str
    name: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log.

    Attributes:
        at: When; seconds since the epoch.
        actor: Who, and from where.
        act: What; a newer version on the same database may know more than `Act` does.
        target: On what or whom: an id, a user; empty if it was the whole house.
        outcome: `DONE`, or the code of the error that it ended with.
        detail: Further facts; never a secret, and never what was said.
        id: Its number, once it is kept.
    """

    at: float
    actor: Actor
    act: Act | str
    target: str = ""
    outcome: str = DONE
    detail: dict[str, Any] = field(default_factory=dict)
    id: int = 0


class AuditStore(Protocol):
    """Keeps the log. The database itself refuses to change or delete a line.

    Every call may raise `Unavailable`.
    """

    async def add(self, entry: Entry) -> None:
        """Add a line."""
        ...

    async def listed(
        self,
        *,
        limit: int,
        act: str | None = None,
        actor: str | None = None,
        since: float | None = None,
        before: int | None = None,
    ) -> list[Entry]:
        """Lines, the newest first.

        Args:
            limit: At most so many.
            act: Only this.
            actor: Only of those of this name.
            since: None before this time.
            before: Only those with a smaller number, to read on from an earlier answer.
        """
        ...
