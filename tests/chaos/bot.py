"""A bot that talks to the record and to nobody else: a real process on a real link, no audio.

It reports what a conversation would have made it report, drawn from the seed in its body.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenroom.bot import current
from greenroom.wire.link import CommandKind, ReportKind

PIDS_ENV = "CHAOS_PIDS"
# What one turn uses costs by the example's prices: 20 s · $0.006/min + 900 · $0.015/1k.
TURN_USD = 0.002 + 0.0135
LEAST_TURN_S = 0.1
HANG = "hang, please"


async def bot(runner_args: Any) -> None:
    """Talk until told to end, or until the dice say that this is over."""
    session = current()
    body = session.spec.body
    rng = random.Random(body["seed"])
    _show_ourselves(session.spec.session_id)
    session.on_command(CommandKind.MESSAGE, obey)
    await asyncio.sleep(rng.uniform(0, 0.3))
    session.joined()
    session.report(ReportKind.USER_JOINED, {"participant": body["participant"]})
    if await fate(session, body, rng) == "leave":
        session.report(ReportKind.USER_LEFT, {"participant": body["participant"], "why": "silent"})
    await asyncio.Event().wait()


def _show_ourselves(session_id: str) -> None:
    Path(os.environ[PIDS_ENV], str(os.getpid())).write_text(session_id)


async def fate(session: Any, body: Mapping[str, Any], rng: random.Random) -> str:
    """Talk as the body foretells, to the last word or a crash; how it is to end."""
    if body["fate"] == "crash":
        await asyncio.sleep(rng.uniform(0, 3))
        raise RuntimeError("as foretold")
    for turn in range(int(body["turns"])):
        await _turn(session, rng, turn)
    if body["fate"] == "goodbye":
        session.report(ReportKind.FAREWELL, {"heard": True})
    return str(body["fate"])


async def _turn(session: Any, rng: random.Random, turn: int) -> None:
    """Report what one round of a conversation makes a bot report."""
    said = {"role": "user", "text": f"words {turn}", "final": True, "turn": turn}
    session.report(ReportKind.USER_SPEECH, {"speaking": True})
    await asyncio.sleep(rng.uniform(0.05, 0.4))
    session.report(ReportKind.USER_SPEECH, {"speaking": False})
    session.report(ReportKind.TRANSCRIPT, said)
    for component, quantity, unit in (("stt", 20.0, "audio_seconds"), ("tts", 900.0, "characters")):
        usage = {"component": component, "quantity": quantity, "unit": unit}
        session.report(ReportKind.USAGE, usage)
    session.report(ReportKind.APP, {"type": "app.turn", "data": {"turn": turn}})
    await asyncio.sleep(rng.uniform(0.05, 0.6))


async def obey(data: dict[str, Any]) -> None:
    """Take what was typed: the words to hang at, or nothing to us."""
    if data["text"] == HANG:
        # Nothing in this process listens any more: neither the loop, nor to SIGTERM.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)  # noqa: ASYNC251 - the very point
