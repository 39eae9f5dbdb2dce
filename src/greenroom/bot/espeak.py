"""The mouth of the built-in bot: the system's espeak-ng as an ordinary Pipecat voice service."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from pipecat.frames.frames import ErrorFrame, Frame, StartFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from greenroom.errors import Unavailable

ESPEAK_RATE_HZ = 22_050
"""The rate of espeak-ng's formant voices; int16, mono."""

SENTENCE_LIMIT_S = 5.0
"""A sentence takes espeak-ng about 20 ms; after this it hangs."""

CHUNK_S = 0.1
CACHE_BYTES = 16 * 1024 * 1024
WAV_HEADER_BYTES = 44

_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+")


class EspeakMissing(Unavailable):
    """espeak-ng is not installed on this machine."""

    code = "no_espeak"
    retryable = False


class EspeakFailed(Unavailable):
    """espeak-ng ran and gave no speech, or none in time."""

    code = "espeak_failed"


@dataclass(frozen=True, slots=True)
class Voice:
    """How espeak-ng speaks.

    Attributes:
        name: Voice with an optional variant, as ``espeak-ng --voices`` lists them.
        words_per_minute: 80 to 450.
        pitch: 0 to 99.
    """

    name: str = "en-us"
    words_per_minute: int = 150
    pitch: int = 50


class Espeak:
    """Turns sentences into sound, and remembers the sound.

    May be made and filled before a fork: it owns no process, thread or loop between calls, until
    `stay_ready` is called.

    Args:
        voice: How to speak.
        cache_bytes: How much sound to remember; the least recently used is forgotten first.

    Raises:
        EspeakMissing: espeak-ng is not on the path.
    """

    def __init__(self, voice: Voice | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        program = shutil.which("espeak-ng")
        if program is None:
            raise EspeakMissing(
                "espeak-ng is not installed, so the built-in assistant has no voice. "
                "On Debian or Ubuntu: sudo apt install espeak-ng. On macOS: brew install espeak-ng."
            )
        self.voice = voice or Voice()
        # --stdin, so that no text can be taken for an option.
        self._command = (
            program,
            *("-v", self.voice.name),
            *("-s", str(self.voice.words_per_minute)),
            *("-p", str(self.voice.pitch)),
            *("--stdin", "--stdout"),
        )
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._stays_ready = False
        self._waiting: subprocess.Popen[bytes] | None = None

    def stay_ready(self) -> None:
        """Let a process that has loaded its voice wait for the next sentence: 2 ms, and not 8.

        Side effect: from the first sentence on one waits, until `close`. Not before that: when a
        call begins, others need the machine more. It ends by itself when this process does.
        """
        self._stays_ready = True

    def close(self) -> None:
        """Let nobody wait any more. Does not block for longer than a killed process takes."""
        self._stays_ready = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _end(waiting)

    def prewarm(self, texts: Iterable[str]) -> None:
        """Synthesise these texts now; blocks, about 20 ms a sentence.

        Raises:
            EspeakFailed: espeak-ng gave no speech, or none in time.
        """
        for text in texts:
            for sentence in split_sentences(text):
                if sentence in self._cache:
                    continue
                try:
                    done = subprocess.run(  # noqa: S603 - our own command, the text is on stdin
                        self._command,
                        input=sentence.encode(),
                        capture_output=True,
                        timeout=SENTENCE_LIMIT_S,
                        check=False,
                    )
                except subprocess.TimeoutExpired as late:
                    raise EspeakFailed("espeak-ng did not answer in time.") from late
                self._remember(sentence, _samples(done.returncode, done.stdout))

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        """The sound of a text in short chunks, a sentence at a time.

        Args:
            text: Plain text; its sentences are spoken as they are ready.

        Yields:
            int16, mono, `ESPEAK_RATE_HZ`, at most `CHUNK_S` each.

        Raises:
            EspeakFailed: espeak-ng gave no speech, or none in time.

        On cancellation the process is killed.
        """
        chunk_bytes = int(ESPEAK_RATE_HZ * CHUNK_S) * 2
        for sentence in split_sentences(text):
            pcm = self._cache.get(sentence)
            if pcm is None:
                pcm = await self._synthesise(sentence)
            self._remember(sentence, pcm)
            for start in range(0, len(pcm), chunk_bytes):
                yield pcm[start : start + chunk_bytes]

    async def _synthesise(self, sentence: str) -> bytes:
        try:
            return await self._speak_by(self._take(), sentence)
        finally:
            if self._stays_ready:
                self._waiting = self._take()

    def _take(self) -> subprocess.Popen[bytes]:
        """The process that waits, unless somebody has ended it; or a new one."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            if waiting.poll() is None:
                return waiting
            _end(waiting)
        return self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Not the loop's own way: uvloop forks, which takes a bot's process 20 ms in which nothing
        # else runs. This way (vfork) takes one.
        return subprocess.Popen(  # noqa: S603 - our own command; the text is on stdin
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    async def _speak_by(self, process: subprocess.Popen[bytes], sentence: str) -> bytes:
        speaking = asyncio.create_task(asyncio.to_thread(process.communicate, sentence.encode()))
        try:
            async with asyncio.timeout(SENTENCE_LIMIT_S):
                wav, _ = await asyncio.shield(speaking)
        except TimeoutError as late:
            raise EspeakFailed("espeak-ng did not answer in time.") from late
        finally:
            if not speaking.done():
                process.kill()
                # The thread that reads notices its end at once, and reaps it.
                await asyncio.wait({speaking})
        return _samples(process.returncode, wav)

    def _remember(self, sentence: str, pcm: bytes) -> None:
        self._cached_bytes += len(pcm) - len(self._cache.get(sentence, b""))
        self._cache[sentence] = pcm
        self._cache.move_to_end(sentence)
        while self._cached_bytes > self._cache_bytes:
            _, forgotten = self._cache.popitem(last=False)
            self._cached_bytes -= len(forgotten)


@dataclass
class EspeakTTSSettings(TTSSettings):
    """Settings of `EspeakTTSService`; the voice is chosen when the `Espeak` is made."""


class EspeakTTSService(TTSService):
    """Speaks with espeak-ng, at whatever rate the transport wants.

    Args:
        espeak: The synthesiser, perhaps prewarmed before a fork; by default a new one.
        **kwargs: As of Pipecat's `TTSService`.

    Raises:
        EspeakMissing: espeak-ng is not on the path.
    """

    Settings: ClassVar[type[TTSSettings]] = EspeakTTSSettings

    def __init__(self, *, espeak: Espeak | None = None, **kwargs: Any) -> None:
        self._espeak = espeak or Espeak()
        self._started = False
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=EspeakTTSSettings(model=None, voice=self._espeak.voice.name, language=None),
            **kwargs,
        )

    @property
    def espeak(self) -> Espeak:
        """The synthesiser that speaks at present."""
        return self._espeak

    async def start(self, frame: StartFrame) -> None:
        """A call begins; called by Pipecat."""
        await super().start(frame)
        self._started = True
        self._espeak.stay_ready()

    def take(self, espeak: Espeak) -> None:
        """Speak with another voice from the next sentence on; the one that is spoken ends as it is.

        Does not block for longer than a killed process takes.
        """
        before, self._espeak = self._espeak, espeak
        if before is not espeak:
            before.close()
        if self._started:
            espeak.stay_ready()

    async def cleanup(self) -> None:
        """The call is over, however it ended; called by Pipecat."""
        await super().cleanup()
        self._espeak.close()

    def can_generate_metrics(self) -> bool:
        """Characters spoken and time to the first sound are reported."""
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Speak a text; called by Pipecat.

        Args:
            text: What to say.
            context_id: Which utterance the sound belongs to.

        Yields:
            Audio frames at the transport's rate; an `ErrorFrame` if espeak-ng fails.
        """
        await self.start_tts_usage_metrics(text)
        try:
            async for frame in self._stream_audio_frames_from_iterator(
                self._espeak.speak(text), in_sample_rate=ESPEAK_RATE_HZ, context_id=context_id
            ):
                await self.stop_ttfb_metrics()
                yield frame
        except EspeakFailed as failed:
            yield ErrorFrame(error=failed.message, exception=failed)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, without the space between them; none for an empty text."""
    return [sentence for sentence in _BETWEEN_SENTENCES.split(text.strip()) if sentence]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that nobody has said anything to, reap it, and close its pipes."""
    process.kill()
    process.communicate()


def _samples(returncode: int | None, wav: bytes) -> bytes:
    """The samples in espeak-ng's output, whose header does not know their number."""
    if returncode != 0 or len(wav) <= WAV_HEADER_BYTES:
        raise EspeakFailed(f"espeak-ng ended with status {returncode} and gave no speech.")
    return wav[WAV_HEADER_BYTES:]
