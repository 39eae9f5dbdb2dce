"""How well a page's audio comes, as the receiver of its peer connection counts."""

from __future__ import annotations

from aiortc import RTCPeerConnection
from aiortc.stats import RTCInboundRtpStreamStats

# Opus runs at 48 kHz in RTP whatever it carries (RFC 7587, 4.1); jitter is told in its units.
CLOCK_HZ = 48_000


async def quality_of(peer: RTCPeerConnection) -> dict[str, float] | None:
    """Packets received and lost so far, and the jitter in milliseconds; None while none came."""
    stats = (await peer.getStats()).values()
    heard = [one for one in stats if isinstance(one, RTCInboundRtpStreamStats)]
    received = sum(one.packetsReceived for one in heard)
    if received == 0:
        return None
    return {
        "received": received,
        "lost": sum(max(0, one.packetsLost) for one in heard),
        "jitter_ms": max(1000 * one.jitter / CLOCK_HZ for one in heard),
    }
