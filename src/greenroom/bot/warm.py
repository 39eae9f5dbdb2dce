"""What a fork may share: Silero's model, and every other ONNX session that was opened before."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import onnxruntime
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams

RATE_HZ = 16_000
# Half of Pipecat's default: whoever interrupts is heard 100 ms sooner, and a word as short as
# “skip” is noticed at all.
VAD_START_S = 0.1
_stock_session = onnxruntime.InferenceSession
_sessions: dict[str, Any] = {}
_vad: SileroVADAnalyzer | None = None


def _remembered_session(path: Any, *args: Any, **kwargs: Any) -> Any:
    key = str(path)
    if key not in _sessions:
        _sessions[key] = _stock_session(path, *args, **kwargs)
    return _sessions[key]


def remember_onnx_sessions() -> None:
    """Open every ONNX model once per process family.

    A bot's own ``SileroVADAnalyzer()`` costs 46–71 ms in a forked child, and about 10 ms when
    the session was opened before the fork. Sessions hold no state between calls: the analyzer
    keeps its own. Side effect: replaces ``onnxruntime.InferenceSession``.
    """
    onnxruntime.InferenceSession = _remembered_session


# What libraries import as late as they can, that is while somebody waits for a call to begin.
_LATE = (
    "numpy.random",
    "uvloop",
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.serialization",
)


def late_imports() -> None:
    """Import what every forked child would import again, each for itself.

    ``numpy.random`` alone costs 15 ms and 4 MB in each.
    """
    for name in _LATE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def vad() -> SileroVADAnalyzer:
    """The process's one voice activity detector: 16 kHz, one thread, started on first use.

    Before a fork only its synchronous ``voice_confidence()`` may be called: its executor's
    thread does not survive one.
    """
    global _vad
    if _vad is None:
        params = VADParams(start_secs=VAD_START_S)
        _vad = SileroVADAnalyzer(sample_rate=RATE_HZ, params=params)
        _vad.set_sample_rate(RATE_HZ)
        _vad.voice_confidence(bytes(2 * _vad.num_frames_required()))
    return _vad
