"""The doctor's call to itself: real, and told well when it cannot be."""

from __future__ import annotations

import os
from pathlib import Path

from greenroom.doctor.call import call_itself
from greenroom.doctor.finding import Level


async def test_a_call_is_heard_and_leaves_nobody() -> None:
    """On this machine, wherever rooms and bots are set to be."""
    elsewhere = {"GREENROOM_ROOMS": "daily", "GREENROOM_LAUNCHER": "pipecat-cloud"}
    heard, left = await call_itself({**os.environ, **elsewhere}, over_loopback=True)
    assert heard.level is not Level.PROBLEM, heard
    assert "after the click" in heard.message
    assert (left.level, left.message) == (Level.OK, "no process is left")


async def test_a_machine_without_a_voice_is_told_so(tmp_path: Path) -> None:
    for name in ("env", "sh"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    mute = {**os.environ, "PATH": str(tmp_path)}
    (finding,) = await call_itself(mute, over_loopback=True)
    assert finding.level is Level.PROBLEM
    assert "the session was refused" in finding.message
    assert "espeak-ng" in finding.mend


async def test_a_server_that_does_not_start_says_why() -> None:
    (finding,) = await call_itself({**os.environ, "GREENROOM_IDLE_S": "-1"}, over_loopback=True)
    assert finding.level is Level.PROBLEM
    assert "GREENROOM_IDLE_S" in finding.mend
