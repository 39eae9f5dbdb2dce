"""Posting to webhook endpoints and tools: to checked addresses, no redirects, bounded in time."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

import httpcore

from greenroom.errors import BadSetting
from greenroom.outbound.network import (
    WEBHOOK_ALLOW,
    AddressRefused,
    CheckedNetwork,
    Resolve,
    Resolver,
    refuse_unless_public,
)
from greenroom.ports.deliveries import Address, Answer, Undelivered
from greenroom.wire.webhooks import Endpoint

TRY_WITHIN_S = 10.0
# A short answer is taken off the connection, so that it can be used again; of a long one no more
# than this is received.
MAX_ANSWER_BYTES = 64 * 1024
CONNECTIONS = 16
IDLE_CONNECTION_S = 30.0
_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
    UnicodeError,  # a label of the host that no name server can be asked for
)


class HttpSender:
    """Implements `greenroom.ports.deliveries.Sender` over HTTP/1.1.

    Each endpoint has connections and look-ups of its own: one that hangs keeps no other waiting.

    Args:
        allowed: Hosts that may have an address which is not public, and be called without TLS.
        within_s: How long one try may take, from the look-up to the answer.
        resolve: Looks a name up; the system's resolver if None.
        tls: What certificates must be signed by; the usual authorities if None.
        setting: Where whoever means it allows a host.
    """

    def __init__(
        self,
        allowed: Collection[str],
        *,
        within_s: float = TRY_WITHIN_S,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        setting: str = WEBHOOK_ALLOW,
    ) -> None:
        self._allowed = frozenset(host.lower() for host in allowed)
        self._within_s = within_s
        self._resolve = resolve
        self._tls = tls
        self._setting = setting
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}
        self._closers: list[Callable[[], None]] = []

    def check(self, endpoint: Endpoint) -> None:
        """Refuse what can be refused without a look-up: for the start of a server.

        Raises:
            BadSetting: The address is this machine's or a private one, or its connection would
                not be encrypted, and its host is not allowed by name.
        """
        name = f"The webhook endpoint “{endpoint.name}” (GREENROOM_WEBHOOKS or _WEBHOOK_URL)"
        self.check_url(endpoint.url, name)

    def check_url(self, url: str, name: str) -> None:
        """As `check`; ``name``: what the address is, for the message."""
        host = urlsplit(url).hostname or ""
        if host in self._allowed:
            return
        allow = f"If that is meant, name it: {self._setting}={host}"
        if urlsplit(url).scheme != "https":
            raise BadSetting(f"{name} is not https://, so anybody on the way can read it. {allow}")
        try:
            refuse_unless_public(host, [str(ipaddress.ip_address(host))], self._setting)
        except ValueError:
            if host == "localhost" or host.endswith(".localhost"):
                raise BadSetting(f"{name} is this machine. {allow}") from None
        except AddressRefused as error:
            raise BadSetting(f"{name} is refused: {error}.") from error

    async def send(self, to: Address, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Sender.send`."""
        try:
            async with asyncio.timeout(self._within_s):
                return await self._post(to, headers, body)
        except TimeoutError as error:
            raise Undelivered(f"no answer within {self._within_s:g} s") from error
        except _FAILURES as error:
            raise Undelivered(str(error) or type(error).__name__) from error

    async def _post(self, to: Address, headers: Mapping[str, str], body: bytes) -> Answer:
        pool = self._pool(to.name)
        sent = list(headers.items())
        async with pool.stream("POST", to.url, headers=sent, content=body) as response:
            received = bytearray()
            async for part in response.aiter_stream():
                received += part
                if len(received) > MAX_ANSWER_BYTES:
                    break  # leaving the block closes the connection
            first = bytes(received[:MAX_ANSWER_BYTES])
            return Answer(response.status, _retry_after_s(response.headers), first)

    def _pool(self, name: str) -> httpcore.AsyncConnectionPool:
        if name not in self._pools:
            self._pools[name] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=CONNECTIONS,
                keepalive_expiry=IDLE_CONNECTION_S,
                network_backend=CheckedNetwork(
                    self._allowed, self._resolve or self._resolver(), self._setting
                ),
            )
        return self._pools[name]

    def _resolver(self) -> Resolve:
        resolver = Resolver()
        self._closers.append(resolver.close)
        return resolver

    async def close(self) -> None:
        """See `Sender.close`."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()
        while self._closers:
            self._closers.pop()()


def _retry_after_s(headers: list[tuple[bytes, bytes]]) -> float | None:
    """``Retry-After`` in seconds; the date that it may be as well is not worth a clock."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
            return float(value)
    return None
