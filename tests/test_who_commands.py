"""``greenroom keys`` and ``greenroom audit``; and that commands put on record who ran them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from greenroom.cli import app
from greenroom.commands.operate import os_user
from greenroom.ports.keys import ApiKey
from greenroom.service.names import digest_of
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.postgres_server import PostgresServer

runner = CliRunner()


@pytest.fixture(autouse=True)
def _a_database(environment: pytest.MonkeyPatch, sqlite_file: Path) -> None:
    """An empty database of the test's own."""


def greenroom(*words: str) -> Result:
    return runner.invoke(app, words)


def ran(*words: str) -> Result:
    # A command shows errors only; in these tests the logs are left as the tests have them.
    with structlog.testing.capture_logs():
        done = greenroom(*words)
    assert done.exit_code == 0, done.output
    return done


def log(*words: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = json.loads(ran("audit", "--json", *words).stdout)["lines"]
    return lines


def kept(path: Path, shown: str) -> ApiKey | None:
    async def look() -> ApiKey | None:
        store = await open_sqlite(path)
        try:
            return await store.keys.by_digest(digest_of(shown))
        finally:
            await store.close()

    return asyncio.run(look())


def test_a_key_is_made_listed_and_taken_back(sqlite_file: Path) -> None:
    assert "There is no key" in ran("keys", "list").stdout
    words = ("keys", "create", "web", "--scope", "tokens:mint", "--scope", "sessions:start")
    made = ran(*words, "--tenant", "acme", "--days", "90")
    secret = made.stdout.strip()
    assert secret.startswith("gr_"), "standard output is the key and nothing else"
    assert "shown this once" in made.stderr
    key = kept(sqlite_file, secret)
    assert key is not None
    assert (key.name, key.tenant, sorted(key.scopes)) == (
        "web",
        "acme",
        ["sessions:start", "tokens:mint"],
    )
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == 90 * 86_400
    (line,) = json.loads(ran("keys", "list", "--json").stdout)["keys"]
    assert (line["id"], line["createdBy"], line["good"]) == (key.id, os_user(), True)
    shown = ran("keys", "list").stdout
    assert key.begins in shown
    assert secret not in shown
    assert "opens nothing any more" in ran("keys", "revoke", key.id[:8]).stdout
    assert "There is no key" in ran("keys", "list").stdout
    assert "revoked" in ran("keys", "list", "--all").stdout
    assert greenroom("keys", "revoke", key.id).exit_code == 1
    assert [(entry["act"], entry["target"]) for entry in log()] == [
        ("key.revoke", key.id),
        ("key.create", key.id),
    ]
    assert {(entry["actorKind"], entry["actor"]) for entry in log()} == {("command", os_user())}


@pytest.mark.parametrize(
    "words",
    [
        ("create", "web"),
        ("create", "web", "--scope", "everything"),
        ("create", "", "--scope", "operate"),
        ("create", "x" * 65, "--scope", "operate"),
        ("create", "web", "--scope", "operate", "--tenant", "acme"),
        ("create", "web", "--scope", "tokens:mint", "--tenant", ""),
        ("create", "web", "--scope", "operate", "--days", "0"),
        ("create", "web", "--scope", "operate", "--days", "nan"),
        ("revoke", ""),
        ("revoke", "key_none"),
    ],
)
def test_a_key_that_cannot_be_is_refused(words: tuple[str, ...]) -> None:
    assert greenroom("keys", *words).exit_code in (1, 2)
    assert json.loads(ran("keys", "list", "--all", "--json").stdout) == {"keys": []}
    assert log() == []


def test_what_is_done_without_a_server_is_on_record() -> None:
    for words in (
        ("token", "ops", "--operator", "--hours", "1"),
        ("token", "ada"),
        ("stop-all", "--reason", "Fire drill."),
        ("resume",),
    ):
        ran(*words)
    assert greenroom("deliveries", "replay", "17").exit_code == 1
    found = log()
    assert [(entry["act"], entry["target"], entry["detail"]) for entry in found] == [
        ("delivery.replay", "17", {"endpoint": None, "count": 0}),
        ("house.resume", "", {}),
        ("house.stop", "", {"reason": "Fire drill."}),
        ("token.operator", "ops", {"hours": 1.0}),
    ]
    assert {(e["actor"], e["address"], e["outcome"]) for e in found} == {(os_user(), None, "done")}


def test_the_log_is_shown_for_people_and_filtered() -> None:
    assert "Nothing of that" in ran("audit").stdout
    ran("resume")
    ran("token", "ops", "--operator")
    shown = ran("audit").stdout
    assert "house.resume" in shown
    assert "token.operator" in shown
    assert [entry["act"] for entry in log("--act", "house.resume")] == ["house.resume"]
    assert log("--who", "nobody") == []
    assert [entry["act"] for entry in log("--limit", "1")] == ["token.operator"]
    newest = log()[0]["id"]
    assert [entry["act"] for entry in log("--before", str(newest))] == ["house.resume"]
    today = datetime.now(UTC).astimezone().strftime("%Y-%m-%d")
    assert len(log("--since", today)) == 2
    assert log("--since", "2999-01-01") == []
    assert greenroom("audit", "--since", "yesterday").exit_code == 2


def test_a_token_is_signed_without_a_database(sqlite_file: Path) -> None:
    sqlite_file.unlink()
    done = ran("token", "ops", "--operator")
    assert done.stdout.count(".") == 2
    assert "Not on the audit log" in done.stderr
    assert not sqlite_file.exists(), "and none is made for it"


def test_an_upgrade_is_on_record(environment: pytest.MonkeyPatch, postgres: PostgresServer) -> None:
    name = postgres.new_database()
    environment.setenv("GREENROOM_DATABASE_URL", postgres.url(name))
    ran("db", "upgrade")
    ran("db", "upgrade")
    (entry,) = log()
    assert (entry["act"], entry["actor"]) == ("database.upgrade", os_user())
    assert entry["detail"]["applied"][-1] == entry["target"]
    postgres.drop_database(name)
