"""A network that connects only to addresses that were checked: to the very ones, not their name.

Whoever checks a name and then connects by the name asks twice, and a hostile name server gives
two answers (DNS rebinding). Here a name is asked once, and what is connected to is what was
checked. TLS still proves the name, because httpcore takes it from the URL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpcore
from httpcore import SOCKET_OPTION

from greenroom.outbound.addresses import is_public

# Name servers that do not answer hold a thread each; nobody else's look-ups wait for these.
LOOKUPS_AT_ONCE = 2
WEBHOOK_ALLOW = "GREENROOM_WEBHOOK_ALLOW"

Resolve = Callable[[str, int], Awaitable[list[str]]]


class AddressRefused(httpcore.ConnectError):
    """The host is not one that may be called; nothing was connected."""


class Resolver:
    """Looks names up in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, in the order in which they should be tried.

        Raises:
            httpcore.ConnectError: There is no such host.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"no such host ({error.strerror})") from error
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Begin no further look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in infos]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Implements httpcore's network for hosts that are public, or allowed by name.

    Args:
        allowed: Hosts that may have any address, in lower case.
        resolve: Looks a name up.
        setting: Where whoever means it allows a host.
    """

    def __init__(
        self, allowed: Collection[str], resolve: Resolve, setting: str = WEBHOOK_ALLOW
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._setting = setting
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers.

        Raises:
            AddressRefused: Any of the host's addresses is not public. All count: of a name with
                a public and a private address, one must not be able to say which is taken.
        """
        addresses = await self._resolve(host, port)
        if host.lower() not in self._allowed:
            refuse_unless_public(host, addresses, self._setting)
        last = httpcore.ConnectError("no such host")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = httpcore.ConnectError(str(error) or "no connection")
        raise last

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a socket on this machine is nobody's public address."""
        raise AddressRefused("a socket on this machine is not called")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore does so between tries of its own, which are switched off."""
        await self._network.sleep(seconds)


def refuse_unless_public(
    host: str, addresses: Collection[str], setting: str = WEBHOOK_ALLOW
) -> None:
    """Refuse a host one of whose addresses is not public.

    Raises:
        AddressRefused: It says which address, and what to do.
    """
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(
                f"{host} is at {address}, which is not a public address. If that is meant, "
                f"name the host in {setting}"
            )
