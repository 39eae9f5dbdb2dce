"""VAPI's list of assistants, page by page."""

from __future__ import annotations

from typing import Any

import httpx

from greenroom.errors import Forbidden, Unavailable

API_URL = "https://api.vapi.ai"
# VAPI's default; its maximum is 1,000, and an assistant may be large.
PAGE = 100
MOST_PAGES = 1_000
ANSWER_WITHIN_S = 8.0


class VapiAccount:
    """Reads an organisation's assistants with its private key.

    Args:
        key: The key; it is sent to ``url`` and nowhere else.
        url: VAPI's API.
    """

    def __init__(self, key: str, url: str = API_URL) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=ANSWER_WITHIN_S
        )

    async def page(self, before: str | None) -> list[dict[str, Any]]:
        """The newest assistants, or those that were made before this time.

        Raises:
            Forbidden: The key is not good.
            Unavailable: VAPI does not answer, or with something else than a list.
        """
        params: dict[str, Any] = {"limit": PAGE}
        if before is not None:
            params["createdAtLt"] = before
        try:
            answer = await self._client.get("/assistant", params=params)
            if answer.status_code in (401, 403):
                raise Forbidden("VAPI does not accept this key: it takes the private one.")
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"VAPI does not answer ({type(error).__name__}).") from error
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unavailable("VAPI's answer is no list of assistants.")
        return found

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
