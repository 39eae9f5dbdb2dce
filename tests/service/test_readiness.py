"""An assistant that lacks something is refused before anybody waits for it, and says what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from greenroom.errors import AssistantNotReady, Unavailable
from greenroom.launch.workbench import LocalWorkbench
from greenroom.ports.readiness import Lack
from greenroom.service.assistants import Assistant, Bounds, Catalogue
from greenroom.service.readiness import AGAIN_AFTER_S, Readiness
from greenroom.session.model import Limits
from greenroom.testing.clock import FakeClock
from greenroom.wire.assistants import AssistantRecord

BOT = "greenroom.bot.assistant"
KEY = Lack("llm.service", "missing_key", "its key is missing: set OPENAI_API_KEY.")


class Bench:
    """Says what it is told to, and counts how often it is asked."""

    def __init__(self, *lacks: Lack) -> None:
        self.said = list(lacks)
        self.asked = 0
        self.broken = False

    async def lacks(self, record: Mapping[str, Any], *, try_it: bool = False) -> list[Lack]:
        """See `Workbench.lacks`."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("It cannot be told.")
        return list(self.said)


def _mary(**record: Any) -> Assistant:
    whole = AssistantRecord.model_validate({"name": "mary", "llm": {"service": "openai"}, **record})
    return Assistant("mary", BOT, "Mary", Limits(), record=whole, version=1)


def _readiness(bench: Bench, clock: FakeClock | None = None) -> Readiness:
    catalogue = Catalogue(Bounds([_mary()]), None)  # type: ignore[arg-type]
    return Readiness(catalogue, clock or FakeClock(), bench, {BOT})


async def test_what_is_missing_is_named_and_found_again() -> None:
    bench, clock = Bench(KEY), FakeClock()
    readiness = _readiness(bench, clock)
    with pytest.raises(AssistantNotReady, match="OPENAI_API_KEY") as refused:
        await readiness.require(_mary())
    assert refused.value.status == 503
    assert refused.value.detail["problems"][0]["path"] == "llm.service"
    bench.said.clear()
    with pytest.raises(AssistantNotReady):
        await readiness.require(_mary())
    assert bench.asked == 1
    clock.advance(AGAIN_AFTER_S)
    await readiness.require(_mary())
    clock.advance(1_000_000)
    await readiness.require(_mary())
    assert bench.asked == 2


async def test_many_who_ask_at_once_have_it_tried_once() -> None:
    bench = Bench()
    readiness = _readiness(bench)
    await asyncio.gather(*(readiness.require(_mary(persona=str(n))) for n in range(5)))
    assert bench.asked == 1
    await readiness.require(_mary(llm={"service": "ollama"}))
    assert bench.asked == 2


async def test_whoever_needs_no_services_is_not_tried() -> None:
    bench = Bench(KEY)
    readiness = _readiness(bench)
    await readiness.require(_mary(llm=None))
    await readiness.require(replace(_mary(), bot="bot.py"))
    await readiness.require(replace(_mary(), record=None))
    assert bench.asked == 0


async def test_not_to_know_is_no_reason_to_refuse() -> None:
    bench = Bench(KEY)
    bench.broken = True
    await _readiness(bench).require(_mary())


async def test_it_is_tried_in_the_environment_of_the_bots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    settings = {"model": "small", "baseUrl": "http://127.0.0.1:1/v1"}
    record: dict[str, Any] = {
        "name": "mary",
        "llm": {"service": "openai", "settings": settings},
        "tts": {"service": "elevenlabs"},
    }
    (lack,) = await LocalWorkbench().lacks(record)
    assert (lack.path, lack.code) == ("tts.service", "missing_key")
