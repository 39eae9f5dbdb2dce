"""The store's contract on SQLite, and what is SQLite's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from greenroom.errors import BadSetting, Unavailable
from greenroom.ports.notes import Note
from greenroom.session.model import Stage
from greenroom.session.policy import Quotas
from greenroom.store import migrate
from greenroom.store.migrate import Standing
from greenroom.store.sqlite import SqliteDatabase, open_sqlite
from greenroom.testing.records_contract import RecordsContract
from greenroom.testing.store_contract import StoreContract, a_session, create, crowd
from tests.next_version import NextVersion

WORDS = "what was said here is to be gone"


class TestSqlite(StoreContract, RecordsContract):
    pass


async def test_only_its_owner_reads_what_was_said(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "greenroom.db")
    await create(store, a_session(), [], [])
    for name in ("greenroom.db", "greenroom.db-wal"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    await store.close()


async def test_what_is_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "greenroom.db"
    first = await open_sqlite(path)
    stored = await create(first, a_session(), [], [])
    await first.close()
    second = await open_sqlite(path)
    assert await second.get(stored.id) == stored
    await second.close()


async def test_what_was_erased_stands_nowhere_in_its_files(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "greenroom.db")
    files = [tmp_path / name for name in ("greenroom.db", "greenroom.db-wal")]
    ended = replace(a_session(), stage=Stage.ENDED, ended_at=1.0, body={"said": WORDS})
    await create(store, ended, [], [])
    note = Note("not_1", ended.user_id, ended.tenant, WORDS, WORDS * 1_000, 1.0, 1.0)
    await store.notes.create(note, "call", 9)
    with contextlib.closing(sqlite3.connect(tmp_path / "greenroom.db")) as other:
        # Partly in the file, partly in its log; and one who reads while it is erased.
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM notes").fetchall()
        erased = await store.records.erase_user(ended.user_id, ended.tenant, "gone", 2.0)
        assert (erased.sessions, erased.notes) == (1, 1)
    await store.records.erase_user(ended.user_id, ended.tenant, "gone", 3.0)
    left = b"".join(file.read_bytes() for file in files)
    assert WORDS.encode() not in left
    await store.close()


async def test_an_older_file_is_copied_before_it_is_upgraded(
    sqlite_file: Path, next_version: NextVersion
) -> None:
    store = await open_sqlite(sqlite_file)
    stored = await create(store, a_session(), [], [])
    next_version()
    # The store is still open, so that its last commit may not be in the file itself yet.
    upgraded = await SqliteDatabase(sqlite_file).upgrade()
    await store.close()
    assert upgraded.backup is not None
    backup = Path(upgraded.backup)
    assert backup.parent == sqlite_file.parent
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600  # noqa: PTH116
    assert (await SqliteDatabase(backup).schema()).standing is Standing.OLDER
    with contextlib.closing(sqlite3.connect(backup)) as kept:
        assert kept.execute("SELECT id FROM sessions").fetchall() == [(stored.id,)]


async def test_a_file_that_is_current_is_not_copied(sqlite_file: Path) -> None:
    assert (await SqliteDatabase(sqlite_file).upgrade()).backup is None
    assert list(sqlite_file.parent.glob("*backup*")) == []


async def test_looking_at_the_schema_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "greenroom.db"
    assert (await SqliteDatabase(path).schema()).standing is Standing.EMPTY
    assert not path.parent.exists()


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    path.write_text("A shopping list, say: " + "milk, " * 100)
    with pytest.raises(BadSetting, match=str(path)):
        await open_sqlite(path)


async def test_a_locked_database_is_unavailable_and_then_back(sqlite_file: Path) -> None:
    store = await open_sqlite(sqlite_file, busy_timeout_ms=50)
    await create(store, a_session(), [], [])
    connection = sqlite3.connect(sqlite_file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable):
        await store.put_ticket("d", "ses_1", "ada", 1.0, 0.0)
    connection.execute("ROLLBACK")
    connection.close()
    await store.put_ticket("d", "ses_1", "ada", 1.0, 0.0)
    await store.close()


async def test_nobody_is_locked_out_by_who_connects_at_the_same_moment(
    sqlite_template: Path, tmp_path: Path
) -> None:
    for number in range(30):
        path = Path(shutil.copy(sqlite_template, tmp_path / f"{number}.db"))
        store = await open_sqlite(path)
        readers = (store.unended() for _ in range(4))
        await asyncio.gather(create(store, a_session(), [], []), *readers)
        await store.close()


def test_the_files_of_the_migrations_are_named_after_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    walked = reversed(list(ScriptDirectory.from_config(config).walk_revisions()))
    assert tuple(found.revision for found in walked) == migrate._revisions()


async def test_nothing_that_is_looked_up_for_a_start_reads_what_has_ended(
    sqlite_file: Path,
) -> None:
    """FAILURES 24: a million sessions on record must not make the next start slower."""
    store = await open_sqlite(sqlite_file)
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        if "FROM sessions" in statement or "FROM deadlines" in statement:
            asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    await crowd(store, starts=2, places=1, quotas=Quotas(live=1, tenant_day=1))
    await create(store, replace(a_session(7, "bob"), stage=Stage.QUEUED, queue_position=1))
    await store.let_in(Quotas(), 0.0, lambda occupancy, waiting: [])
    await store.live_of("ada", "cards")
    await store.unended()
    await store.in_room("voice-ada-0123456789ab")
    await store.live_of_user("ada", "default")
    await store.group_calls("default")
    await store.due(0.0, 10)
    await store.next_due_at()
    await store.records.of_user("ada", "default", after=None, limit=10)
    await store.records.erase_words(0.0, 0.0, 10)
    await store.records.forget(0.0, 10)
    await store.close()
    event.remove(Engine, "before_cursor_execute", note)
    with contextlib.closing(sqlite3.connect(sqlite_file)) as database:
        for statement, values in (one for one in asked if one[0].startswith("SELECT")):
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            steps = [step[3] for step in plan if " sessions" in step[3] or " deadlines" in step[3]]
            assert steps, statement
            assert all("INDEX" in step for step in steps), (statement, steps)
    assert len(asked) >= 15
