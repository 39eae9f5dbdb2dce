"""Where the Python time of a bot's process goes: py-spy's stacks, sorted into a dozen drawers.

py-spy is asked for the samples in which somebody holds the interpreter's lock (``--gil``); what
runs without it (Opus, Silero's model, the kernel) is not in them, and what waits is not either.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

RATE_HZ = 500

# The first drawer counts that knows a part of any frame of the stack.
DRAWERS = {
    "text for logs that nobody reads": ("__str__ (", "format_pts", "nanoseconds_to_str", "loguru/"),
    "observers": ("worker_observer.py", "/observers/", "rtvi/observer", "greenroom/bot/observe.py"),
    "voice activity": ("/vad/", "vad_processor.py"),
    "recognition, synthesis": ("bot/sphinx.py", "bot/espeak.py", "stt_service._segment"),
    "link, room, pings": ("bot/link.py", "bot/room.py", "bot/serve.py", "rtcsctptransport.py"),
    "sending: track, encoder, RTP, SRTP": ("_run_rtp (", "opus.py", "RTCRtpSender"),
    "receiving: SRTP, RTP, jitter, decoder": (
        *("rtcdtlstransport.py", "rtcrtpreceiver.py", "run_coroutine_threadsafe"),
    ),
    "microphone: resampling, frames": ("smallwebrtc/transport.py",),
    "ICE": ("aioice/",),
    "passing frames on": ("pipecat/",),
}
OTHER = "event loop and threads' hand-over"


async def stacks_of(py_spy: str, pid: int, for_s: float) -> list[str]:
    """Sample a process; each line is a stack, root first, and how often it was seen."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as directory:
        path = Path(directory) / "stacks"
        recording = await asyncio.create_subprocess_exec(
            *(py_spy, "record", "--gil", "--rate", str(RATE_HZ), "--pid", str(pid)),
            *("--duration", str(round(for_s)), "--format", "raw", "--output", str(path)),
            stdout=subprocess.DEVNULL,
        )
        if await recording.wait() != 0:
            raise RuntimeError(f"{py_spy} could not look at process {pid}")
        return path.read_text().splitlines()


def shares(stacks: Iterable[str]) -> list[tuple[str, float]]:
    """The drawers and their shares in percent, the fullest first."""
    seen: Counter[str] = Counter()
    for line in stacks:
        stack, _, times = line.rpartition(" ")
        seen[_drawer(stack)] += int(times)
    whole = max(1, seen.total())
    return [(name, 100 * times / whole) for name, times in seen.most_common()]


def _drawer(stack: str) -> str:
    for name, marks in DRAWERS.items():
        if any(mark in stack for mark in marks):
            return name
    return OTHER
