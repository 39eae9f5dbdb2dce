"""Pipecat Cloud's API as a launcher needs it: one client, bounded calls, errors told apart.

Source: Pipecat Cloud's REST reference (OpenAPI, August 2026). How often a call is tried is for
whoever makes it (`greenroom.service.policies`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import structlog
from opentelemetry import trace

from greenroom.errors import AgentsFull, Unavailable

log = structlog.get_logger("greenroom.pipecat_cloud")
_tracer = trace.get_tracer("greenroom")

API_URL = "https://api.pipecat.daily.co"
CALL_WITHIN_S = 8.0
# All that one look takes; more sessions than this at once are beyond what a pool may have.
MOST_LISTED = 100
MOST_PAGES = 10


class LaunchRefused(Exception):
    """It will not start this agent, however often it is asked. ``why`` is safe to be logged."""

    def __init__(self, status: int, code: str, why: str) -> None:
        super().__init__(why)
        self.status, self.code, self.why = status, code, why


class CannotTell(Exception):
    """This deployment, or the key that we have, does not let sessions be listed or stopped."""


class NotReached(Unavailable):
    """No connection came about: nothing was asked, and nothing can have begun."""


@dataclass(frozen=True, slots=True)
class CloudSession:
    """A session as it is listed. ``cold``: None while nobody knows."""

    id: str
    created_at: float
    ended: bool
    cold: bool | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """How many agents of a deployment there may be at once, and how many there are."""

    most: int
    active: int


class CloudClient:
    """Asks about one agent (a deployment).

    Args:
        agent: Its name.
        public_key: Starts sessions.
        private_key: Lists and stops them; None: nobody can.
        api_url: Where the API is, without ``/v1``.
        transport: How to get there; the network if None.
    """

    def __init__(
        self,
        agent: str,
        public_key: str,
        private_key: str | None,
        api_url: str = API_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.agent = agent
        self._public_key = public_key
        self._private_key = private_key
        self._their_time: float | None = None
        self._client = httpx.AsyncClient(
            base_url=f"{api_url.rstrip('/')}/v1/", timeout=CALL_WITHIN_S, transport=transport
        )

    async def start(self, body: dict[str, Any]) -> str:
        """Start a session; returns its id.

        Raises:
            AgentsFull: Every agent of the pool is taken.
            LaunchRefused: It will not, ever.
            NotReached: It could not be asked.
            Unavailable: It did not answer, or failed. A session may have begun nevertheless.
        """
        asked = {"createDailyRoom": False, "body": body}
        answer = await self._ask("POST", f"public/{self.agent}/start", self._public_key, json=asked)
        if answer.status_code == 429:
            raise AgentsFull(
                "Every agent is talking with somebody. Try again in a moment.",
                retry_after_s=_retry_after_s(answer),
            )
        if answer.is_client_error and answer.status_code not in (408, 425):
            raise _refusal(answer)
        found = _json(answer).get("sessionId") or _json(answer).get("session_id")
        if not answer.is_success or not isinstance(found, str):
            raise Unavailable("Pipecat Cloud did not start an agent.")
        return found

    async def active(self) -> list[CloudSession]:
        """Every session of the agent that has not ended.

        Raises:
            CannotTell: Nobody may ask.
            Unavailable: It could not be asked, or failed.
        """
        found: list[CloudSession] = []
        for page in range(MOST_PAGES):
            params = {"status": "active", "limit": MOST_LISTED, "offset": page * MOST_LISTED}
            answer = await self._ask_privately("GET", "sessions", params=params)
            lines = _json(self._good(answer)).get("sessions", [])
            found += [_session(line) for line in lines]
            if len(lines) < MOST_LISTED:
                break
        return found

    async def get(self, session_id: str) -> CloudSession | None:
        """One session; None: it is unknown there. Raises as `active`."""
        answer = await self._ask_privately("GET", f"sessions/{session_id}")
        if answer.status_code == 404:
            return None
        return _session(_json(self._good(answer)))

    async def stop(self, session_id: str) -> bool:
        """Stop a session; whether it was there to be stopped.

        Raises:
            CannotTell: This deployment does not let its sessions be stopped.
            Unavailable: It could not be asked, or failed.
        """
        answer = await self._ask_privately("DELETE", f"sessions/{session_id}")
        if answer.status_code == 404:
            return False
        self._good(answer)
        return True

    async def pool(self) -> Pool | None:
        """How full the pool is; None: it does not say. Raises as `active`."""
        answer = _json(self._good(await self._ask_privately("GET", "")))
        scaling = answer.get("autoScaling") or {}
        most, active = scaling.get("maxReplicas"), answer.get("activeSessionCount")
        return Pool(most, active) if isinstance(most, int) and isinstance(active, int) else None

    def their_time(self, ours: float) -> float:
        """What time it was there at the last answer, to a second; ours, if they do not say."""
        return ours if self._their_time is None else self._their_time

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.aclose()

    async def _ask_privately(self, method: str, path: str, **more: Any) -> httpx.Response:
        if self._private_key is None:
            raise CannotTell
        where = f"agents/{self.agent}/{path}".rstrip("/")
        return await self._ask(method, where, self._private_key, **more)

    async def _ask(self, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        began_s = time.monotonic()
        told = {"http.request.method": method, "url.path": path}
        try:
            with _tracer.start_as_current_span("pipecat_cloud.call", attributes=told) as span:
                answer = await self._client.request(method, path, headers=headers, **more)
                span.set_attribute("http.response.status_code", answer.status_code)
        except (httpx.HTTPError, OSError) as error:
            log.warning("cloud.unreachable", method=method, path=path, error=type(error).__name__)
            never_left = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            kind = NotReached if never_left else Unavailable
            raise kind("Pipecat Cloud cannot be reached.") from error
        self._their_time = _date_of(answer)
        took_ms = round((time.monotonic() - began_s) * 1000)
        facts = {"method": method, "path": path, "status": answer.status_code, "took_ms": took_ms}
        log.debug("cloud.asked", **facts)
        if answer.is_error:
            log.info("cloud.refused", **facts, code=str(_json(answer).get("code", "")))
        return answer

    def _good(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        if answer.is_client_error and answer.status_code not in (408, 425, 429):
            raise CannotTell
        raise Unavailable(
            "Pipecat Cloud does not answer as it should.", retry_after_s=_retry_after_s(answer)
        )


def _refusal(answer: httpx.Response) -> LaunchRefused:
    body = _json(answer)
    code, why = str(body.get("code", "")), str(body.get("error", ""))[:200]
    return LaunchRefused(answer.status_code, code, why or answer.reason_phrase)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _date_of(answer: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _retry_after_s(answer: httpx.Response) -> float | None:
    after = answer.headers.get("Retry-After", "")
    return float(after) if after.isdigit() else None


def _session(line: dict[str, Any]) -> CloudSession:
    try:
        created_at = datetime.fromisoformat(line["createdAt"]).timestamp()
        return CloudSession(
            id=line["sessionId"],
            created_at=created_at,
            ended=line.get("endedAt") is not None,
            cold=line.get("coldStart"),
            failed=str(line.get("completionStatus")) in ("HTTP_ERROR", "500"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise Unavailable("Pipecat Cloud lists a session that cannot be read.") from error
