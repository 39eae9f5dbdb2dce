"""A model's client is used once before forks: it asks, hears, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from loguru import logger

from greenroom.bot import rehearsed_model
from tests.bot.child import Host


def test_preloading_a_bot_with_a_model_leaves_nothing_that_a_fork_would_break(
    tmp_path: Path,
) -> None:
    host = Host("tests.bot.bots.asks", tmp_path)
    try:
        facts = host.facts()
    finally:
        host.close()
    assert facts["sockets"] == []
    assert facts["polls"] == []
    assert facts["threads"] == ["MainThread"]


async def test_the_model_is_asked_and_heard_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    answer = rehearsed_model._answer

    async def watch(reader: object, writer: object) -> None:
        asked.append(b"")
        await answer(reader, writer)  # type: ignore[arg-type]

    monkeypatch.setattr(rehearsed_model, "_answer", watch)
    complaints: list[str] = []
    sink = logger.add(lambda message: complaints.append(str(message)), level="WARNING")
    try:
        await rehearsed_model.ask()
    finally:
        logger.remove(sink)
    assert rehearsed_model.is_needed()
    assert len(asked) == 1
    assert complaints == []
