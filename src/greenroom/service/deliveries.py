"""Delivering events to applications: signed, in order, tried again, given up in sight.

Each endpoint has its own loop, connections and share of what runs at once, and within it each
session a lane: the events of one session arrive in order, sessions never wait for each other,
and an endpoint that is down slows nobody but itself. An event that arrived but whose answer was
lost is sent again: its ``webhook-id`` is the same, and the receiver's to look at.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from greenroom.errors import Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.deliveries import Answer, Delivery, DeliveryStore, Sender, Undelivered
from greenroom.ports.hub import Hub
from greenroom.service.letters import Letter, Writer
from greenroom.service.metrics import Metrics

log = structlog.get_logger("greenroom.deliveries")

DELIVERIES_TOPIC = "deliveries"
# Sessions whose events are on their way to one endpoint at the same time.
AT_ONCE = 16
BATCH = 50
POLL_S = 1.0
MEASURE_EVERY_S = 5.0
# What was sent but could not be noted is sent again; not without pause.
AFTER_TROUBLE_S = 5.0
# Quick while somebody may still be talking; over the night for an application that is down.
SCHEDULE_S = (1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
MOST_TRIES = len(SCHEDULE_S) + 1
# What has waited so long behind others is tried once; else a day's events took days to give up.
GIVE_UP_AFTER_S = 86_400.0
LONGEST_RETRY_AFTER_S = 3_600.0
JITTER_SHARE = 0.2
_GONE = 410


class Deliverer:
    """Delivers to all endpoints.

    Args:
        endpoints: Whoever writes to the application's addresses, one each.
        jitter: Gives numbers from 0 to 1, so that many who failed together do not return together.
    """

    def __init__(
        self,
        store: DeliveryStore,
        hub: Hub,
        clock: Clock,
        sender: Sender,
        metrics: Metrics,
        endpoints: Sequence[Writer],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._sender = sender
        self._metrics = metrics
        self._endpoints = endpoints
        self._jitter = jitter

    async def run(self) -> None:
        """Deliver until cancelled; what is under way is cancelled with it and sent again later."""
        if not self._endpoints:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure())
            for endpoint in self._endpoints:
                group.create_task(self._serve(endpoint))

    async def close(self) -> None:
        """Let go of every connection, when `run` has ended."""
        await self._sender.close()

    async def _serve(self, endpoint: Writer) -> None:
        busy: set[str] = set()
        async with asyncio.TaskGroup() as group, self._hub.subscribe(DELIVERIES_TOPIC) as waiter:
            while True:
                for session_id in await self._due(endpoint, busy):
                    busy.add(session_id)
                    group.create_task(self._run_lane(endpoint, session_id, busy))
                await waiter.wait(POLL_S)

    async def _due(self, endpoint: Writer, busy: set[str]) -> list[str]:
        """Sessions to begin with, as many as may run. Those that run already are due, too."""
        if len(busy) >= AT_ONCE:
            return []
        try:
            due = await self._store.due_lanes(endpoint.name, self._clock.now(), AT_ONCE)
        except Unavailable as error:
            log.warning("store.unavailable", error=error.message)
            return []
        return [session_id for session_id in due if session_id not in busy][: AT_ONCE - len(busy)]

    async def _run_lane(self, endpoint: Writer, session_id: str, busy: set[str]) -> None:
        """Deliver what waits for this session, until one must be tried again or none is left."""
        try:
            while waiting := await self._store.waiting(endpoint.name, session_id, BATCH):
                for delivery in waiting:
                    if not await self._deliver(endpoint, delivery):
                        return
            await self._store.finish_lane(endpoint.name, session_id)
        except Unavailable as error:
            log.warning("store.unavailable", session=session_id, error=error.message)
            await asyncio.sleep(AFTER_TROUBLE_S)
        except Exception:
            self._metrics.uncaught.labels(place="deliveries").inc()
            log.exception("lane.uncaught", session=session_id, endpoint=endpoint.name)
            await asyncio.sleep(AFTER_TROUBLE_S)
        finally:
            busy.discard(session_id)
            self._hub.publish(DELIVERIES_TOPIC)  # there is room for another, or more to do here

    async def _deliver(self, endpoint: Writer, delivery: Delivery) -> bool:
        """Try once. False: it must wait, and its lane with it."""
        letter = await endpoint.write(delivery)
        if letter is None:
            await self._store.settle(delivery.id)
            return True
        began_at = asyncio.get_running_loop().time()
        answer, error = await self._try(endpoint, delivery, letter)
        took_s = asyncio.get_running_loop().time() - began_at
        self._metrics.delivery_seconds.labels(endpoint=endpoint.name).observe(took_s)
        if error is None:
            await self._store.settle(delivery.id)
            await endpoint.over(delivery, answer)
            self._count(endpoint, "delivered")
            lag_s = max(0.0, self._clock.now() - delivery.queued_at)
            self._metrics.delivery_lag_seconds.labels(endpoint=endpoint.name).observe(lag_s)
            return True
        hopeless = letter.once or self._is_hopeless(delivery, answer)
        if hopeless:
            await self._bury(endpoint, delivery, error)
            await endpoint.over(delivery, None)
        else:
            await self._postpone(endpoint, delivery, answer, error)
        self._count(endpoint, "failed")
        return hopeless

    async def _try(
        self, endpoint: Writer, delivery: Delivery, letter: Letter
    ) -> tuple[Answer | None, str | None]:
        """The answer, if there was one, and what was wrong, if anything."""
        try:
            answer = await self._sender.send(letter.to, letter.headers, letter.body.encode())
        except Undelivered as error:
            return None, str(error)[:500]
        except Exception as error:
            self._metrics.uncaught.labels(place="deliveries").inc()
            log.exception("delivery.uncaught", endpoint=endpoint.name, delivery=delivery.id)
            return None, type(error).__name__
        if 200 <= answer.status < 300:
            return answer, None
        no_redirect = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        return answer, f"HTTP {answer.status}{no_redirect}"

    def _is_hopeless(self, delivery: Delivery, answer: Answer | None) -> bool:
        if answer is not None and answer.status == _GONE:
            return True
        waited_s = self._clock.now() - delivery.queued_at
        return delivery.attempts + 1 >= MOST_TRIES or waited_s >= GIVE_UP_AFTER_S

    async def _bury(self, endpoint: Writer, delivery: Delivery, error: str) -> None:
        log.error("delivery.dead", error=error, **_ids(delivery))
        await self._store.bury(delivery.id, error)
        self._count(endpoint, "dead")

    async def _postpone(
        self, endpoint: Writer, delivery: Delivery, answer: Answer | None, error: str
    ) -> None:
        wait_s = retry_in_s(delivery.attempts, answer, self._jitter())
        log.warning("delivery.failed", error=error, retry_in_s=round(wait_s, 1), **_ids(delivery))
        await self._store.postpone(delivery, self._clock.now() + wait_s, error)

    def _count(self, endpoint: Writer, outcome: str) -> None:
        self._metrics.deliveries.labels(endpoint=endpoint.name, outcome=outcome).inc()

    async def _measure(self) -> None:
        """Tell the metrics what waits and what is dead, also of endpoints that hang."""
        while True:
            try:
                await self.measure()
            except Unavailable as error:
                log.warning("store.unavailable", error=error.message)
            await asyncio.sleep(MEASURE_EVERY_S)

    async def measure(self) -> None:
        """As the store says now."""
        standings = {standing.endpoint: standing for standing in await self._store.standings()}
        now = self._clock.now()
        for name in {*standings, *(endpoint.name for endpoint in self._endpoints)}:
            standing = standings.get(name)
            oldest_at = standing.oldest_at if standing else None
            age_s = max(0.0, now - oldest_at) if oldest_at is not None else 0.0
            gauges = self._metrics
            gauges.deliveries_waiting.labels(endpoint=name).set(standing.waiting if standing else 0)
            gauges.deliveries_dead.labels(endpoint=name).set(standing.dead if standing else 0)
            gauges.delivery_oldest_seconds.labels(endpoint=name).set(age_s)


def _ids(delivery: Delivery) -> dict[str, object]:
    return {
        "endpoint": delivery.endpoint,
        "session": delivery.event.session_id,
        "seq": delivery.event.seq,
        "attempt": delivery.attempts + 1,
    }


def retry_in_s(attempts: int, answer: Answer | None, jitter: float) -> float:
    """Seconds until the next try.

    Args:
        attempts: How many tries had failed before this one.
        answer: What was answered, if anything; its own wish counts if it is for longer.
        jitter: From 0 to 1.
    """
    planned_s = SCHEDULE_S[min(attempts, len(SCHEDULE_S) - 1)]
    spread_s = planned_s * (1 + JITTER_SHARE * (2 * jitter - 1))
    wished_s = answer.retry_after_s if answer is not None else None
    return max(spread_s, min(wished_s or 0.0, LONGEST_RETRY_AFTER_S))
