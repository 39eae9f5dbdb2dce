"""Daily's webhooks: made after a test, signed, told late and in any order, given up after failures.

The scheme: https://docs.daily.co/reference/rest-api/webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from greenroom.testing.daily.people import iso
from greenroom.testing.daily.refusals import invalid, not_found
from greenroom.testing.daily.shapes import CreateWebhook

SIGNATURE_HEADER = "X-Webhook-Signature"
TIMESTAMP_HEADER = "X-Webhook-Timestamp"
TEST_BODY = b'{"test":"test"}'
ANSWER_WITHIN_S = 5.0
# A circuit breaker: an endpoint that fails so often in a row gets nothing more.
MOST_FAILURES = 3
# `meeting.ended` is told when Daily is sure that nobody comes back.
MEETING_ENDED_LATE_S = 20.0


@dataclass(slots=True)
class Webhook:
    """One endpoint that is told."""

    url: str
    secret: str
    event_types: list[str] | None
    created_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    failures: int = 0
    last_pushed_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether it is told anything."""
        return self.failures < MOST_FAILURES

    def shown(self, domain_id: str) -> dict[str, Any]:
        """As the API shows it."""
        pushed = iso(self.last_pushed_at) if self.last_pushed_at else None
        return {
            "uuid": self.id,
            "url": self.url,
            "hmac": self.secret,
            "eventTypes": self.event_types or [],
            "state": "ACTIVE" if self.active else "FAILED",
            "failedCount": self.failures,
            "lastMomentPushed": pushed,
            "domainId": domain_id,
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way: to which endpoint, and not before when."""

    due_at: float
    webhook: Webhook
    event: dict[str, Any]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over ``timestamp.body``, by the base64-decoded secret."""
    message = timestamp.encode() + b"." + body
    digest = hmac.new(base64.b64decode(secret), message, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class Webhooks:
    """The endpoints of a domain, and what is on its way to them.

    Args:
        client: Makes the calls.
        domain_id: Whose they are.
        now: The time.
    """

    def __init__(self, client: httpx.AsyncClient, domain_id: str, now: Callable[[], float]) -> None:
        self.late_s = {"meeting.ended": MEETING_ENDED_LATE_S}
        self.on_the_way: list[Told] = []
        self.client = client
        self._domain_id = domain_id
        self._now = now
        self._webhooks: dict[str, Webhook] = {}

    async def create(self, wish: CreateWebhook) -> dict[str, Any]:
        """Make one, if its endpoint answers a test with 200."""
        try:
            secret = wish.hmac or base64.b64encode(secrets.token_bytes(32)).decode()
            base64.b64decode(secret, validate=True)
        except ValueError:
            raise invalid("parameter 'hmac' must be base64") from None
        webhook = Webhook(wish.url, secret, list(wish.eventTypes or []) or None, self._now())
        status = await self._post(webhook, TEST_BODY)
        if status != 200:
            raise invalid(f"non-200 status code returned from webhook endpoint, recvd {status}")
        self._webhooks[webhook.id] = webhook
        return webhook.shown(self._domain_id)

    def shown(self) -> list[dict[str, Any]]:
        """All of them, as the API shows them."""
        return [webhook.shown(self._domain_id) for webhook in self._webhooks.values()]

    def get(self, webhook_id: str) -> dict[str, Any]:
        """One of them."""
        return self._found(webhook_id).shown(self._domain_id)

    def delete(self, webhook_id: str) -> dict[str, Any]:
        """It is told nothing more."""
        del self._webhooks[self._found(webhook_id).id]
        self.on_the_way = [told for told in self.on_the_way if told.webhook.id != webhook_id]
        return {"deleted": True, "uuid": webhook_id}

    def revive(self) -> None:
        """Tell those again that were given up, as when their owners update them."""
        for webhook in self._webhooks.values():
            webhook.failures = 0

    @property
    def given_up(self) -> bool:
        """Whether an endpoint is told nothing more."""
        return any(not webhook.active for webhook in self._webhooks.values())

    def tell(self, kind: str, payload: dict[str, Any], event_id: str) -> None:
        """Put an event on its way, late by what `late_s` says."""
        now = self._now()
        event = {"version": "1.0.0", "type": kind, "id": event_id, "payload": payload}
        for webhook in self._webhooks.values():
            if webhook.event_types is None or kind in webhook.event_types:
                due_at = now + self.late_s.get(kind, 0.0)
                self.on_the_way.append(Told(due_at, webhook, event))

    async def deliver(
        self, order: Callable[[list[Told]], list[Told]] = lambda due: due, *, twice: bool = False
    ) -> int:
        """Deliver whatever is due by the clock.

        Args:
            order: In which order; ``lambda due: due[::-1]`` for the wrong one.
            twice: Each event comes twice, as it does when an answer got lost.

        Returns:
            How many were taken.
        """
        now = self._now()
        due = sorted((told for told in self.on_the_way if told.due_at <= now), key=_due_at)
        self.on_the_way = [told for told in self.on_the_way if told.due_at > now]
        taken = 0
        for told in [one for one in order(due) for _ in range(2 if twice else 1)]:
            taken += await self._deliver(told, now)
        return taken

    async def _deliver(self, told: Told, now: float) -> bool:
        webhook = told.webhook
        if not webhook.active:
            return False
        body = json.dumps({**told.event, "event_ts": now}).encode()
        if await self._post(webhook, body) == 200:
            webhook.failures, webhook.last_pushed_at = 0, now
            return True
        webhook.failures += 1
        return False

    async def _post(self, webhook: Webhook, body: bytes) -> int | None:
        timestamp = str(int(self._now() * 1000))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(webhook.secret, timestamp, body),
        }
        try:
            answer = await self.client.post(
                webhook.url, content=body, headers=headers, timeout=ANSWER_WITHIN_S
            )
        except httpx.HTTPError:
            return None
        return answer.status_code

    def _found(self, webhook_id: str) -> Webhook:
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            raise not_found(f"webhook {webhook_id} not found")
        return webhook


def _due_at(told: Told) -> float:
    return told.due_at
