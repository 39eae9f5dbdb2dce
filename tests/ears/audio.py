"""What the benchmark says and how it sounds, for the tests; the bench directory is no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_path = Path(__file__).parents[2] / "bench" / "recognition.py"
_spec = importlib.util.spec_from_file_location("recognition", _path)
assert _spec is not None
assert _spec.loader is not None
recognition = importlib.util.module_from_spec(_spec)
sys.modules["recognition"] = recognition
_spec.loader.exec_module(recognition)


def utterance(text: str, voice: str = "en-us", speed: int = 150, *, noisy: bool = False) -> bytes:
    """Spoken words with silence around them: int16, mono, 16 kHz."""
    sound = recognition.spoken(text, voice, speed)
    pcm: bytes = recognition.over_the_air(sound, noisy=noisy, seed=1, opus=False)
    return pcm
