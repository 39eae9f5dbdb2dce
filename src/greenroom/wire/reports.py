"""Reports by webhook: what a bot that cannot keep a link posts to ``/webhook``, and the answer.

Signed by Standard Webhooks 1.0 (``webhook-id``, ``webhook-timestamp``, ``webhook-signature``)
with a secret that is derived from its launch's; ``X-Greenroom-Launch`` names the launch, as on the
link. The body is one `Report` or a `ReportBatch`, in UTF-8.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter

from greenroom.session.facts import Outcome
from greenroom.wire.base import WireModel
from greenroom.wire.link import Report
from greenroom.wire.posted import (
    ID_HEADER,
    LAUNCH_HEADER,
    MAX_MESSAGE_ID_CHARS,
    MAX_REPORTS,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOLERANCE_S,
    ReportBatch,
    Standing,
    signed_at_s,
    signed_headers,
    webhook_secret,
)

__all__ = [
    "ID_HEADER",
    "LAUNCH_HEADER",
    "MAX_MESSAGE_ID_CHARS",
    "MAX_REPORTS",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "TOLERANCE_S",
    "ReportBatch",
    "ReportOutcome",
    "ReportsAnswer",
    "from_webhook",
    "signed_at_s",
    "signed_headers",
    "webhook_secret",
]


class ReportOutcome(WireModel):
    """What became of one report."""

    seq: int
    outcome: Outcome


class ReportsAnswer(Standing):
    """The answer: how the session stands, and what became of the message.

    Attributes:
        duplicate: Nothing in the message was new.
        outcomes: Of each report, by number.
    """

    duplicate: bool
    outcomes: list[ReportOutcome]


def _form(body: Any) -> str:
    return "batch" if isinstance(body, dict) and "reports" in body else "one"


from_webhook: TypeAdapter[Report | ReportBatch] = TypeAdapter(
    Annotated[
        Annotated[Report, Tag("one")] | Annotated[ReportBatch, Tag("batch")], Discriminator(_form)
    ]
)
