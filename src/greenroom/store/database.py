"""What can be done with a database as a whole: open it, look at its schema, upgrade it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from greenroom.ports.store import Store
from greenroom.store.migrate import Schema


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did.

    Attributes:
        before: The schema as it was found; nothing was missing if nothing was done.
        backup: The file that holds the database as it was; None if no copy was made.
    """

    before: Schema
    backup: str | None = None


class Database(Protocol):
    """One database. Every call is bounded in time."""

    @property
    def name(self) -> str:
        """For people: which kind and where, without a password."""
        ...

    @property
    def upgraded_on_start(self) -> bool:
        """Whether `open` brings an older schema to this version's by itself."""
        ...

    async def open(self) -> Store:
        """The store in it, ready.

        Raises:
            BadSetting: Its schema or its address does not allow it; the message says what to do.
            Unavailable: It does not answer.
        """
        ...

    async def schema(self) -> Schema:
        """How its schema stands. Changes nothing; raises as `open` does."""
        ...

    async def upgrade(self) -> Upgraded:
        """Bring its schema to this version's, all or nothing; raises as `open` does.

        Of two upgrades at the same time the second waits for the first and finds nothing to do.
        """
        ...
