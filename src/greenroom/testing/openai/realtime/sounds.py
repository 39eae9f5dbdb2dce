"""What the Realtime stand-in hears and speaks with: an energy detector, PocketSphinx, espeak-ng."""

from __future__ import annotations

import functools
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenroom.testing.openai.realtime.shapes import RATE_HZ

Hear = Callable[[bytes], str]
"""Understands an utterance: int16, mono, 24 kHz."""

BYTES_A_MS = RATE_HZ * 2 // 1000
WAV_HEADER_BYTES = 44
ESPEAK_RATE_HZ = 22_050
SPHINX_RATE_HZ = 16_000
ESPEAK_WORDS_A_MINUTE = 160
ESPEAK_WITHIN_S = 10.0
_FRAME_MS = 20
# Speech counts from so much of it on: a click is none.
_STARTS_AFTER_MS = 60
# The root mean square, of 32,768, that a threshold of 1.0 stands for.
_LOUDEST = 1500.0
# How long a model that listens to the meaning waits, about; its eagerness decides.
_SEMANTIC_SILENCE_MS = {"low": 1500, "medium": 800, "auto": 800, "high": 400}


def milliseconds(pcm: bytes | bytearray) -> float:
    """How long it lasts."""
    return len(pcm) / BYTES_A_MS


@functools.lru_cache(maxsize=128)
def spoken(text: str, speed: float = 1.0) -> bytes:
    """A text in espeak-ng's voice: int16, mono, 24 kHz. Blocks for some milliseconds.

    Raises:
        RuntimeError: espeak-ng is not installed, or fails.
    """
    pace = str(round(ESPEAK_WORDS_A_MINUTE * speed))
    try:
        done = subprocess.run(  # noqa: S603 - our own command; the text is on stdin
            ("espeak-ng", "-s", pace, "--stdin", "--stdout"),  # noqa: S607
            input=text.encode(),
            capture_output=True,
            timeout=ESPEAK_WITHIN_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError("espeak-ng, which the stand-in speaks with, failed") from error
    samples = np.frombuffer(done.stdout[WAV_HEADER_BYTES : len(done.stdout) // 2 * 2], "<i2")
    return _resampled(samples, ESPEAK_RATE_HZ, RATE_HZ).tobytes()


class Ears:
    """PocketSphinx on any English, roughly, or on a few phrases, well.

    Args:
        phrases: What may be said; None: anything. Lower-case words of the model's dictionary.
    """

    def __init__(self, *phrases: str) -> None:
        self._phrases = phrases
        self._decoder: Any = None
        self._lock = threading.Lock()

    def __call__(self, pcm: bytes) -> str:
        """See `Hear`. Blocks for about a third of the time that it lasts."""
        with self._lock:
            if self._decoder is None:
                self._decoder = self._made()
            samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
            # Digital silence is nothing that its model has ever heard.
            noise = np.random.default_rng(0).normal(0, 40, len(samples))
            audible = np.clip(samples + noise, -32768, 32767).astype("<i2")
            self._decoder.start_utt()
            raw = _resampled(audible, RATE_HZ, SPHINX_RATE_HZ).tobytes()
            self._decoder.process_raw(raw, False, True)
            self._decoder.end_utt()
            best = self._decoder.hyp()
        return best.hypstr if best is not None else ""

    def _made(self) -> Any:
        import pocketsphinx

        if not self._phrases:
            model = Path(pocketsphinx.get_model_path()) / "en-us" / "en-us.lm.bin"
            return pocketsphinx.Decoder(lm=str(model), loglevel="FATAL")
        decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
        rule = f"public <phrase> = {' | '.join(self._phrases)};"
        decoder.add_jsgf_string("phrases", f"#JSGF V1.0;\ngrammar phrases;\n{rule}\n")
        decoder.activate_search("phrases")
        return decoder


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody began to speak, so many milliseconds after the first sound that ever came."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nobody speaks any more; ``pcm`` is what was said, with a little before it."""

    at_ms: int
    pcm: bytes


class Detector:
    """Tells speech from silence by its loudness, in the time of the sound and not of the clock."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self._seen_ms = 0.0  # how much is analysed
        self._kept_from_ms = 0.0  # where `pcm` begins
        self._loud_ms = 0
        self._quiet_ms = 0
        self._speaking = False

    def clear(self) -> None:
        """Forget what has not been understood yet."""
        self._kept_from_ms += milliseconds(self.pcm)
        self._seen_ms = self._kept_from_ms
        self.pcm.clear()
        self._loud_ms = self._quiet_ms = 0
        self._speaking = False

    def hear(self, pcm: bytes, how: dict[str, Any] | None) -> Iterator[Started | Stopped]:
        """Take in more sound; what it means, as it comes.

        Args:
            pcm: int16, mono, 24 kHz.
            how: The session's ``turn_detection``; None: it is only kept, for a commit.
        """
        self.pcm += pcm
        if how is None:
            return
        threshold = _LOUDEST * (how.get("threshold", 0.5))
        silence_ms = how.get("silence_duration_ms")
        if how["type"] == "semantic_vad":
            silence_ms = _SEMANTIC_SILENCE_MS[how.get("eagerness", "auto")]
        frame_bytes = _FRAME_MS * BYTES_A_MS
        start = int((self._seen_ms - self._kept_from_ms) * BYTES_A_MS)
        while start + frame_bytes <= len(self.pcm):
            loud = _rms(self.pcm[start : start + frame_bytes]) > threshold
            start += frame_bytes
            self._seen_ms += _FRAME_MS
            if not self._speaking:
                self._loud_ms = self._loud_ms + _FRAME_MS if loud else 0
                if self._loud_ms >= _STARTS_AFTER_MS:
                    self._speaking, self._quiet_ms = True, 0
                    began_ms = self._seen_ms - self._loud_ms - how.get("prefix_padding_ms", 300)
                    start -= self._drop_until(began_ms)
                    yield Started(int(max(began_ms, 0)))
            else:
                self._quiet_ms = 0 if loud else self._quiet_ms + _FRAME_MS
                if self._quiet_ms >= (500 if silence_ms is None else silence_ms):
                    said = bytes(self.pcm[:start])
                    start -= self._drop_until(self._seen_ms)
                    self._speaking, self._loud_ms = False, 0
                    yield Stopped(int(self._seen_ms), said)
        if not self._speaking:
            # What is before the next words is kept no longer than it may be wanted.
            self._drop_until(self._seen_ms - 2000)

    def _drop_until(self, at_ms: float) -> int:
        """Forget what was before; returns how many bytes it was."""
        much = max(0, int((at_ms - self._kept_from_ms) * BYTES_A_MS)) // 2 * 2
        del self.pcm[:much]
        self._kept_from_ms += much / BYTES_A_MS
        return much


def _rms(pcm: bytes | bytearray) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return float(np.sqrt(np.mean(samples**2)))


def _resampled(samples: NDArray[np.int16], from_hz: int, to_hz: int) -> NDArray[np.int16]:
    """By straight lines between the samples: good enough to be understood."""
    count = len(samples) * to_hz // from_hz
    at = np.arange(count) * (from_hz / to_hz)
    between: NDArray[np.int16] = np.interp(at, np.arange(len(samples)), samples).astype("<i2")
    return between
