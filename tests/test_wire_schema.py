"""The committed JSON Schema of the wire says what the Python models say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from greenroom.wire import schema
from greenroom.wire.events import EVENT_DATA, Event
from greenroom.wire.http import StartBody

COMMITTED = Path(__file__).parents[1] / "web/packages/client/src/wire.schema.json"


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    found: dict[str, Any] = schema.document()["$defs"]
    return found


def test_the_committed_schema_is_the_one_the_models_make() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema.text(), "run `make wire`"


def test_running_the_module_prints_the_document() -> None:
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "greenroom.wire.schema"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert printed.stderr == ""
    assert json.loads(printed.stdout) == schema.document()


def test_every_known_event_is_one_branch_of_the_union(definitions: dict[str, Any]) -> None:
    branches = [ref["$ref"].rsplit("/", 1)[1] for ref in definitions["TypedEvent"]["oneOf"]]
    typed = {
        definitions[name]["properties"]["type"]["const"]: definitions[name]["properties"]["data"]
        for name in branches
    }
    assert typed == {
        str(kind): {"$ref": f"#/$defs/{data.__name__}"} for kind, data in EVENT_DATA.items()
    }
    assert set(definitions["Event"]["required"]) == {
        "v", "id", "session", "seq", "time", "type", "data",
    }  # fmt: skip


def test_every_reference_leads_somewhere(definitions: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    assert {ref.rsplit("/", 1)[1] for ref in references(definitions)} <= set(definitions)


def test_names_are_those_of_the_wire_and_nullable_fields_may_be_absent(
    definitions: dict[str, Any],
) -> None:
    session = definitions["SessionBody"]
    assert "lastSeq" in session["required"]
    assert "endedAt" in session["properties"]
    assert "endedAt" not in session["required"]
    assert "title" in definitions["ConfigAnswer"]["properties"]


def test_what_the_models_write_has_every_required_field(definitions: dict[str, Any]) -> None:
    event = Event(id="e1", session="s1", seq=1, time="2026-01-01T00:00:00.000Z", type="x", data={})
    start = StartBody()
    models: tuple[BaseModel, ...] = (event, start)
    for model in models:
        written = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
        assert set(definitions[type(model).__name__]["required"]) <= set(written)
