"""What a bot that cannot keep a link posts: the message, its signature, and how its session stands.

Nothing here knows more than a bot may. See `greenroom.wire.reports` for the whole.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import Field
from standardwebhooks import Webhook

from greenroom.wire.base import WireModel
from greenroom.wire.link import Report
from greenroom.wire.webhooks import SECRET_PREFIX

LAUNCH_HEADER = "X-Greenroom-Launch"
ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)
# Standard Webhooks leaves it to the receiver; its libraries use five minutes.
TOLERANCE_S = 300
MAX_REPORTS = 100
MAX_MESSAGE_ID_CHARS = 256
_SECONDS = re.compile(r"[0-9]{1,10}")


class ReportBatch(WireModel):
    """Several reports of one launch, in any order: their numbers say what comes first.

    None at all is a question: how does my session stand?
    """

    reports: list[Report] = Field(max_length=MAX_REPORTS)


class Standing(WireModel):
    """How the bot's session stands now.

    Attributes:
        report_seq: The last report on record; those up to it may be forgotten.
        muted: The user's microphone is off.
        paused: The bot is to be silent, and not to listen.
        ended: The session is over or about to be: the bot must end, and need not report any more.
    """

    report_seq: int
    muted: bool
    paused: bool
    ended: bool


def webhook_secret(launch_secret: str) -> str:
    """What a bot signs its webhooks with; derived, so that there is nothing to keep or to send."""
    key = hmac.new(launch_secret.encode(), b"webhook", hashlib.sha256).digest()
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signed_headers(
    launch_id: str, secret: str, message_id: str, at_s: float, body: str
) -> dict[str, str]:
    """The headers of a message that is sent at ``at_s`` (seconds since the epoch)."""
    moment = datetime.fromtimestamp(int(at_s), UTC)
    return {
        "Content-Type": "application/json",
        LAUNCH_HEADER: launch_id,
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(int(at_s)),
        SIGNATURE_HEADER: Webhook(secret).sign(message_id, moment, body),
    }


def signed_at_s(secret: str, headers: Mapping[str, str], body: bytes) -> int | None:
    """When a message was signed with this secret, in seconds since the epoch; None: it was not.

    How long ago is for the caller to judge. The library's own check asks the system's clock, and
    says the same of a stale message as of a forged one.
    """
    message_id = headers.get(ID_HEADER, "")
    at = headers.get(TIMESTAMP_HEADER, "")
    if not 0 < len(message_id) <= MAX_MESSAGE_ID_CHARS or not _SECONDS.fullmatch(at):
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None  # no JSON, and nothing that the library would have signed
    right = Webhook(secret).sign(message_id, datetime.fromtimestamp(int(at), UTC), text).encode()
    # Several, while a secret is changed; compared as bytes, for what is offered may be anything.
    offered = headers.get(SIGNATURE_HEADER, "").split(" ")
    return int(at) if any(hmac.compare_digest(right, one.encode()) for one in offered) else None
