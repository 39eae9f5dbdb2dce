"""Key sets that others keep: over HTTP without redirects, or in a file."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from greenroom.errors import Unavailable

# A key takes about half a kilobyte; who signs users has a handful of them.
MAX_BYTES = 256 * 1024
READ_WITHIN_S = 3.0


class HttpKeySet:
    """Implements `greenroom.ports.keyset.KeySet` over HTTP.

    The address is the operator's own word, so it may be a private one. A redirect is not followed:
    it would let the other end choose.

    Args:
        url: Where it is.
        within_s: How long anything at that address may take, by itself.
    """

    def __init__(self, url: str, *, within_s: float = READ_WITHIN_S) -> None:
        self._url = url
        self._within_s = within_s
        self._tls: ssl.SSLContext | None = None

    @property
    def place(self) -> str:
        """See `KeySet.place`."""
        return self._url

    async def read(self) -> str:
        """See `KeySet.read`."""
        try:
            async with (
                # The system's authorities: an issuer inside a company has the company's.
                httpx.AsyncClient(
                    verify=self._authorities(), timeout=self._within_s, trust_env=False
                ) as client,
                client.stream("GET", self._url, headers={"Accept": "application/json"}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise Unavailable(f"{self._url} answered {answer.status_code}.")
                content = b""
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > MAX_BYTES:
                        raise Unavailable(f"{self._url} answered more than {MAX_BYTES} bytes.")
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._url} does not answer: {type(error).__name__}.") from error
        return _decoded(content, self._url)

    def _authorities(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


class FileKeySet:
    """Implements `greenroom.ports.keyset.KeySet` in a file, which may be replaced at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """See `KeySet.place`."""
        return str(self._path)

    async def read(self) -> str:
        """See `KeySet.read`."""
        try:
            content = await asyncio.to_thread(self._content)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read: {error.strerror}.") from error
        return _decoded(content, str(self._path))

    def _content(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(MAX_BYTES)


def key_set_at(url: str) -> HttpKeySet | FileKeySet:
    """The key set at an ``https://``, ``http://`` or ``file:///`` address."""
    parts = urlsplit(url)
    return FileKeySet(Path(unquote(parts.path))) if parts.scheme == "file" else HttpKeySet(url)


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Unavailable(f"{place} is no JSON.") from error
