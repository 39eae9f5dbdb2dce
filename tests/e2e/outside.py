"""Proof that nothing left the machine: the page's requests, the processes' connections."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import psutil
from playwright.async_api import BrowserContext, Page

_NO_HOST = {"data", "blob", "about", "chrome", "devtools"}


class Requests:
    """Every address that a page asked for, by any means the browser tells of."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    @classmethod
    async def watch(cls, context: BrowserContext, page: Page) -> Requests:
        """Begin to write down what the page asks for. Call before the page is opened."""
        requests = cls()
        context.on("request", lambda request: requests.urls.append(request.url))
        page.on("websocket", lambda websocket: requests.urls.append(websocket.url))
        # The protocol's own events also tell of what Playwright keeps to itself (favicons).
        protocol = await context.new_cdp_session(page)
        protocol.on("Network.requestWillBeSent", requests._sent)
        protocol.on("Network.webSocketCreated", requests._opened)
        await protocol.send("Network.enable")
        return requests

    def _sent(self, event: dict[str, Any]) -> None:
        self.urls.append(event["request"]["url"])

    def _opened(self, event: dict[str, Any]) -> None:
        self.urls.append(event["url"])

    def elsewhere(self, origin: str) -> list[str]:
        """The addresses that were not on this origin (``http://127.0.0.1:1234``)."""
        here = urlsplit(origin).netloc
        return sorted(
            {
                url
                for url in self.urls
                if (parts := urlsplit(url)).scheme not in _NO_HOST and parts.netloc != here
            }
        )


def connections_elsewhere(processes: Iterable[psutil.Process]) -> list[str]:
    """Connected sockets of these processes whose other end is on another machine."""
    own = _own_addresses()
    found = []
    for process in processes:
        try:
            name, connections = process.name(), process.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        found += [
            f"{name} ({process.pid}) → {connection.raddr.ip}:{connection.raddr.port}"
            for connection in connections
            if connection.raddr and not _is_here(connection.raddr.ip, own)
        ]
    return found


def _own_addresses() -> set[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in families
    }


def _is_here(ip: str, own: set[str]) -> bool:
    address = ipaddress.ip_address(ip)
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_loopback or str(address) in own
