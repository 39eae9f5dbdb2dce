"""Commands that use the database itself, beside a server or without one, and say who did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from greenroom.commands.operate import os_user, read
from greenroom.errors import BadSetting

if TYPE_CHECKING:
    from greenroom.ports.audit import Actor
    from greenroom.ports.store import Store
    from greenroom.service.audit import Audit
    from greenroom.settings import Settings

_T = TypeVar("_T")


async def with_store(settings: Settings, use: Callable[[Store], Awaitable[_T]]) -> _T:
    """Use the database of the settings, which a server may be using as well.

    Raises:
        BadSetting: Its schema is not of this version.
        Unavailable: It does not answer.
    """
    from greenroom.store import database_at

    database = database_at(settings.plain_database_url(), settings.state_dir)
    # Opening would upgrade an older file, under the feet of an older server that may run on it.
    if (await database.schema()).standing != "current":
        raise BadSetting(
            f"The database ({database.name}) is not of this version. See: greenroom db status"
        )
    store = await database.open()
    try:
        return await use(store)
    finally:
        await store.close()


async def opened(state_dir: Path | None, use: Callable[[Store], Awaitable[_T]]) -> _T:
    """As `with_store`, with the settings as they are."""
    return await with_store(read(state_dir), use)


def audit_in(store: Store) -> Audit:
    """The audit log in this database."""
    from greenroom.main import SystemClock
    from greenroom.service.audit import Audit

    return Audit(store.audit, SystemClock())


def actor() -> Actor:
    """Who runs this command, for the audit log."""
    from greenroom.ports.audit import Actor, ActorKind

    return Actor(ActorKind.COMMAND, os_user())
