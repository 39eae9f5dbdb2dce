"""The ears of the built-in bot: PocketSphinx with a grammar, as an ordinary Pipecat service."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import DataFrame, Frame, InputAudioRawFrame, TranscriptionFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.utils.time import time_now_iso8601
from pocketsphinx import Decoder, Segment

from greenroom.bot.deck import meaning
from greenroom.bot.dialogue import Heard

RATE_HZ = 16_000
"""The rate of PocketSphinx's English model; int16, mono."""

LONGEST_SPEECH_S = 4.0
"""Nobody needs longer for a number; more is rejected without decoding it."""

DOUBTFUL_MARGIN_NATS = 30.0
"""Lead over the runner-up at which confidence is one half. Chosen by a
sweep over four espeak-ng voices, clean and at 20 dB, none of which the benchmark measures."""

GOOD_FIT_NATS = 6.4
WORST_WORD_NATS = 7.7
"""Loss a frame against the best sound there is. What fits well on the whole is believed, and else
every word must fit tolerably. 99 % of right answers lie under 6.4 on the whole and under 7.2 at the
worst word; 95 % of other speech above 6.4, 90 % above 7.5 at the worst word."""

LEAST_COVERED = 0.8
"""Part of the loud frames that the understood words must explain; the rest was something else.
Right answers explain 0.94 (99 %), other sentences 0.7 (half of them)."""

DITHER_DB = -26.0
"""Noise added, relative to the speech. On synthetic speech without any noise
this much more than halves the errors (28 to 11 % of all numbers misheard)."""

_FRAME = RATE_HZ // 100
_MARGIN_S = 0.25
_LOUDNESS = 3000.0
_NBEST = 100
# PocketSphinx keeps the logarithm of a whole path shifted right by ten bits, that of a word not.
_PATH_SHIFT = 1024

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Speech:
    """The part of an utterance that was spoken. ``loud``: bool, one a frame of 10 ms."""

    samples: Samples
    loud: NDArray[np.bool_]


class Recogniser:
    """Understands one utterance at a time, as one of the sentences of a grammar.

    Loads its model when made (about 0.1 s); may be made before a fork and used after it.
    Not to be used by two threads at once.

    Args:
        meaning: What a sentence of the grammar means, None for what is no whole sentence.
            Sentences that mean the same do not rival each other. By default each means itself.
    """

    def __init__(self, meaning: Callable[[str], Hashable | None] = str) -> None:
        self._meaning = meaning
        # Every senone is computed on every frame: only then is a path's score a loss against the
        # best sound there is, which tells known sentences from others.
        self._decoder = Decoder(lm=None, loglevel="FATAL", lw=1.0, wip=1.0, compallsen=True)
        self._grammar: str | None = None
        self._pcm = bytearray()

    def take_meaning(self, meaning: Callable[[str], Hashable | None]) -> None:
        """From now on sentences mean this."""
        self._meaning = meaning

    def knows(self, words: str) -> bool:
        """Whether each of these words is in the model's dictionary: only those are understood."""
        return all(self._decoder.lookup_word(word) is not None for word in words.split())

    def start(self, grammar: str) -> None:
        """Begin an utterance.

        Args:
            grammar: JSGF; every sentence that may be understood. Changing it takes about 2 ms.
        """
        self._pcm.clear()
        if grammar != self._grammar:
            self._decoder.add_jsgf_string("grammar", grammar)
            self._decoder.activate_search("grammar")
            self._grammar = grammar

    def feed(self, pcm: bytes) -> None:
        """Take in more of the utterance.

        Args:
            pcm: int16, mono, 16 kHz.
        """
        self._pcm += pcm

    def finish(self) -> Heard:
        """Decode the utterance; blocks about 60 ms for each second of it.

        Decoding waits for the end because the mean of the whole utterance is subtracted from it
        (cepstral mean normalisation); while it goes on, only a guess of the mean is known, and
        up to twice as many numbers are misheard.

        Returns:
            The sentence understood with its confidence, or an empty text.
        """
        speech = find_speech(bytes(self._pcm))
        self._pcm.clear()
        if speech is None:
            return Heard("", 0.0)
        # New features forget the noise of the utterance before: the same sound is heard the same.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(condition(speech), False, True)
        self._decoder.end_utt()
        return self._judge(speech)

    def _judge(self, speech: _Speech) -> Heard:
        best = self._decoder.hyp()
        words = [part for part in self._decoder.seg() or () if part.word[0] not in "<[+"]
        if best is None or not words:
            return Heard("", 0.0)
        covered = sum(
            int(speech.loud[part.start_frame : part.end_frame + 1].sum()) for part in words
        ) / max(1, int(speech.loud.sum()))
        if covered < LEAST_COVERED or not _fits(words):
            return Heard("", 0.0)
        return self._most_likely()

    def _most_likely(self) -> Heard:
        """The best whole sentence, sure by its lead over the best one that means something else.

        The best path of all may stop in the middle of a sentence, so the n best are looked at.
        """
        best = Heard("", 0.0)
        best_nats = 0.0
        for path in itertools.islice(self._decoder.nbest() or (), _NBEST):
            if path is None:
                break
            if (meant := self._meaning(path.hypstr)) is None:
                continue
            nats = _PATH_SHIFT * _nats(path.score)
            if not best.text:
                best, best_nats = Heard(path.hypstr, 1.0), nats
            elif meant != self._meaning(best.text):
                return Heard(best.text, confidence_of(max(0.0, best_nats - nats)))
        return best


def confidence_of(margin_nats: float) -> float:
    """0 for a tie, one half at `DOUBTFUL_MARGIN_NATS`, towards 1 for a lead beyond doubt."""
    return 1.0 - DOUBTFUL_MARGIN_NATS / (margin_nats + DOUBTFUL_MARGIN_NATS)


@dataclass
class NotUnderstoodFrame(DataFrame):
    """The user said something and nothing was understood.

    In place of an empty transcript, which would hold a user's turn open until its time-out.
    """


def heard_in(frame: Frame) -> Heard | None:
    """What a frame of `SphinxSTTService` says was heard; None for any other frame."""
    if isinstance(frame, NotUnderstoodFrame):
        return Heard("", 0.0)
    if isinstance(frame, TranscriptionFrame) and isinstance(frame.result, Heard):
        return frame.result
    return None


@dataclass
class SphinxSTTSettings(STTSettings):
    """Settings of `SphinxSTTService`: none but the grammar, which `set_grammar` changes."""


class Ears(Protocol):
    """What understands an utterance; see `Recogniser`."""

    def start(self, grammar: str) -> None:
        """See `Recogniser.start`."""
        ...

    def feed(self, pcm: bytes) -> None:
        """See `Recogniser.feed`."""
        ...

    def finish(self) -> Heard:
        """See `Recogniser.finish`."""
        ...


class SphinxSTTService(SegmentedSTTService):
    """Understands each utterance between the VAD's start and stop.

    Emits a final `TranscriptionFrame` with the `Heard` as its result, or a
    `NotUnderstoodFrame`. Audio from up to a second before the VAD's start is used too.
    While muted it hears nothing.

    Args:
        grammar: JSGF to begin with.
        recogniser: Perhaps made before a fork; by default a new one for the built-in deck.
        **kwargs: As of Pipecat's `SegmentedSTTService`.
    """

    def __init__(self, *, grammar: str, recogniser: Ears | None = None, **kwargs: Any) -> None:
        super().__init__(
            sample_rate=RATE_HZ,
            trailing_silence_secs=0.0,
            settings=SphinxSTTSettings(model="en-us", language=None),
            ttfs_p99_latency=0.3,
            **kwargs,
        )
        self._recogniser: Ears = recogniser or Recogniser(meaning)
        self._grammar = grammar

    @property
    def wants_wav_segments(self) -> bool:
        """False: the recogniser takes bare samples."""
        return False

    def can_generate_metrics(self) -> bool:
        """Seconds of audio and time to the transcript are reported."""
        return True

    def set_grammar(self, grammar: str) -> None:
        """Listen for these sentences from the next utterance that ends.

        Args:
            grammar: JSGF.
        """
        self._grammar = grammar

    async def process_audio_frame(
        self, frame: InputAudioRawFrame, direction: FrameDirection
    ) -> None:
        """Keep audio for the next utterance, unless muted; called by Pipecat."""
        if not self.is_muted:
            await super().process_audio_frame(frame, direction)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Understand one utterance; called by Pipecat.

        Decodes on the event loop: PocketSphinx holds the interpreter's lock, so a thread would
        block the loop just as long, and the user has just spoken, so nothing plays.

        Args:
            audio: int16, mono, 16 kHz.

        Yields:
            One `TranscriptionFrame` or one `NotUnderstoodFrame`.
        """
        self._recogniser.start(self._grammar)
        self._recogniser.feed(audio)
        heard = self._recogniser.finish()
        if heard.text:
            yield TranscriptionFrame(
                heard.text, self._user_id, time_now_iso8601(), result=heard, finalized=True
            )
        else:
            yield NotUnderstoodFrame()


def find_speech(pcm: bytes, longest_s: float = LONGEST_SPEECH_S) -> _Speech | None:
    """Cut the silence around speech; None for silence and for speech of absurd length."""
    whole = np.frombuffer(pcm[: len(pcm) // (2 * _FRAME) * 2 * _FRAME], dtype="<i2")
    frames = whole.astype(np.float32).reshape(-1, _FRAME)
    if not len(frames):
        return None
    level = np.sqrt((frames**2).mean(axis=1))
    peak = float(np.percentile(level, 95))
    if peak < 1.0:
        return None
    floor = float(np.percentile(level, 5))
    loud = level > max(0.08 * peak, min(2.0 * floor, 0.5 * peak))
    if not loud.any() or loud.sum() * 0.01 > longest_s:
        return None
    margin = int(_MARGIN_S * 100)
    first = max(0, int(loud.argmax()) - margin)
    last = min(len(loud), len(loud) - int(loud[::-1].argmax()) + margin)
    return _Speech(samples=frames[first:last].reshape(-1), loud=loud[first:last])


def condition(speech: _Speech) -> bytes:
    """Bring speech to one loudness and add a little noise, always the same."""
    samples = speech.samples
    loud = samples.reshape(-1, _FRAME)[speech.loud]
    power = math.sqrt(float((loud**2).mean()))
    noise = np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32)
    noisy = samples * (_LOUDNESS / power) + noise * (_LOUDNESS * 10 ** (DITHER_DB / 20))
    return np.clip(noisy, -32768, 32767).astype("<i2").tobytes()


def _fits(words: Sequence[Segment]) -> bool:
    """Whether these words sound like what they are taken for."""
    losses = [-_nats(word.ascore) for word in words]
    frames = [word.end_frame - word.start_frame + 1 for word in words]
    if sum(losses) <= GOOD_FIT_NATS * sum(frames):
        return True
    return all(
        loss <= WORST_WORD_NATS * length for loss, length in zip(losses, frames, strict=True)
    )


def _nats(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf
