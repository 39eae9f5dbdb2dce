"""The command line: help by example everywhere, colours only for people, clear refusals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from greenroom.cli import app
from greenroom.doctor.finding import Finding, ok, problem
from greenroom.testing.postgres_server import PostgresServer
from tests.next_version import NextVersion

runner = CliRunner()


def walk(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands, by its words."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*words, name))


COMMANDS = list(walk(typer.main.get_command(app)))


def test_there_are_commands() -> None:
    assert {(), ("serve",), ("doctor",), ("db", "upgrade"), ("db", "status")} <= {*COMMANDS}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "greenroom")
def test_every_command_helps_by_example(words: tuple[str, ...]) -> None:
    done = runner.invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
    example = re.search(r"Examples?:.*?(greenroom[^\n]*)", done.output, re.DOTALL)
    assert example is not None
    assert " ".join(words) in example[1]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings of nobody, and a state folder of the test's own."""
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GREENROOM_STATE_DIR", str(tmp_path))
    # It is for the whole process: later tests would log to what this test's command wrote to.
    monkeypatch.setattr("greenroom.logs.configure_logs", lambda level, as_json: None)
    return monkeypatch


def greenroom(*words: str) -> Result:
    return runner.invoke(app, words)


def test_no_colours_where_no_terminal_is(tmp_path: Path) -> None:
    for words in (["--help"], ["db", "upgrade"]):
        done = subprocess.run(
            [sys.executable, "-m", "greenroom.cli", *words],
            env={**os.environ, "GREENROOM_STATE_DIR": str(tmp_path), "TERM": "xterm-256color"},
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0
        assert done.stdout
        assert b"\x1b" not in done.stdout + done.stderr


# ---- greenroom db


def test_the_database_is_made_then_current(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = greenroom("db", "status")
    assert (first.exit_code, "there is none yet" in first.output) == (0, True)
    assert not (tmp_path / "greenroom.db").exists()
    made = greenroom("db", "upgrade")
    assert (made.exit_code, "applied 0001" in made.output) == (0, True)
    assert "current" in greenroom("db", "status").output
    assert "Nothing to do" in greenroom("db", "upgrade").output


def test_an_older_sqlite_is_copied_and_the_copy_named(
    environment: pytest.MonkeyPatch, sqlite_file: Path, next_version: NextVersion
) -> None:
    next_version()
    status = greenroom("db", "status")
    assert (status.exit_code, "older than this version" in status.output) == (0, True)
    done = greenroom("db", "upgrade")
    assert (done.exit_code, "applied 9999" in done.output) == (0, True)
    (copy,) = sqlite_file.parent.glob("*.backup.db")
    assert f"The database as it was: {copy}" in done.output


def test_a_newer_database_is_refused_by_every_command(
    environment: pytest.MonkeyPatch,
    sqlite_file: Path,
    next_version: NextVersion,
) -> None:
    next_version()
    greenroom("db", "upgrade")
    next_version.undo()
    assert "newer than this version" in greenroom("db", "status").output
    for words in (("db", "upgrade"), ("serve", "--port=0")):
        refused = greenroom(*words)
        assert (refused.exit_code, "newer Greenroom" in refused.output) == (1, True)


def test_postgres_is_upgraded_by_the_command_and_not_by_the_server(
    environment: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    name = postgres.new_database()
    environment.setenv("GREENROOM_DATABASE_URL", postgres.url(name))
    refused = greenroom("serve", "--port=0")
    assert (refused.exit_code, "greenroom db upgrade" in refused.output) == (1, True)
    assert greenroom("db", "status").exit_code == 1
    assert greenroom("db", "upgrade").exit_code == 0
    status = greenroom("db", "status")
    assert (status.exit_code, "current" in status.output) == (0, True)
    password = postgres.url().split(":")[2].split("@")[0]
    assert password not in refused.output + status.output
    postgres.drop_database(name)


def test_an_older_postgres_asks_for_a_dump_first(
    environment: pytest.MonkeyPatch, postgres_url: str, next_version: NextVersion
) -> None:
    environment.setenv("GREENROOM_DATABASE_URL", postgres_url)
    next_version()
    refused = runner.invoke(app, ["db", "upgrade"], input="n\n")
    assert (refused.exit_code, "pg_dump" in refused.output) == (1, True)
    assert "older" in greenroom("db", "status").output
    done = greenroom("db", "upgrade", "--yes")
    assert (done.exit_code, "applied 9999" in done.output) == (0, True)


# ---- greenroom doctor


def test_the_doctor_prints_json_and_no_more(environment: pytest.MonkeyPatch) -> None:
    done = greenroom("doctor", "--no-call", "--json", "--port=0")
    told = json.loads(done.stdout)
    checks = {finding["check"] for finding in told["findings"]}
    assert {"python", "voice", "port", "audio over", "database", "secret"} <= checks
    assert done.exit_code == (0 if told["healthy"] else 1)


def test_the_doctor_goes_on_when_the_settings_cannot_be_read(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GREENROOM_IDLE_S", "-1")
    done = greenroom("doctor")
    assert done.exit_code == 1
    assert "GREENROOM_IDLE_S" in done.output
    assert "python" in done.output


@pytest.mark.parametrize(
    ("finding", "exit_code"), [(ok("a", "fine"), 0), (problem("a", "bad", "mend"), 1)]
)
def test_a_problem_is_exit_code_one(
    environment: pytest.MonkeyPatch, finding: Finding, exit_code: int
) -> None:
    async def check_up(wanted: object, step: object) -> list[Finding]:
        return [finding]

    environment.setattr("greenroom.doctor.checkup.check_up", check_up)
    assert greenroom("doctor").exit_code == exit_code
