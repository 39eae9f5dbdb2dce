"""Speaking and understanding for the tests: espeak-ng, and PocketSphinx on a few sentences."""

from __future__ import annotations

import functools
import io
import re
import subprocess
import wave
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder

Pcm = npt.NDArray[np.int16]

_PAUSE_MS = 250
_ROOM_RMS = 3000.0
_WORD = re.compile(r"[a-z']+")
_RULE_NAME = re.compile(r"<\w+>")

HEARD_HZ = 16_000
FRAME_MS = 10
SPEECH_RMS = 150.0
"""A 10 ms frame louder than this (of 32,767; about -47 dBFS) is sound, not hush."""


@functools.cache
def speech_wav(text: str, voice: str = "en-us", words_per_minute: int = 150) -> bytes:
    """A WAV file (mono, int16, espeak-ng's own rate) of a sentence, without silence around it."""
    spoken = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text],
        check=True,
        capture_output=True,
        timeout=20,
    ).stdout
    pcm, rate_hz = _samples(spoken)
    return wav_bytes(trimmed(pcm, rate_hz), rate_hz)


def speech_ms(text: str, voice: str = "en-us", words_per_minute: int = 150) -> float:
    """How long espeak-ng takes to say this, without silence around it."""
    pcm, rate_hz = _samples(speech_wav(text, voice, words_per_minute))
    return len(pcm) * 1000 / rate_hz


def _samples(wav: bytes) -> tuple[Pcm, int]:
    # espeak-ng writes to a pipe, so the length in its header is not the real one.
    with wave.open(io.BytesIO(wav)) as file:
        rate_hz = file.getframerate()
        data = file.readframes(file.getnframes())
    return np.frombuffer(data[: len(data) // 2 * 2], np.int16), rate_hz


def wav_bytes(pcm: Pcm, rate_hz: int) -> bytes:
    """A WAV file of mono int16 samples."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.tobytes())
    return out.getvalue()


def loud_frames(pcm: Pcm, rate_hz: int = HEARD_HZ) -> npt.NDArray[np.bool_]:
    """For every whole 10 ms of ``pcm``: is there sound?"""
    size = rate_hz * FRAME_MS // 1000
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float64)
    loud: npt.NDArray[np.bool_] = np.sqrt((frames**2).mean(axis=1)) > SPEECH_RMS
    return loud


def trimmed(pcm: Pcm, rate_hz: int = HEARD_HZ) -> Pcm:
    """``pcm`` from its first to its last 10 ms of sound."""
    where = np.flatnonzero(loud_frames(pcm, rate_hz))
    if not where.size:
        return pcm[:0]
    size = rate_hz * FRAME_MS // 1000
    return pcm[where[0] * size : (where[-1] + 1) * size]


def sentences_in(pcm: Pcm) -> list[Pcm]:
    """``pcm`` (16 kHz) cut where it is silent for `_PAUSE_MS` or more."""
    where = np.flatnonzero(loud_frames(pcm))
    cuts = np.flatnonzero(np.diff(where) * FRAME_MS >= _PAUSE_MS) + 1
    size = HEARD_HZ * FRAME_MS // 1000
    return [
        pcm[part[0] * size : (part[-1] + 1) * size] for part in np.split(where, cuts) if part.size
    ]


class Listener:
    """Understands speech when it is one of the sentences that are expected.

    Args:
        rules: The bodies of JSGF rules by name; ``said`` is the one that is listened for. Their
            words are as PocketSphinx's dictionary knows them: lower case, no digits.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._decoder = Decoder(lm=None, loglevel="FATAL")
        words = set(_WORD.findall(_RULE_NAME.sub(" ", " ".join(rules.values()))))
        unknown = sorted(word for word in words if self._decoder.lookup_word(word) is None)
        if unknown:
            raise ValueError(f"not in the dictionary: {unknown}")
        body = "".join(f"<{name}> = {rule};" for name, rule in rules.items() if name != "said")
        grammar = f"#JSGF V1.0; grammar heard; {body} public <said> = {rules['said']};"
        self._decoder.add_jsgf_string("heard", grammar)
        self._decoder.activate_search("heard")

    @classmethod
    def of(cls, sentences: Iterable[str]) -> Listener:
        """A listener for exactly these sentences."""
        return cls({"said": any_of(sentences)})

    def understand(self, pcm: Pcm) -> str:
        """The expected sentence that was said (int16, mono, 16 kHz), or "" for none of them."""
        self._decoder.start_utt()
        self._decoder.process_raw(_as_in_a_room(pcm).tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return "" if hypothesis is None else str(hypothesis.hypstr)


def _as_in_a_room(pcm: Pcm) -> Pcm:
    """Speech at an even loudness, with a margin and some noise.

    The acoustic model was trained in rooms. On the digital silence around and within synthetic
    speech it loses most sentences; at 26 dB signal to noise it loses none (tried on the deck).
    """
    margin = np.zeros(HEARD_HZ // 5)
    speech = np.concatenate([margin, pcm, margin])
    speech *= _ROOM_RMS / max(1.0, float(np.sqrt((speech**2).mean())))
    noise = np.random.default_rng(seed=1).normal(size=speech.size) * _ROOM_RMS * 10 ** (-26 / 20)
    return np.clip(speech + noise, -32768, 32767).astype(np.int16)


def any_of(sentences: Iterable[str]) -> str:
    """The body of a JSGF rule: one of these sentences."""
    return " | ".join(f"({words_of(sentence)})" for sentence in sentences)


def words_of(text: str) -> str:
    """A sentence as plain words: "Let's go, then!" → "let's go then"."""
    kept = (c if c.isalnum() or c == "'" else " " for c in text.lower().replace("’", "'"))
    return " ".join("".join(kept).split())


def beginnings(sentence: str) -> list[str]:
    """Every way in which a sentence can be cut short, and the whole of it."""
    words = words_of(sentence).split()
    return [" ".join(words[:count]) for count in range(1, len(words) + 1)]
