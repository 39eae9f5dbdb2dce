"""Reloading a page in the middle of what the bot says, and listening to what becomes of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.e2e.person import Person

AUDIBLE_WITHIN_S = 10.0

# When each peer connection of this document came up, in epoch milliseconds.
_NOTE_CONNECTIONS = """
window.__connectedAtMs = [];
const Stock = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Stock {
  constructor(...args) {
    super(...args);
    this.addEventListener('connectionstatechange', () => {
      if (this.connectionState === 'connected')
        window.__connectedAtMs.push(performance.timeOrigin + performance.now());
    });
  }
};
"""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How long it took from the reload on; milliseconds."""

    connected_ms: float
    audible_ms: float


async def note_connections(person: Person) -> None:
    """Have every later document of this page tell `reload` when it was connected."""
    await person.page.context.add_init_script(_NOTE_CONNECTIONS)


async def reload(person: Person) -> Reloaded:
    """Reload, and wait until the new document plays a sound. Raises `TimeoutError` if none does."""
    began_ms = time.time() * 1000
    await person.page.reload(wait_until="commit")
    await person.see("status", status="active", timeout_s=AUDIBLE_WITHIN_S)
    await person.page.keyboard.press("Tab")  # a page may make a sound once it was touched
    connected_ms = await _connected(person)
    # What the old page still played before it went is not what the new one plays.
    person.ears.attention_ms = connected_ms
    audible_ms = await person.ears.wait_for_speech(AUDIBLE_WITHIN_S)
    return Reloaded(connected_ms - began_ms, audible_ms - began_ms)


async def _connected(person: Person) -> float:
    """When the new document's first peer connection came up, in epoch milliseconds."""
    async with asyncio.timeout(AUDIBLE_WITHIN_S):
        while (at_ms := await person.page.evaluate("window.__connectedAtMs[0]")) is None:
            await asyncio.sleep(0.01)
    return float(at_ms)
