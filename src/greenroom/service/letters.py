"""What is posted for a delivery: an event in the form in which its receiver takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from standardwebhooks import Webhook

from greenroom import __version__
from greenroom.ports.clock import Clock
from greenroom.ports.deliveries import Address, Answer, Delivery
from greenroom.service.events import as_event
from greenroom.wire.webhooks import DeliveredEvent, Endpoint, message_id

USER_AGENT = f"Greenroom/{__version__}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted, and where to.

    Attributes:
        once: It is worth nothing when it is late, and is not tried again.
    """

    to: Address
    headers: Mapping[str, str]
    body: str
    once: bool = False


class Writer(Protocol):
    """Writes the letters of one receiver, and reads what is answered."""

    @property
    def name(self) -> str:
        """Under which its deliveries are kept."""
        ...

    async def write(self, delivery: Delivery) -> Letter | None:
        """The letter for a delivery; None: this event needs none.

        Raises:
            Unavailable: What is needed for it cannot be read now.
        """
        ...

    async def over(self, delivery: Delivery, answer: Answer | None) -> None:
        """It was answered, or (None) given up."""
        ...


class SignedEvents:
    """Implements `Writer` for an endpoint of Standard Webhooks."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock

    @property
    def name(self) -> str:
        """See `Writer.name`."""
        return self._endpoint.name

    async def write(self, delivery: Delivery) -> Letter:
        """See `Writer.write`: the event as browsers see it.

        An application has many users, so it is told whose it is.
        """
        event = as_event(delivery.event)
        body = DeliveredEvent(**dict(event), user=delivery.user_id).to_json()
        return Letter(self._endpoint, self._headers(delivery, body), body)

    async def over(self, delivery: Delivery, answer: Answer | None) -> None:
        """See `Writer.over`: nobody reads what is answered."""

    def _headers(self, delivery: Delivery, body: str) -> dict[str, str]:
        sent_at = datetime.fromtimestamp(int(self._clock.now()), UTC)
        webhook_id = message_id(delivery.event.session_id, delivery.event.seq)
        signatures = [
            Webhook(secret.get_secret_value()).sign(webhook_id, sent_at, body)
            for secret in self._endpoint.secrets
        ]
        return {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
