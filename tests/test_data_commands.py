"""``greenroom transcript`` and ``greenroom data``: what is kept of people, beside a server."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from greenroom.cli import app
from greenroom.ports.store import NewEvent, Store
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.records_contract import ended
from greenroom.testing.store_contract import a_session, create

runner = CliRunner()


@pytest.fixture(autouse=True)
def _a_database(environment: pytest.MonkeyPatch, sqlite_file: Path) -> None:
    """An empty database of the test's own."""


def greenroom(*words: str, types: str | None = None) -> Result:
    with structlog.testing.capture_logs():
        return runner.invoke(app, words, input=types)


def in_store(path: Path, *uses: Callable[[Store], Awaitable[object]]) -> None:
    async def run() -> None:
        store = await open_sqlite(path)
        for use in uses:
            await use(store)
        await store.close()

    asyncio.run(run())


def test_a_transcript_is_shown(sqlite_file: Path) -> None:
    in_store(sqlite_file, lambda store: ended(store, 1))
    shown = greenroom("transcript", "ses_1")
    assert shown.exit_code == 0
    assert "user  I am ada." in shown.stdout
    told = json.loads(greenroom("transcript", "ses_1", "--json").stdout)
    assert [line["text"] for line in told["lines"]] == ["I am ada."]
    assert greenroom("transcript", "ses_none").exit_code == 1


def test_a_user_is_exported_into_a_file_of_ones_own(sqlite_file: Path, tmp_path: Path) -> None:
    in_store(sqlite_file, lambda store: ended(store, 1), lambda store: ended(store, 2, "bob"))
    file = tmp_path / "ada.ndjson"
    assert greenroom("data", "export", "ada", "--out", str(file)).exit_code == 0
    kinds = [json.loads(line)["kind"] for line in file.read_text().splitlines()]
    assert kinds == ["user", "session", "event", "event", "event"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = greenroom("data", "export", "ada", "--out", str(file))
    assert again.exit_code == 1, "nothing is written over"
    lines = greenroom("data", "export", "ada").stdout.splitlines()
    assert lines[1:] == file.read_text().splitlines()[1:]


def test_who_erases_is_asked_and_on_record(sqlite_file: Path) -> None:
    in_store(sqlite_file, lambda store: ended(store, 1, "mary"))
    assert greenroom("data", "erase", "mary", types="n\n").exit_code == 1
    assert "I am mary." in greenroom("transcript", "ses_1").stdout
    done = greenroom("data", "erase", "mary", types="y\n")
    assert done.exit_code == 0
    assert "3 events of 1 sessions" in done.stdout
    assert "Nothing was said" in greenroom("transcript", "ses_1").stdout
    assert "Nothing is kept" in greenroom("data", "erase", "mary", "--yes").stdout
    (line, _) = json.loads(greenroom("audit", "--json", "--act", "user.erase").stdout)["lines"]
    assert line["target"].startswith("erased-")
    # No alias, which is made of hexadecimal digits, has her name in it by chance.
    assert "mary" not in json.dumps(line["detail"]) + line["target"]


def test_who_talks_is_not_erased(sqlite_file: Path) -> None:
    in_store(sqlite_file, lambda store: create(store, a_session(), [NewEvent("app.n", {})]))
    refused = greenroom("data", "erase", "ada", "--yes")
    assert refused.exit_code == 1
    assert "greenroom end ses_1" in refused.output
