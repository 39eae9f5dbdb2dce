"""``greenroom assistants``: what people do with records, and what a server reads at its start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from greenroom.cli import app

runner = CliRunner()


@pytest.fixture(autouse=True)
def _a_database(environment: pytest.MonkeyPatch, sqlite_file: Path) -> None:
    """An empty database of the test's own."""


def greenroom(*words: str, code: int = 0) -> Result:
    # A command shows errors only; in these tests the logs are left as the tests have them.
    with structlog.testing.capture_logs():
        done = runner.invoke(app, ("assistants", *words))
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def mary(tmp_path: Path) -> Path:
    path = tmp_path / "mary.yaml"
    path.write_text("firstMessage: Hello, [b]you[/b]!\nvoiceSessionConfig: {maxDuration: 60}\n")
    return path


def test_a_record_is_saved_published_shown_and_rolled_back(mary: Path) -> None:
    assert "No assistant has a record" in greenroom("list").stdout
    greenroom("save", str(mary), "--publish")
    mary.write_text("firstMessage: Two\n")
    greenroom("save", str(mary), "--based-on", "1")
    assert "firstMessage: Hello, [b]you[/b]!" in greenroom("show", "mary").stdout
    assert "firstMessage: Two" in greenroom("show", "mary", "2").stdout
    assert json.loads(greenroom("show", "mary", "2", "--json").stdout)["firstMessage"] == "Two"
    greenroom("publish", "mary")
    assert "version 1" in greenroom("rollback", "mary").stdout
    (line,) = json.loads(greenroom("list", "--json").stdout)["assistants"]
    assert (line["name"], line["latest"], line["published"]) == ("mary", 2, 1)
    told = json.loads(greenroom("versions", "mary", "--json").stdout)
    assert [v["version"] for v in told["versions"]] == [2, 1]
    greenroom("kill", "mary", "--reason", "so")
    assert "switched off" in greenroom("list").stdout
    greenroom("revive", "mary")
    greenroom("delete", "mary")
    assert "has a record" in greenroom("show", "mary", code=1).output


def test_who_is_late_is_told(mary: Path) -> None:
    greenroom("save", str(mary))
    assert (
        "is at version 1 by now" in greenroom("save", str(mary), "--based-on", "0", code=1).output
    )


def test_files_are_checked_without_a_database(
    mary: Path, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("GREENROOM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    greenroom("validate", str(mary))
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.yaml").write_text("tts: {service: x, settings: {speed: fast}}")
    (bad / "b.yaml").write_text("voiceSessionConfig: {maxDuration: 6000}")
    (bad / "c.yaml").write_text("bot: os")
    output = greenroom("validate", str(mary), str(bad), code=1).output
    assert "a.yaml: tts.settings.speed: must be a number" in output
    assert "b.yaml: voiceSessionConfig.maxDuration: may be at most 600 here" in output
    assert "c.yaml: bot: is none that this server was told of" in output
    environment.setenv("GREENROOM_BOTS", "os")
    environment.setenv("GREENROOM_MAX_DURATION_CEILING_S", "6000")
    assert "c.yaml" not in greenroom("validate", str(bad), code=1).stderr


def test_the_schema_is_one(mary: Path) -> None:
    schema = json.loads(greenroom("schema").stdout)
    assert {"name", "persona", "rollout"} <= schema["properties"].keys()


def rollout(*words: str, code: int = 0) -> Result:
    with structlog.testing.capture_logs():
        done = runner.invoke(app, ("rollout", *words))
    assert done.exit_code == code, done.output
    return done


def test_a_rollout_is_raised_looked_at_and_taken_back(mary: Path) -> None:
    assert "no page has asked" in rollout("report").stdout
    assert "has a record" in rollout("set", "mary", "10", code=1).output
    greenroom("save", str(mary), "--publish")
    rollout("set", "mary", "0")
    rollout("set", "mary", "100", "--tenant", "acme")
    assert rollout("decide", "mary", "ada").stdout == "vapi (percentage)\n"
    assert rollout("decide", "mary", "ada", "--tenant", "acme").stdout == "greenroom (tenant)\n"
    assert "rollout.percentage" in rollout("set", "mary", "110", code=1).output
    assert json.loads(rollout("report", "--json").stdout)["assistants"] == []
