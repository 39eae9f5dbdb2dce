"""State folders that cannot be used, and databases in every standing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from greenroom.doctor import storage
from greenroom.doctor.finding import Finding, Level
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sqlite import SqliteDatabase
from greenroom.testing.postgres_server import PostgresServer


def levels(findings: Sequence[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_a_folder_that_is_there_or_can_be_made(tmp_path: Path) -> None:
    assert levels(storage.state_dir(tmp_path)) == [Level.OK]
    (finding,) = storage.state_dir(tmp_path / "a" / "b")
    assert finding.message.endswith("(will be made)")
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    (finding,) = storage.state_dir(tmp_path / "state" / "greenroom")
    assert (finding.level, "is not a folder" in finding.message) == (Level.PROBLEM, True)


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere, so permissions alone would not show it to every tester.
    monkeypatch.setattr("greenroom.doctor.storage.os.access", lambda path, mode: False)
    (finding,) = storage.state_dir(tmp_path)
    assert (finding.level, "may not be written" in finding.message) == (Level.PROBLEM, True)


def test_a_path_too_long_for_a_socket() -> None:
    findings = storage.state_dir(Path("/tmp") / ("x" * 120))
    assert levels(findings) == [Level.OK, Level.PROBLEM]
    assert "shorter" in findings[1].mend


async def test_sqlite_in_every_standing(tmp_path: Path, sqlite_file: Path) -> None:
    assert (await storage.database(SqliteDatabase(tmp_path / "new.db"))).level is Level.OK
    assert (await storage.database(SqliteDatabase(sqlite_file))).level is Level.OK
    connection = sqlite3.connect(sqlite_file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    newer = await storage.database(SqliteDatabase(sqlite_file))
    assert (newer.level, "newer" in newer.message) == (Level.PROBLEM, True)


async def test_postgres_empty_current_and_away(postgres: PostgresServer, postgres_url: str) -> None:
    assert (await storage.database(PostgresDatabase(postgres_url))).level is Level.OK
    empty = postgres.new_database()
    finding = await storage.database(PostgresDatabase(postgres.url(empty)))
    assert (finding.level, "greenroom db upgrade" in finding.mend) == (Level.PROBLEM, True)
    postgres.drop_database(empty)
    away = await storage.database(PostgresDatabase("postgresql://ada:hunter2@127.0.0.1:1/calls"))
    assert (away.level, "hunter2" in away.message) == (Level.PROBLEM, False)
