"""What the person in front of the page hears: one recording, and questions about it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.e2e.speech import FRAME_MS, HEARD_HZ, Pcm, loud_frames

_PER_MS = HEARD_HZ // 1000
_FRAME = FRAME_MS * _PER_MS
_SEAM_MS = 40.0
"""Chunks that follow each other within this are one piece; a longer gap is heard as silence."""
_LATE_MS = 1000.0
"""What was played longer ago than this has reached us, however busy the machine is."""
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Utterance:
    """A piece of sound between two silences. Times: epoch milliseconds. ``pcm``: 16 kHz, mono."""

    began_ms: float
    ended_ms: float
    pcm: Pcm

    @property
    def duration_ms(self) -> float:
        """From its first to its last sound."""
        return self.ended_ms - self.began_ms


class Ears:
    """Collects what the page plays, and answers when something was heard.

    There is one cursor, ``attention_ms``: waiting for speech looks only at what comes after it,
    and `utterance` moves it behind what it returns. All times are epoch milliseconds, so that a
    reload of the page changes nothing.
    """

    def __init__(self) -> None:
        self.attention_ms = 0.0
        self._origin_ms: float | None = None
        self._pcm: Pcm = np.zeros(0, np.int16)
        self._loud: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._news = asyncio.Condition()

    async def hear(self, at_ms: float, pcm_base64: str) -> None:
        """Take the next chunk from the page: int16, 16 kHz, beginning at ``at_ms``."""
        chunk = np.frombuffer(base64.b64decode(pcm_base64), np.int16)
        async with self._news:
            if self._origin_ms is None:
                self._origin_ms = at_ms
            gap_ms = at_ms - self.recorded_until_ms
            if gap_ms > _SEAM_MS:
                chunk = np.concatenate([np.zeros(int(gap_ms * _PER_MS), np.int16), chunk])
            self._pcm = np.concatenate([self._pcm, chunk])
            done = len(self._loud) * _FRAME
            self._loud = np.concatenate([self._loud, loud_frames(self._pcm[done:])])
            self._news.notify_all()

    @property
    def recorded_until_ms(self) -> float:
        """How far the recording reaches."""
        return (self._origin_ms or 0.0) + len(self._pcm) / _PER_MS

    async def until(self, at_ms: float) -> None:
        """Wait until the recording has reached this moment."""
        async with self._news:
            await self._news.wait_for(lambda: self.recorded_until_ms >= at_ms)

    def first_sound_after(self, at_ms: float) -> float | None:
        """When the first sound after this moment began, if there was one."""
        frame = self._frame(at_ms)
        later = np.flatnonzero(self._loud[frame:])
        return self._time(frame + int(later[0])) if later.size else None

    def last_sound_between(self, from_ms: float, to_ms: float) -> float | None:
        """When the last sound in a stretch of time ended, if there was one."""
        first = self._frame(from_ms)
        heard = np.flatnonzero(self._loud[first : self._frame(to_ms)])
        return self._time(first + int(heard[-1]) + 1) if heard.size else None

    def sound_ms_between(self, from_ms: float, to_ms: float) -> float:
        """How many milliseconds of sound there were in a stretch of time."""
        heard = self._loud[self._frame(from_ms) : self._frame(to_ms)]
        return float(heard.sum()) * FRAME_MS

    def recording(self) -> Pcm:
        """All that was heard so far (for saving it when a test fails)."""
        return self._pcm

    async def wait_for_speech(self, timeout_s: float) -> float:
        """Wait until something is heard after the cursor; returns when it began."""
        async with asyncio.timeout(timeout_s), self._news:
            while (began_ms := self.first_sound_after(self.attention_ms)) is None:
                await self._news.wait()
            return began_ms

    async def utterance(self, timeout_s: float, silence_ms: float = 400) -> Utterance:
        """The next piece of sound that is followed by ``silence_ms`` without any."""
        began_ms = await self.wait_for_speech(timeout_s)
        ended_ms = await self.silence_after(began_ms, timeout_s, silence_ms)
        self.attention_ms = ended_ms
        first, end = self._frame(began_ms) * _FRAME, self._frame(ended_ms) * _FRAME
        return Utterance(began_ms, ended_ms, self._pcm[first:end].copy())

    async def silence_after(self, at_ms: float, timeout_s: float, silence_ms: float = 400) -> float:
        """Wait for ``silence_ms`` without sound; returns when the last sound before it ended."""
        async with asyncio.timeout(timeout_s), self._news:
            while (ended_ms := self._fell_silent(at_ms, silence_ms)) is None:
                # A call that has ended brings no more news, and that is silence too.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await self._news.wait()
            return ended_ms

    def _fell_silent(self, at_ms: float, silence_ms: float) -> float | None:
        quiet_since = self._frame(at_ms)
        for frame in range(quiet_since, len(self._loud)):
            if self._loud[frame]:
                quiet_since = frame + 1
            elif (frame + 1 - quiet_since) * FRAME_MS >= silence_ms:
                return self._time(quiet_since)
        silent_ms = time.time() * 1000 - _LATE_MS - self._time(quiet_since)
        return self._time(quiet_since) if silent_ms >= silence_ms else None

    def _frame(self, at_ms: float) -> int:
        return max(0, round((at_ms - (self._origin_ms or at_ms)) / FRAME_MS))

    def _time(self, frame: int) -> float:
        return (self._origin_ms or 0.0) + frame * FRAME_MS
