"""Speaking and understanding for the tests: espeak-ng, and PocketSphinx on a few sentences."""

from __future__ import annotations

import functools
import subprocess

import numpy as np
from av import AudioFrame, AudioResampler

from greenroom.bot.sphinx import Recogniser
from tests.bot.page import RATE_HZ, Pcm

WAV_HEADER_BYTES = 44
ESPEAK_RATE_HZ = 22_050


@functools.cache
def spoken(text: str) -> Pcm:
    """A sentence; int16, (samples,), 16 kHz."""
    wav = subprocess.run(
        ["espeak-ng", "-s", "150", "--stdout", text], check=True, capture_output=True, timeout=10
    ).stdout
    pcm = np.frombuffer(wav[WAV_HEADER_BYTES : len(wav) // 2 * 2], np.int16)
    frame = AudioFrame.from_ndarray(pcm[None, :], layout="mono")
    frame.sample_rate = ESPEAK_RATE_HZ
    parts = AudioResampler("s16", "mono", RATE_HZ).resample(frame)
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def which(pcm: Pcm, sentences: list[str]) -> str:
    """Which of these sentences was said; pcm: int16, (samples,), 16 kHz."""
    recogniser = Recogniser(meaning=str)
    rules = " | ".join(sentences)
    recogniser.start(f"#JSGF V1.0;\ngrammar said;\npublic <said> = {rules};\n")
    recogniser.feed(pcm.tobytes())
    return recogniser.finish().text
