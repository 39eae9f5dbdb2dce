"""Port: where the API keys of applications' servers are kept, by their digests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from greenroom.ports.audit import Entry
from greenroom.wire.keys import Scope


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without what makes it one. Times are seconds since the epoch.

    Attributes:
        id: ``key_…``; never reused.
        name: What people call it.
        begins: Its first characters, by which somebody who holds it finds it in a list.
        scopes: What it may do.
        tenant: The only tenant whose users it may name; None: any.
        created_at: When it was made.
        created_by: Who made it.
        expires_at: From then on it is no good; None: it does not expire.
        revoked_at: When it was taken back.
        last_used_at: When it was last seen, to within a minute or two.
    """

    id: str
    name: str
    begins: str
    scopes: frozenset[Scope]
    tenant: str | None
    created_at: float
    created_by: str
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def is_good(self, now: float) -> bool:
        """Whether it opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyStore(Protocol):
    """Keeps keys. A key that is made or revoked is on the audit log in the same transaction.

    Every call may raise `Unavailable`.
    """

    async def add(self, key: ApiKey, digest: str, entry: Entry) -> None:
        """Keep a new key."""
        ...

    async def by_digest(self, digest: str) -> ApiKey | None:
        """The key of this digest, good or not."""
        ...

    async def listed(self) -> list[ApiKey]:
        """Every key, the newest first."""
        ...

    async def revoke(self, key_id: str, now: float, entry: Entry) -> bool:
        """Take a key back for good; False: there is none, or it was revoked before."""
        ...

    async def note_use(self, key_id: str, now: float, earlier: float) -> None:
        """It was used now; written only if its last use on record is before ``earlier``."""
        ...
