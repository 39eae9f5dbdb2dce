"""API keys: made, shown once, recognised by their digest, taken back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection

import structlog

from greenroom.errors import BadRequest, GreenroomError, NotFound, Unauthorized
from greenroom.ports.audit import Act, Actor
from greenroom.ports.clock import Clock
from greenroom.ports.keys import ApiKey, KeyStore
from greenroom.service.audit import Audit
from greenroom.service.names import digest_of, new_id
from greenroom.wire.keys import KEY_PREFIX, OF_THE_WHOLE_HOUSE, KeyLine, Scope
from greenroom.wire.translate import rfc3339, rfc3339_or_none

log = structlog.get_logger("greenroom.keys")

# 256 bits, chosen by nobody: no list of words finds them, however fast the digest is. Slow hashes
# (bcrypt, Argon2) are made for what people choose, and would cost every request.
KEY_BYTES = 32
_KEY = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")
_BEGINS_CHARS = len(KEY_PREFIX) + 6
# The last use is for people who wonder whether a key is in use; not worth a write a request.
NOTE_USE_EVERY_S = 60.0


class Keys:
    """The keys of applications' servers.

    Every call asks the store, so that a key which was revoked anywhere is no good from then on.
    """

    def __init__(self, store: KeyStore, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._noted_at: dict[str, float] = {}

    async def make(
        self,
        actor: Actor,
        name: str,
        scopes: Collection[Scope],
        tenant: str | None = None,
        lifetime_s: float | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key. The first of the two that are returned is the key itself, kept by nobody.

        Args:
            actor: Who makes it.
            name: What people will call it.
            scopes: What it may do.
            tenant: The only tenant whose users it may name; None: any.
            lifetime_s: How long it is good; None: until it is revoked.

        Raises:
            BadRequest: It would be bound to a tenant and open the whole house.
        """
        everybodys = sorted(OF_THE_WHOLE_HOUSE.intersection(scopes))
        if tenant is not None and everybodys:
            raise BadRequest(
                f"A key of one tenant cannot have {', '.join(everybodys)}: "
                "that is the whole house's. Make two keys."
            )
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = self._clock.now()
        key = ApiKey(
            id=new_id("key"),
            name=name,
            begins=secret[:_BEGINS_CHARS],
            scopes=frozenset(scopes),
            tenant=tenant,
            created_at=now,
            created_by=actor.name,
            expires_at=None if lifetime_s is None else now + lifetime_s,
        )
        facts = {"name": name, "scopes": sorted(s.value for s in scopes), "tenant": tenant}
        entry = self._audit.entry(actor, Act.CREATE_KEY, key.id, **facts)
        await self._store.add(key, digest_of(secret), entry)
        log.info("key.made", key=key.id, by=actor.name, **facts)
        return secret, key

    async def revoke(self, actor: Actor, key_id: str) -> None:
        """Take a key back: from the return on it opens nothing.

        Raises:
            NotFound: There is no such key, or it was revoked before.
        """
        entry = self._audit.entry(actor, Act.REVOKE_KEY, key_id)
        if not await self._store.revoke(key_id, self._clock.now(), entry):
            raise NotFound("There is no such key, or it was revoked before.")
        self._noted_at.pop(key_id, None)
        log.info("key.revoked", key=key_id, by=actor.name)

    async def listed(self) -> list[ApiKey]:
        """Every key, the newest first."""
        return await self._store.listed()

    async def recognise(self, shown: str) -> ApiKey:
        """The key that somebody shows.

        Raises:
            Unauthorized: It is unknown, expired or revoked; nobody is told which.
        """
        key = await self._store.by_digest(digest_of(shown)) if _KEY.fullmatch(shown) else None
        now = self._clock.now()
        if key is None or not key.is_good(now):
            raise Unauthorized("This API key is not valid (any more).")
        await self._note_use(key, now)
        return key

    async def _note_use(self, key: ApiKey, now: float) -> None:
        noted_at = self._noted_at.get(key.id)
        if noted_at is not None and 0 <= now - noted_at < NOTE_USE_EVERY_S:
            return
        self._noted_at[key.id] = now
        try:
            await self._store.note_use(key.id, now, now - NOTE_USE_EVERY_S)
        except GreenroomError as error:  # nobody is kept waiting, or out, for it
            log.warning("key.use_not_noted", key=key.id, error=error.message)


def key_line(key: ApiKey, now: float) -> KeyLine:
    """A key as it is listed."""
    return KeyLine(
        id=key.id,
        name=key.name,
        begins=key.begins,
        scopes=sorted(key.scopes),
        tenant=key.tenant,
        created_at=rfc3339(key.created_at),
        created_by=key.created_by,
        expires_at=rfc3339_or_none(key.expires_at),
        revoked_at=rfc3339_or_none(key.revoked_at),
        last_used_at=rfc3339_or_none(key.last_used_at),
        good=key.is_good(now),
    )


def is_key(token: str) -> bool:
    """Whether a bearer token is meant to be an API key."""
    return token.startswith(KEY_PREFIX)
