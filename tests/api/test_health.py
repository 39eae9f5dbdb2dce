"""``/readyz`` looks where things are kept, too."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom import assembly
from tests.conftest import House


@pytest.fixture
def plan(plan: assembly.Plan, tmp_path: Path) -> assembly.Plan:
    return replace(plan, state_dir=tmp_path)


def on_a_full_disk(dir: Path) -> io.BufferedWriter:
    """The kernel's own."""
    return Path("/dev/full").open("wb")


async def test_not_ready_while_nothing_can_be_kept(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.client() as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        monkeypatch.setattr(tempfile, "TemporaryFile", on_a_full_disk)
        refused = await client.get("/readyz")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert "No space left on device" in refused.json()["message"]
        monkeypatch.undo()
        assert (await client.get("/readyz")).is_success
