"""espeak-ng behind our class: sound, memory of sound, failure, cancellation."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from greenroom.bot import espeak as module
from greenroom.bot.deck import DECK
from greenroom.bot.dialogue import Dialogue, Say
from greenroom.bot.espeak import (
    CHUNK_S,
    ESPEAK_RATE_HZ,
    Espeak,
    EspeakFailed,
    EspeakMissing,
    split_sentences,
)


async def sound(espeak: Espeak, text: str) -> bytes:
    return b"".join([chunk async for chunk in espeak.speak(text)])


def test_sentences_are_split_at_their_ends() -> None:
    assert split_sentences(" Right!  What is six times seven? ") == [
        "Right!",
        "What is six times seven?",
    ]
    assert split_sentences("") == []


async def test_speech_comes_in_short_chunks() -> None:
    chunks = [chunk async for chunk in Espeak().speak("What is six times seven?")]
    assert max(map(len, chunks)) <= ESPEAK_RATE_HZ * CHUNK_S * 2
    assert 1.0 < sum(map(len, chunks)) / 2 / ESPEAK_RATE_HZ < 3.0


async def test_what_was_prewarmed_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    espeak = Espeak()
    greeting = next(a.text for a in Dialogue(DECK, 1).greet() if isinstance(a, Say))
    espeak.prewarm([greeting])
    monkeypatch.setattr(espeak, "_command", ("false",))
    assert len(await sound(espeak, greeting)) > ESPEAK_RATE_HZ
    with pytest.raises(EspeakFailed):
        await sound(espeak, "Something new.")
    with pytest.raises(EspeakFailed):
        espeak.prewarm(["Something new."])


async def test_the_next_sentence_is_spoken_by_whoever_waits_for_it() -> None:
    espeak = Espeak()
    espeak.stay_ready()
    assert espeak._waiting is None
    await sound(espeak, "Well.")
    first = espeak._waiting
    assert len(await sound(espeak, "Hello!")) > ESPEAK_RATE_HZ // 2
    second = espeak._waiting
    assert first is not None
    assert second is not None
    assert (first.poll(), second.poll()) == (0, None), "one has spoken, and the next one waits"
    espeak.close()
    assert second.poll() is not None
    assert len(await sound(espeak, "Hello again!")) > ESPEAK_RATE_HZ // 2
    assert espeak._waiting is None


async def test_who_was_killed_while_waiting_is_replaced() -> None:
    espeak = Espeak()
    espeak.stay_ready()
    await sound(espeak, "Well.")
    assert espeak._waiting is not None
    espeak._waiting.kill()
    espeak._waiting.communicate()
    assert len(await sound(espeak, "Hello!")) > ESPEAK_RATE_HZ // 2
    espeak.close()


async def test_the_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    espeak = Espeak(cache_bytes=150_000)
    for text in ("What is six times seven?", "What is eight times nine?", "Goodbye!"):
        await sound(espeak, text)
    assert "Goodbye!" in espeak._cache
    assert "What is six times seven?" not in espeak._cache
    assert espeak._cached_bytes == sum(map(len, espeak._cache.values())) <= 150_000


async def test_no_text_is_taken_for_an_option() -> None:
    assert len(await sound(Espeak(), "--version")) > ESPEAK_RATE_HZ // 2


def test_a_missing_espeak_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EspeakMissing, match="apt install espeak-ng") as raised:
        Espeak()
    assert raised.value.code == "no_espeak"


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Espeak, Path]:
    """An espeak-ng that says its process id through a pipe and then hangs."""
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    espeak = Espeak()
    script = f"echo $$ > {pipe}; exec sleep 60"
    monkeypatch.setattr(espeak, "_command", ("sh", "-c", script))
    return espeak, pipe


async def test_cancellation_kills_the_process(hanging: tuple[Espeak, Path]) -> None:
    espeak, pipe = hanging
    task = asyncio.create_task(sound(espeak, "Hello!"))
    pid = int(await asyncio.to_thread(pipe.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_hanging_process_is_killed_in_time(
    hanging: tuple[Espeak, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak, pipe = hanging
    monkeypatch.setattr(module, "SENTENCE_LIMIT_S", 0.2)
    reading = asyncio.create_task(asyncio.to_thread(pipe.read_text))
    with pytest.raises(EspeakFailed, match="in time"):
        await sound(espeak, "Hello!")
    with pytest.raises(ProcessLookupError):
        os.kill(int(await reading), 0)
