"""Port: where assistants' records are kept, version by version, and which version is published."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from greenroom.ports.audit import Entry


class Source(StrEnum):
    """Where a version came from."""

    FILE = "file"
    API = "api"
    COMMAND = "command"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record; it never changes.

    Attributes:
        name: The assistant's.
        number: From 1, without a gap.
        record: The record, as JSON.
        source: Where it came from; a newer server may know others.
        created_at: Seconds since the epoch, as all times here.
        created_by: Who brought it.
        published_at: When it was last published; None: never.
    """

    name: str
    number: int
    record: dict[str, Any]
    source: str
    created_at: float
    created_by: str
    published_at: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with an assistant that has a record.

    Attributes:
        name: What it is called.
        latest: The newest version.
        published: The version that new sessions get; None: they get none of it.
        created_at: When its first version came.
        updated_at: When anything here last changed.
        killed_at: Since when nobody may start it, whatever its record says; None: not so.
        kill_reason: Why, in an operator's words.
        deleted_at: Since when it is gone; its versions stay for the sessions that had them.
    """

    name: str
    latest: int
    published: int | None
    created_at: float
    updated_at: float
    killed_at: float | None = None
    kill_reason: str = ""
    deleted_at: float | None = None


class Outdated(Exception):
    """Somebody else has saved or published a version meanwhile."""

    def __init__(self, name: str, latest: int) -> None:
        super().__init__(f"{name} is at version {latest}")
        self.latest = latest


class AssistantStore(Protocol):
    """Keeps records. Every change is on the audit log in the same transaction.

    Every call may raise `Unavailable`.
    """

    async def published(self, name: str) -> tuple[Standing, Version] | None:
        """What a new session gets: None if there is no such assistant, or none published."""
        ...

    async def get(self, name: str) -> Standing | None:
        """How things are with an assistant, also with one that is deleted."""
        ...

    async def listed(self) -> list[Standing]:
        """Every assistant that is not deleted, by name."""
        ...

    async def all_published(self) -> list[tuple[Standing, Version]]:
        """Every assistant that a session may be started with, by name."""
        ...

    async def versions(self, name: str) -> list[Version]:
        """Its versions, the newest first; none if there is no such assistant."""
        ...

    async def version(self, name: str, number: int) -> Version | None:
        """One of its versions."""
        ...

    async def save(
        self,
        name: str,
        record: dict[str, Any],
        *,
        based_on: int,
        source: Source,
        publish: bool,
        entry: Entry,
    ) -> Version:
        """Keep a new version, of a new assistant or of one that is known (or was deleted).

        Args:
            name: The assistant's.
            record: As JSON.
            based_on: The newest version when it was written; 0: there was none, or it is deleted.
            source: Where it comes from.
            publish: Whether new sessions get it at once.
            entry: For the audit log; its time and actor are the version's.

        Raises:
            Outdated: The newest version is another by now. Of two at once one gets this.
        """
        ...

    async def publish(
        self, name: str, number: int, entry: Entry, *, instead_of: int | None = None
    ) -> bool:
        """New sessions get this version; False: there is none, or it is deleted.

        Args:
            name: The assistant's.
            number: The version's.
            entry: For the audit log.
            instead_of: Only if this is the one that is published yet.

        Raises:
            Outdated: Another is.
        """
        ...

    async def delete(self, name: str, entry: Entry) -> bool:
        """It is gone for new sessions; False: there is none."""
        ...

    async def kill(self, name: str, reason: str, entry: Entry) -> bool:
        """Nobody may start it from now on; False: there is none. Said again, the reason is new."""
        ...

    async def revive(self, name: str, entry: Entry) -> bool:
        """It may be started again; False: there is none, or it might."""
        ...
