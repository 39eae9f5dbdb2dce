"""Whether an assistant could work, known before anybody talks to it; and refused in time if not."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import structlog

from greenroom.errors import AssistantNotReady, GreenroomError
from greenroom.ports.clock import Clock
from greenroom.ports.readiness import Lack, Workbench
from greenroom.service.assistants import Assistant, Catalogue
from greenroom.wire.assistants import AssistantRecord, as_data

log = structlog.get_logger("greenroom.readiness")

# What lacks something is tried again then: somebody may have put a secret's file there.
AGAIN_AFTER_S = 10.0
# So soon is a new publication tried, if no start comes first.
LOOK_EVERY_S = 10.0
MOST_KEPT = 256
# What services are made of; nothing else of a record can make it unready.
_PARTS = ("stt", "llm", "tts", "speech_to_speech", "voice", "language")


@dataclass(slots=True)
class _Tried:
    lacks: list[Lack]
    at: float


class Readiness:
    """Tries records, each once as long as it lacks nothing.

    Args:
        catalogue: Whom one may talk with.
        clock: The time.
        workbench: Where they are tried; None: their bots are elsewhere, and nobody can tell.
        bots: The bots whose services are made of records; others make their own.
    """

    def __init__(
        self, catalogue: Catalogue, clock: Clock, workbench: Workbench | None, bots: set[str]
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._workbench = workbench
        self._bots = bots
        self._tried: OrderedDict[str, _Tried] = OrderedDict()
        self._trying: dict[str, asyncio.Task[list[Lack]]] = {}

    async def require(self, assistant: Assistant) -> None:
        """Let nobody begin what cannot work. The first to ask waits some seconds.

        Raises:
            AssistantNotReady: It lacks something; says what.
        """
        lacks = await self.lacks(assistant)
        if lacks:
            what = "; ".join(map(str, lacks[:5]))
            problems = [
                {"path": one.path, "code": one.code, "message": one.message} for one in lacks
            ]
            raise AssistantNotReady(
                f"This assistant is not ready. {what}",
                assistant=assistant.name,
                problems=problems,
            )

    async def lacks(self, assistant: Assistant) -> list[Lack]:
        """What an assistant lacks, as far as can be told; nothing if nobody can."""
        record = assistant.record
        if self._workbench is None or assistant.bot not in self._bots or record is None:
            return []
        if record.llm is None and record.speech_to_speech is None:
            return []
        key = _key(record)
        known = self._tried.get(key)
        if known and (not known.lacks or self._clock.now() < known.at + AGAIN_AFTER_S):
            return known.lacks
        trying = self._trying.get(key)
        if trying is None:
            trying = asyncio.create_task(self._try(key, assistant.name, record))
            self._trying[key] = trying
            trying.add_done_callback(lambda _: self._trying.pop(key, None))
        # Whoever asked first may go; the others still wait for it.
        return await asyncio.shield(trying)

    async def run(self) -> None:
        """Try what is published, now and whenever that changes; until cancelled."""
        try:
            while True:
                try:
                    for assistant in await self._catalogue.listed():
                        await self.lacks(assistant)
                except GreenroomError as error:
                    log.warning("readiness.not_looked", error=error.message, code=error.code)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            trying = list(self._trying.values())
            for task in trying:
                task.cancel()
            await asyncio.gather(*trying, return_exceptions=True)

    async def _try(self, key: str, name: str, record: AssistantRecord) -> list[Lack]:
        assert self._workbench is not None
        try:
            lacks = await self._workbench.lacks(as_data(record.for_bot()))
        except GreenroomError as error:
            # Not to know is no reason to refuse: the bot itself says what it lacks.
            log.warning("readiness.unknown", assistant=name, error=error.message)
            return []
        before = self._tried.get(key)
        self._tried[key] = _Tried(lacks, self._clock.now())
        self._tried.move_to_end(key)
        while len(self._tried) > MOST_KEPT:
            self._tried.popitem(last=False)
        if lacks and (before is None or before.lacks != lacks):
            log.warning("assistant.not_ready", assistant=name, problems=[str(one) for one in lacks])
        return lacks


def _key(record: AssistantRecord) -> str:
    said: dict[str, Any] = record.model_dump(mode="json", include=set(_PARTS), exclude_none=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
