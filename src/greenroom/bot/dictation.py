"""Ears for any words: PocketSphinx's own English language model; rough, and without a key."""

from __future__ import annotations

from pathlib import Path

import pocketsphinx
from pocketsphinx import Decoder

from greenroom.bot.dialogue import Heard
from greenroom.bot.sphinx import condition, find_speech

LONGEST_SPEECH_S = 15.0
"""Decoding takes about as long as a third of the speech, and nothing else runs meanwhile."""


class Dictation:
    """Understands one utterance at a time, whatever is said in it, as well as it can.

    It has `greenroom.bot.sphinx.Recogniser`'s face, without a grammar. What it hears is right in
    a word of two or three, which is enough to try things with, and not to rely on.

    Loads the model when made: 0.3 s, 90 MB.
    """

    def __init__(self) -> None:
        model = Path(pocketsphinx.get_model_path()) / "en-us" / "en-us.lm.bin"
        self._decoder = Decoder(lm=str(model), loglevel="FATAL")
        self._pcm = bytearray()

    def start(self, grammar: str) -> None:
        """Begin an utterance; there is no grammar."""
        self._pcm.clear()

    def feed(self, pcm: bytes) -> None:
        """Take in more of it; pcm: int16, mono, 16 kHz."""
        self._pcm += pcm

    def finish(self) -> Heard:
        """Decode the utterance; blocks."""
        speech = find_speech(bytes(self._pcm), LONGEST_SPEECH_S)
        self._pcm.clear()
        if speech is None:
            return Heard("", 0.0)
        return Heard(self._decode(condition(speech)), 1.0)

    def _decode(self, pcm: bytes) -> str:
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, False, True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return best.hypstr if best is not None else ""
