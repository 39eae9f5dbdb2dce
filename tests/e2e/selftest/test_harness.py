"""The microphone is heard, the ears hear, and a request to another host would be seen."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from tests.e2e.outside import connections_elsewhere
from tests.e2e.person import a_browser, a_person
from tests.e2e.selftest.peer import a_peer
from tests.e2e.speech import Listener, beginnings, speech_ms, trimmed

pytestmark = pytest.mark.e2e

QUESTIONS = ["what is six times seven", "what is eight times four", "what is nine times nine"]
FAREWELL = "Goodbye! You got five of six right."


@pytest.mark.long  # for whoever changes these tools, or wonders at what another test heard
async def test_the_microphone_is_heard_and_the_ears_hear() -> None:
    async with a_peer() as peer, a_browser() as browser, a_person(browser, peer.url) as person:
        ears = person.ears
        clicked_ms = await person.click("talk")
        await asyncio.wait_for(peer.connected.wait(), 10)

        peer.mouth.say(QUESTIONS[1])
        question = await ears.utterance(10)
        assert Listener.of(QUESTIONS).understand(question.pcm) == QUESTIONS[1]
        assert question.duration_ms == pytest.approx(speech_ms(QUESTIONS[1]), rel=0.05)
        first_sound_ms = ears.first_sound_after(clicked_ms)
        assert first_sound_ms == question.began_ms

        said = await person.say("forty two")
        assert said.ended_ms - said.began_ms == pytest.approx(speech_ms("forty two"), abs=150)
        answers = Listener.of(["forty two", "thirty six", "goodbye"])
        assert answers.understand(trimmed(peer.heard)) == "forty two"

        peer.mouth.say(FAREWELL)
        began_ms = await ears.wait_for_speech(5)
        farewell = await ears.utterance(10, silence_ms=700)
        assert farewell.began_ms == began_ms
        assert farewell.duration_ms >= 0.95 * speech_ms(FAREWELL)
        assert (
            Listener.of(beginnings(FAREWELL)).understand(farewell.pcm) == beginnings(FAREWELL)[-1]
        )

        peer.mouth.say(FAREWELL)
        await ears.until(await ears.wait_for_speech(5) + 1500)
        peer.mouth.hush()
        cut_short = await ears.utterance(10, silence_ms=700)
        assert cut_short.duration_ms < 0.95 * speech_ms(FAREWELL)
        heard = Listener.of(beginnings(FAREWELL)).understand(cut_short.pcm)
        assert heard != beginnings(FAREWELL)[-1]

        assert person.requests.elsewhere(peer.url) == []
        assert await person.ice_servers() == []
        assert connections_elsewhere([psutil.Process()]) == []


async def test_a_request_to_another_host_is_seen() -> None:
    async with a_peer() as peer, a_browser() as browser, a_person(browser, peer.url) as person:
        await person.page.evaluate("fetch('https://example.com/x').catch(() => 0)")
        await person.page.evaluate(
            "new Promise(done => { new WebSocket('wss://example.org/y').onerror = done; })"
        )
        assert person.requests.elsewhere(peer.url) == [
            "https://example.com/x",
            "wss://example.org/y",
        ]
