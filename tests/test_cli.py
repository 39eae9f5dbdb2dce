"""The command line: help by example everywhere, colours only for people, clear refusals."""

from __future__ import annotations

import asyncio
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
from greenroom.ports.store import NewEvent
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.postgres_server import PostgresServer
from greenroom.testing.store_contract import a_session, create
from tests.listening import SECRET, an_endpoint
from tests.next_version import NextVersion

runner = CliRunner()


def walk(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands, by its words."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*words, name))


COMMANDS = list(walk(typer.main.get_command(app)))


def test_there_are_commands() -> None:
    assert {
        (),
        ("serve",),
        ("doctor",),
        ("db", "upgrade"),
        ("db", "status"),
        ("deliveries", "replay"),
    } <= {*COMMANDS}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "greenroom")
def test_every_command_helps_by_example(words: tuple[str, ...]) -> None:
    done = runner.invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
    example = re.search(r"Examples?:.*?(greenroom[^\n]*)", done.output, re.DOTALL)
    assert example is not None
    assert " ".join(words) in example[1]


def greenroom(*words: str) -> Result:
    return runner.invoke(app, words)


def test_a_limit_whose_name_has_a_typo_is_told_at_start_up(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GREENROOM_LIV_LIMIT", "1")
    environment.setenv("GREENROOM_IDLE_S", "-1")  # so that it does not start
    done = runner.invoke(app, ["serve"])
    assert done.exit_code == 1
    assert "GREENROOM_LIV_LIMIT is no setting" in done.output
    assert "Did you mean GREENROOM_LIVE_LIMIT?" in done.output
    assert "GREENROOM_IDLE_S" in done.output


@pytest.mark.parametrize(
    ("bot", "said"),
    [
        ("no/such.py", "There is no bot file no/such.py"),
        ("README.md", "README.md is no bot"),
        ("examples/observed", "examples/observed is no bot"),
    ],
)
def test_a_bot_whose_name_has_a_typo_is_refused_at_start_up(
    environment: pytest.MonkeyPatch, bot: str, said: str
) -> None:
    environment.setenv("GREENROOM_PRICES", "nowhere.toml")  # so that it does not start
    done = runner.invoke(app, ["serve", bot, "--port", "0"])
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "words",
    [["serve", "--port", "0"], ["token", "ada"], ["sessions"], ["reap"], ["stop-all"], ["resume"]],
    ids=" ".join,
)
def test_a_state_folder_that_cannot_be_is_said_in_words(
    environment: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "a-file").touch()
    environment.setenv("GREENROOM_STATE_DIR", str(tmp_path / "a-file" / "state"))
    done = runner.invoke(app, words)
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert str(tmp_path / "a-file") in done.output
    assert "GREENROOM_STATE_DIR" in done.output


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


# ---- greenroom deliveries


async def _two_dead_and_one_waiting(path: Path) -> None:
    store = await open_sqlite(path)
    store.deliveries.route([an_endpoint("https://app.example")])
    said = [NewEvent("voice.transcript", {"text": "hunter2"}) for _ in range(3)]
    await create(store, a_session(), said, [])
    for delivery in await store.deliveries.waiting("app", "ses_1", 2):
        await store.deliveries.bury(delivery.id, "HTTP 500")
    await store.close()


@pytest.fixture
def some_deliveries(environment: pytest.MonkeyPatch, sqlite_file: Path) -> None:
    asyncio.run(_two_dead_and_one_waiting(sqlite_file))


def test_deliveries_are_listed_for_people_and_for_machines(some_deliveries: None) -> None:
    shown = greenroom("deliveries")
    assert shown.exit_code == 0
    assert "app: 1 waiting, the oldest since 2027" in shown.output
    assert "2 dead" in shown.output
    assert "HTTP 500" in shown.output
    told = json.loads(greenroom("deliveries", "--dead", "--json").stdout)
    assert [d["event"] for d in told["deliveries"]] == ["ses_1.1", "ses_1.2"]
    assert told["endpoints"][0] | {"oldest": ""} == {
        "endpoint": "app",
        "waiting": 1,
        "dead": 2,
        "oldest": "",
    }
    assert "hunter2" not in shown.output + json.dumps(told), "what was said is nobody's to list"
    assert json.loads(greenroom("deliveries", "--json", "--limit=1").stdout)["deliveries"][0]["id"]
    nobody = json.loads(greenroom("deliveries", "--json", "--endpoint=nobody").stdout)
    assert nobody["deliveries"] == []


def test_deliveries_are_replayed_one_or_all(some_deliveries: None) -> None:
    first = json.loads(greenroom("deliveries", "--json").stdout)["deliveries"][0]["id"]
    one = greenroom("deliveries", "replay", str(first))
    assert (one.exit_code, "1 will be tried" in one.output) == (0, True)
    assert len(json.loads(greenroom("deliveries", "--dead", "--json").stdout)["deliveries"]) == 1
    every = greenroom("deliveries", "replay", "--all")
    assert (every.exit_code, "3 will be tried" in every.output) == (0, True)
    assert json.loads(greenroom("deliveries", "--dead", "--json").stdout)["deliveries"] == []
    for words in (["99999"], [], ["1", "--all"]):
        assert greenroom("deliveries", "replay", *words).exit_code == 1


def test_without_deliveries_it_says_so(
    environment: pytest.MonkeyPatch, sqlite_file: Path, next_version: NextVersion
) -> None:
    assert "Nothing waits" in greenroom("deliveries").output
    every = greenroom("deliveries", "replay", "--all")
    assert (every.exit_code, "0 will be tried" in every.output) == (0, True)
    next_version()
    older = greenroom("deliveries")
    assert (older.exit_code, "greenroom db status" in older.output) == (1, True)
    assert "older" in greenroom("db", "status").output, "looking upgrades nothing"


def test_a_webhook_to_this_machine_must_be_allowed_by_name(
    environment: pytest.MonkeyPatch, sqlite_file: Path
) -> None:
    environment.setenv("GREENROOM_WEBHOOK_URL", "http://localhost:3051/webhook")
    environment.setenv("GREENROOM_WEBHOOK_SECRET", SECRET)
    refused = greenroom("serve", "--port=0")
    assert (refused.exit_code, "GREENROOM_WEBHOOK_ALLOW=localhost" in refused.output) == (1, True)


def test_a_tool_on_this_machine_must_be_allowed_by_name(
    environment: pytest.MonkeyPatch, sqlite_file: Path, tmp_path: Path
) -> None:
    tool = "{name: find, kind: http, settings: {url: 'http://localhost:3051/find'}}"
    record = tmp_path / "mary.yaml"
    record.write_text(f"name: mary\ntools: [{tool}]\n")
    bare = greenroom("assistants", "save", str(record), "--publish")
    assert (bare.exit_code, "tools[0].kind: needs GREENROOM_TOOLS_SECRET" in bare.output) == (
        1,
        True,
    )
    environment.setenv("GREENROOM_TOOLS_SECRET", SECRET)
    refused = greenroom("assistants", "save", str(record), "--publish")
    assert (refused.exit_code, "GREENROOM_TOOLS_ALLOW=localhost" in refused.output) == (1, True)
    environment.setenv("GREENROOM_TOOLS_ALLOW", "localhost")
    assert greenroom("assistants", "save", str(record), "--publish").exit_code == 0


# ---- greenroom relay, greenroom listen


def test_an_address_and_its_token_are_shown_with_how_to_listen(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GREENROOM_RELAY_SECRET", "r" * 32)
    environment.setenv("GREENROOM_RELAY_URL", "https://relay.example/")
    shown = greenroom("relay", "address", "ada")
    assert shown.exit_code == 0
    assert "https://relay.example/in/ada-" in shown.output
    assert re.search(r"GREENROOM_RELAY_TOKEN=grl_ada_\w{40} greenroom listen", shown.output)
    assert greenroom("relay", "address", "ada").output == shown.output
    assert greenroom("relay", "address", "Ada!").exit_code == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("relay",), "GREENROOM_RELAY_SECRET is not set"),
        (("relay", "--secret=hunter2"), "32 characters or more"),
        (("relay", "address", "ada"), "GREENROOM_RELAY_SECRET is not set"),
        (("listen",), "GREENROOM_RELAY_URL"),
        (("listen", "--relay=https://relay.example"), "GREENROOM_RELAY_TOKEN"),
        (("listen", "--relay=relay.example", "--token=grl_a_b"), "begins with https://"),
        (("listen", "--relay=https://r.example", "--token=t", "--forward-to=3051"), "--forward-to"),
    ],
)
def test_what_is_missing_is_named(
    environment: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    refused = greenroom(*words)
    assert (refused.exit_code, told in refused.output) == (1, True), refused.output


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
