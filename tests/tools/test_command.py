"""``greenroom tools`` lists what a bot here could call, and names what it could not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from greenroom.assistants.records import parse
from greenroom.cli import app
from greenroom.errors import BadRecord
from greenroom.launch.config import supervisor_environment

SOURCE = '''
from greenroom.bot import tool

print("loud on import")


@tool
def add_up(numbers: list[float]) -> float:
    """Add numbers up."""
    return sum(numbers)
'''


def test_it_lists_functions_and_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "sums.py").write_text(SOURCE)
    (folder / "bad.py").write_text("import no_such_module_here")
    monkeypatch.setenv("GREENROOM_TOOLS_DIR", str(folder))
    tools = ["panels", {"name": "add_up", "kind": "function"}, {"name": "lost", "kind": "mcp"}]
    path = tmp_path / "mary.json"
    path.write_text(json.dumps({"name": "mary", "tools": tools}))
    done = CliRunner().invoke(app, ["tools", str(path), "--json"])
    assert done.exit_code == 1, done.output
    start, end = done.stdout.index("{"), done.stdout.rindex("}") + 1
    told = json.loads(done.stdout[start:end])
    assert [(one["name"], one["tool"], one["where"]) for one in told["functions"]] == [
        ("open_panel", "panels", "bot"),
        ("add_up", "add_up", "bot"),
    ]
    assert told["functions"][1]["parameters"]["required"] == ["numbers"]
    assert "lost" in told["problems"][0]
    assert told["folderProblems"][0].startswith("bad.py")


def test_bots_are_told_where_tools_are_and_nothing_else_of_the_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GREENROOM_SECRET", "hunter2")
    monkeypatch.setenv("GREENROOM_TOOLS_DIR", "/somewhere")
    given = supervisor_environment()
    assert "GREENROOM_SECRET" not in given
    assert given["GREENROOM_TOOLS_DIR"] == "/somewhere"


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ({"kind": "mcp", "settings": {"command": "rm"}}, "tools[0].settings.command"),
        ({"kind": "mcp", "settings": {"url": "https://x.org"}}, "tools[0].settings.url"),
        ({"kind": "mcp", "settings": {"server": 3}}, "tools[0].settings.server"),
        ({"kind": "mcp", "settings": {"allow": "all"}}, "tools[0].settings.allow"),
        ({"name": "browser", "settings": {"allow": [3]}}, "tools[0].settings.allow"),
        (
            {"kind": "page", "parameters": {"type": "object", "properties": {"x": {"type": "y"}}}},
            "tools[0].parameters.properties.x.type",
        ),
    ],
)
def test_a_record_only_names_what_others_have(tool: dict[str, object], field: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse({"name": "mary", "tools": [{"name": "numbers", **tool}]})
    assert [problem["field"] for problem in caught.value.detail["problems"]] == [field]
