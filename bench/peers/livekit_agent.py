"""An agent as LiveKit's users write it: Silero in the prewarm function, and an entrypoint."""

from __future__ import annotations

import os
import socket
import time

from livekit.agents import JobContext, JobProcess
from livekit.plugins import silero


def prewarm(process: JobProcess) -> None:
    """What LiveKit's documentation shows: load the VAD before there is a job."""
    process.userdata["vad"] = silero.VAD.load()


async def entrypoint(context: JobContext) -> None:
    """Its first line is the moment that counts; then it says when that was."""
    at_ns = time.monotonic_ns()
    assert context.proc.userdata["vad"] is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as report:
        report.connect(os.environ["BENCH_REPORTS"])
        report.send(f"{os.getpid()} {at_ns}".encode())
