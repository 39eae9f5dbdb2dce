"""PostgreSQL: for whom a file is not enough, or who have somebody who looks after a database.

A pooler that hands a connection to somebody else between two transactions (PgBouncer's
transaction mode) does not keep prepared statements apart; use its session mode.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from greenroom.errors import BadSetting, Unavailable
from greenroom.store.database import Upgraded
from greenroom.store.migrate import Schema, Standing, refuse_newer, schema_of, upgrade
from greenroom.store.reaching import reachable
from greenroom.store.sql import SqlStore
from greenroom.store.transactions import OverTheNetwork

POOL_SIZE = 10
CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 5.0
MUTE_FOR_S = 1.0
# How long a call waits for one of the pool's connections.
POOL_WITHIN_S = 10.0
# Migrations may rewrite whole tables; another upgrade may hold the lock as long.
UPGRADE_WITHIN_S = 3_600.0
# Any number does, so long as nobody else uses it in this database: "green" in ASCII.
_UPGRADE_LOCK = 0x677265656E
# The next one. At READ COMMITTED whoever gets it sees all that its last holder has committed.
_ADMISSION_LOCK = text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK + 1})")

# What the address itself is to blame for; anything else may pass by waiting.
_WRONG_ADDRESS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # includes a wrong password
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)


class PostgresDatabase:
    """Implements `greenroom.store.database.Database` on a PostgreSQL server.

    Args:
        url: ``postgresql://user:password@host:port/database``, with the parameters that libpq
            knows (``?sslmode=verify-full``, say).
        answer_within_s: How long one statement may take.
    """

    def __init__(self, url: str, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._url = url
        self._answer_within_s = answer_within_s

    @property
    def name(self) -> str:
        """See `Database.name`."""
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2] or "local socket"
        return f"PostgreSQL, {host}, database {parts.path.strip('/') or 'of the user'}"

    @property
    def upgraded_on_start(self) -> bool:
        """See `Database.upgraded_on_start`. Only its owner knows who else uses it."""
        return False

    async def open(self) -> SqlStore:
        """See `Database.open`. Its schema is never changed here: a dump comes first."""
        schema = await self.schema()
        refuse_newer(schema)
        if schema.standing is not Standing.CURRENT:
            raise BadSetting(
                f"The schema in the database ({self.name}) is {schema.standing}. Make a dump if "
                "there is anything in it, then run: greenroom db upgrade"
            )
        engine = self._engine(
            self._answer_within_s,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_WITHIN_S,
            pool_pre_ping=True,
        )
        # A single statement needs no transaction around it: two round trips less.
        reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        return SqlStore(OverTheNetwork(engine, reader), admission_lock=_ADMISSION_LOCK)

    async def schema(self) -> Schema:
        """See `Database.schema`."""
        async with self._connected(self._answer_within_s) as connection:
            return await connection.run_sync(schema_of)

    async def upgrade(self) -> Upgraded:
        """See `Database.upgrade`. Makes no copy: that is for the server's own tools."""
        async with self._connected(UPGRADE_WITHIN_S) as connection:
            # Until the transaction ends. Whoever comes second finds the work done.
            lock = text("SELECT pg_advisory_xact_lock(:key)")
            await connection.execute(lock, {"key": _UPGRADE_LOCK})
            before = await connection.run_sync(upgrade)
            await connection.commit()
        return Upgraded(before)

    @asynccontextmanager
    async def _connected(self, answer_within_s: float) -> AsyncIterator[AsyncConnection]:
        """One connection for an operator's command, and errors that tell an operator more."""
        engine = self._engine(answer_within_s, poolclass=NullPool)
        try:
            with reachable():
                async with engine.connect() as connection:
                    yield connection
        except Unavailable as error:
            why = error.__cause__
            if why is not None and isinstance(why.__cause__, _WRONG_ADDRESS):
                raise BadSetting(f"GREENROOM_DATABASE_URL ({self.name}): {why}.") from error
            raise Unavailable(f"The database ({self.name}) does not answer: {why}") from error
        finally:
            await engine.dispose()

    def _engine(self, answer_within_s: float, **options: Any) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=functools.partial(self._connect, answer_within_s),
            # Changes are told apart by version: a repeatable read would refuse what is in order.
            isolation_level="READ COMMITTED",
            hide_parameters=True,  # they may end up in a log, and transcripts are among them
            **options,
        )

    async def _connect(self, answer_within_s: float) -> asyncpg.Connection[Any]:
        """Connect by the address as libpq reads it, which SQLAlchemy does not."""
        # The server gives a statement up first, and says so; we do when the server is mute.
        statement_within_ms = str(int(answer_within_s * 1000))
        try:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_WITHIN_S,
                command_timeout=answer_within_s + MUTE_FOR_S,
                server_settings={
                    "application_name": "greenroom",
                    "statement_timeout": statement_within_ms,
                    "idle_in_transaction_session_timeout": statement_within_ms,
                },
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise ConnectionError(str(error)) from error
