"""What Daily's webhooks say, and how they are signed.

The scheme: ``X-Webhook-Signature`` is the base64 of an HMAC-SHA256 over ``timestamp.body``, by the
secret decoded from base64 (https://docs.daily.co/reference/rest-api/webhooks).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SIGNATURE_HEADER = "x-webhook-signature"
TIMESTAMP_HEADER = "x-webhook-timestamp"
# What Daily posts to see whether somebody answers, before the webhook is made.
TEST_BODY = {"test": "test"}
# An event may be tried again for a quarter of an hour; said twice it changes nothing.
TOLERANCE_S = 900.0
JOINED = "participant.joined"
LEFT = "participant.left"
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
# The documents name no unit; as seconds this would be the year 5138.
_FIRST_IN_MS = 100_000_000_000


class _Shape(BaseModel):
    """What newer versions add is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class DailyEvent(_Shape):
    """Any event; the shape of ``payload`` depends on its type."""

    type: str = Field(max_length=128)
    id: str = Field(default="", max_length=256)
    payload: dict[str, Any] = Field(default_factory=dict)


class DailyParticipant(_Shape):
    """``payload`` of `JOINED` and `LEFT`. ``user_id``: what the token said."""

    room: str = Field(max_length=128)
    session_id: str = Field(min_length=1, max_length=64)
    user_id: str | None = Field(default=None, max_length=128)
    joined_at: float = Field(default=0.0, ge=0, allow_inf_nan=False)


def is_secret(value: str) -> bool:
    """Whether it can be a webhook's secret: base64, and something in it."""
    try:
        return bool(base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        return False


def signed_at_s(secret: str, headers: Mapping[str, str], body: bytes) -> float | None:
    """When a message was signed with this secret, in seconds since the epoch; None: it was not."""
    at = headers.get(TIMESTAMP_HEADER, "")
    if not _TIMESTAMP.fullmatch(at):
        return None
    key = base64.b64decode(secret)
    right = base64.b64encode(hmac.new(key, at.encode() + b"." + body, hashlib.sha256).digest())
    # As bytes: what is offered may be anything.
    if not hmac.compare_digest(right, headers.get(SIGNATURE_HEADER, "").encode()):
        return None
    return int(at) / 1000 if int(at) >= _FIRST_IN_MS else float(at)
