"""One HTTP client for Daily's REST API: bounded in time, paced, its refusals made ours.

Nothing is tried again here: who calls knows whether somebody waits (`service.policies`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from greenroom.errors import RoomsRefused, RoomsUnavailable

# Daily takes 20 requests a second (https://docs.daily.co/docs/rest-api/authentication); a second
# server with the same key shall have its share.
MOST_PER_S = 15
TIMES = httpx.Timeout(5.0, connect=3.0)
# Where 429 does not say when to come back.
COME_BACK_S = 1.0
MOST_CONNECTIONS = 10


class NotThere(RoomsRefused):
    """404: there is no such thing."""

    def __init__(self) -> None:
        super().__init__("Daily has no such room.")


class Rejected(RoomsRefused):
    """400: what was asked cannot be done. ``info``: Daily's words, for programs' logs."""

    def __init__(self, info: str) -> None:
        super().__init__("Daily does not accept what it was asked for.")
        self.info = info


class DailyClient:
    """Speaks to Daily.

    Args:
        url: The API's address.
        api_key: The domain's key; in the header, and nowhere else.
        transport: How requests travel; the network if None.
        now: A clock that never goes back, in seconds; for the pace.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=TIMES,
            transport=transport,
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
            follow_redirects=False,
        )
        self._now = now
        self._next_at = 0.0

    async def get(self, path: str) -> Any:
        """Read something. Raises as `post`."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Make or change something.

        Raises:
            RoomsUnavailable: No answer, a failure of theirs, or too many requests.
            RoomsRefused: The key is not good.
            Rejected: It cannot be done.
            NotThere: There is no such thing.
        """
        return await self._ask("POST", path, body)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        await self._in_turn()
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RoomsUnavailable("Daily cannot be reached.") from error
        if answer.status_code == 200:
            return _json(answer)
        raise _refusal(answer)

    async def _in_turn(self) -> None:
        """Requests leave evenly; one that need not wait does not."""
        now = self._now()
        at = max(now, self._next_at)
        self._next_at = at + 1 / MOST_PER_S
        if at > now:
            await asyncio.sleep(at - now)


async def domain_of(client: DailyClient, expected: str | None) -> tuple[str, str]:
    """The name and id of the key's domain.

    Args:
        client: Who asks.
        expected: The name that it must have; None: any.

    Raises:
        RoomsRefused: The key is not good, or another domain's.
        RoomsUnavailable: Daily does not answer.
    """
    try:
        told = await client.get("/")
    except NotThere:
        raise RoomsRefused(
            "This is no API of Daily's. Check GREENROOM_DAILY_API_URL: https://api.daily.co/v1"
        ) from None
    name, domain_id = str(told["domain_name"]), str(told["domain_id"])
    if expected not in (None, name):
        raise RoomsRefused(
            f"The API key is good, but for another domain than {expected}. Check "
            "GREENROOM_DAILY_DOMAIN and GREENROOM_DAILY_API_KEY."
        )
    return name, domain_id


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise RoomsUnavailable("Daily's answer cannot be read.") from error


def _refusal(answer: httpx.Response) -> Exception:
    match answer.status_code:
        case 404:
            return NotThere()
        case 400:
            return Rejected(_info(answer))
        case 401 | 403:
            return RoomsRefused("Daily does not accept the API key. Check GREENROOM_DAILY_API_KEY.")
        case 429:
            return RoomsUnavailable(
                "Daily has had too many requests.", retry_after_s=_retry_after_s(answer)
            )
        case status if status >= 500:
            return RoomsUnavailable(
                "Daily failed.", retry_after_s=_retry_after_s(answer, otherwise=None)
            )
        case status:
            return RoomsRefused(f"Daily answered {status}, which it should not.")


def _info(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("info", ""))
    except (ValueError, AttributeError):
        return ""


def _retry_after_s(answer: httpx.Response, otherwise: float | None = COME_BACK_S) -> float | None:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdigit() and len(said) < 6 else otherwise
