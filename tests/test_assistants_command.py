"""``greenroom assistants``: what people do with records, and what a server reads at its start."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

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
    assert json.loads(greenroom("show", "mary", "2", "--json").stdout)["firstMessage"] == "Two"
    greenroom("publish", "mary")
    assert "version 1" in greenroom("rollback", "mary").stdout
    (line,) = json.loads(greenroom("list", "--json").stdout)["assistants"]
    assert (line["name"], line["latest"], line["published"]) == ("mary", 2, 1)
    told = json.loads(greenroom("versions", "mary", "--json").stdout)
    assert [v["version"] for v in told["versions"]] == [2, 1]
    greenroom("kill", "mary", "--reason", "so")
    assert "switched off" in greenroom("list").stdout
    greenroom("delete", "mary")
    assert "has a record" in greenroom("revive", "mary", code=1).output


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


# ---- import, and the plan's migration

VAPI_FILES = Path(__file__).parent / "assistants" / "vapi"


def imports(*words: str, code: int = 0) -> Result:
    with structlog.testing.capture_logs():
        done = runner.invoke(app, ("import", *words))
    assert done.exit_code == code, done.output
    return done


def test_vapis_assistants_become_files_and_versions(tmp_path: Path) -> None:
    file = VAPI_FILES / "02-server-tools.json"
    output = imports("vapi", str(file)).output
    assert "model.toolIds[0]" in output
    assert "Nothing was written" in output
    folder = tmp_path / "records"
    imports("vapi", str(VAPI_FILES / "10-hooks-and-mcp.json"), "--to", str(folder))
    assert {path.name for path in folder.iterdir()} == {"Concierge.yaml", "Concierge-night.yaml"}
    greenroom("validate", str(folder))
    again = imports("vapi", str(VAPI_FILES / "10-hooks-and-mcp.json"), "--to", str(folder), code=1)
    assert "nothing was written" in again.output
    imports("vapi", str(file), "--save")
    (line,) = json.loads(greenroom("list", "--json").stdout)["assistants"]
    assert (line["name"], line["published"]) == ("Parcel-desk", None)
    told = json.loads(imports("vapi", str(file), "--json").stdout)["assistants"][0]
    assert {"field": "model.tools[0].async", "why": "has no equal"} in told["dropped"]
    assert "Name a file, or say --api" in imports("vapi", code=1).output
    assert "VAPI_API_KEY is not set" in imports("vapi", "--api", code=1).output


def test_all_assistants_are_fetched_page_by_page(environment: pytest.MonkeyPatch) -> None:
    every = [
        {"id": f"a{n}", "name": f"Number {n % 200}", "createdAt": f"2025-01-01T{n:06}"}
        for n in range(250)
    ]
    asked: list[tuple[str, str]] = []

    class Vapi(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            before = query.get("createdAtLt", ["9"])[0]
            asked.append((self.headers["Authorization"], before))
            newest = [one for one in reversed(every) if one["createdAt"] < before]
            self.send_response(200 if self.headers["Authorization"] == "Bearer private" else 401)
            self.end_headers()
            self.wfile.write(json.dumps(newest[: int(query["limit"][0])]).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Vapi) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            environment.setenv("VAPI_API_KEY", "private")
            found = json.loads(imports("vapi", "--api", "--url", url, "--json").stdout)
            environment.setenv("VAPI_API_KEY", "public")
            refused = imports("vapi", "--api", "--url", url, code=1)
        finally:
            server.shutdown()
    names = [one["name"] for one in found["assistants"]]
    assert (len(names), len(set(names))) == (250, 250)
    assert len(asked) == 4
    assert "does not accept this key" in refused.output
    assert "public" not in refused.output


def test_documents_of_mongodb_become_versions_and_the_migration_is_run_twice(
    tmp_path: Path,
) -> None:
    file = tmp_path / "assistants.json"
    file.write_text('{"name": "nia", "persona": "x"}\n{"name": "mia"}\n')
    imports("mongo", str(file), "--save")
    assert "Every record has" in greenroom("migrate").stdout
    old = tmp_path / "old.yaml"
    old.write_text("persona: y\n")
    greenroom("save", str(old), "--publish")
    assert "old would get" in greenroom("migrate", "--dry-run").stdout
    assert "old has got" in greenroom("migrate").stdout
    assert "Every record has" in greenroom("migrate").stdout
    record = json.loads(greenroom("show", "old", "--json").stdout)
    # The plan's hour is more than this server allows.
    assert record["voiceSessionConfig"]["maxDuration"] == 600
    lines = json.loads(greenroom("list", "--json").stdout)["assistants"]
    assert [(line["name"], line["latest"], line["published"]) for line in lines] == [
        ("mia", 1, None),
        ("nia", 1, None),
        ("old", 2, 2),
    ]
