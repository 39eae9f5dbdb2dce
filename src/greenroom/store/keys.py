"""API keys in SQL: found by the digest of what a server shows, which stands nowhere itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from greenroom.ports.audit import Entry
from greenroom.ports.keys import ApiKey
from greenroom.store import tables as t
from greenroom.store.audit import add_entry
from greenroom.store.transactions import Transactions
from greenroom.wire.keys import Scope

_k = t.api_keys.c
_SHOWN = [column for column in _k if column.name != "digest"]
_BY_DIGEST = select(*_SHOWN).where(_k.digest == bindparam("shown"))


class SqlKeys:
    """Implements `greenroom.ports.keys.KeyStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def add(self, key: ApiKey, digest: str, entry: Entry) -> None:
        """See `KeyStore.add`."""
        row = {
            "id": key.id,
            "name": key.name,
            "begins": key.begins,
            "digest": digest,
            "scopes": sorted(scope.value for scope in key.scopes),
            "tenant": key.tenant,
            "created_at": key.created_at,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
        }

        def work(db: Connection) -> None:
            db.execute(insert(t.api_keys), row)
            add_entry(db, entry)

        await self._db.write(work)

    async def by_digest(self, digest: str) -> ApiKey | None:
        """See `KeyStore.by_digest`."""
        row = await self._db.read(
            lambda db: db.execute(_BY_DIGEST, {"shown": digest}).mappings().first()
        )
        return _key(row) if row else None

    async def listed(self) -> list[ApiKey]:
        """See `KeyStore.listed`."""
        wanted = select(*_SHOWN).order_by(_k.created_at.desc(), _k.id)
        return await self._db.read(lambda db: [_key(row) for row in db.execute(wanted).mappings()])

    async def revoke(self, key_id: str, now: float, entry: Entry) -> bool:
        """See `KeyStore.revoke`."""
        unrevoked = (_k.id == key_id) & _k.revoked_at.is_(None)
        revoked = update(t.api_keys).where(unrevoked).values(revoked_at=now)

        def work(db: Connection) -> bool:
            if db.execute(revoked).rowcount != 1:
                return False
            add_entry(db, entry)
            return True

        return await self._db.write(work)

    async def note_use(self, key_id: str, now: float, earlier: float) -> None:
        """See `KeyStore.note_use`."""
        long_ago = or_(_k.last_used_at.is_(None), _k.last_used_at < earlier)
        used = update(t.api_keys).where(_k.id == key_id, long_ago).values(last_used_at=now)
        await self._db.write(lambda db: db.execute(used))


def _key(row: Any) -> ApiKey:
    # A scope that an older version does not know opens nothing there.
    known = frozenset(Scope(scope) for scope in row["scopes"] if scope in set(Scope))
    return ApiKey(**{**row, "scopes": known})
