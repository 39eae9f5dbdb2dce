"""The developer's end: dials out to a relay, and forwards what comes to an application nearby."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import process_exception
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from greenroom.errors import BadSetting, Conflict, Unauthorized
from greenroom.wire.relay import (
    FROM_RELAY,
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    REPLACED,
    Answered,
    Headers,
    Passing,
    Replay,
    Status,
    Welcome,
    type_of,
    without_hop_headers,
)

FORWARD_WITHIN_S = 20.0
# What was kept has no sender who would come again: wait for the application to be there.
LOOK_AGAIN_S = 1.0
_BAD_GATEWAY = 502
_GATEWAY_TIMEOUT = 504
_NOT_OURS = (401, 403)


@dataclass(frozen=True, slots=True)
class Passed:
    """One request that passed, for who prints it. ``status``: None if nobody was there."""

    passing: Passing
    type: str
    status: int | None
    took_ms: float


class Listener:
    """Listens on one address of a relay.

    Args:
        relay_url: ``https://relay.example.com``.
        token: What ``greenroom relay address`` showed.
        forward_to: The application's address.
        on_welcome: Called each time the relay is reached.
        on_passed: Called for each request that passed.
        on_waiting: Called when something kept waits for the application to be there.
        on_away: Called with the reason when the relay cannot be reached; it is dialled again.
        replay: What is to pass again, asked for once.
    """

    def __init__(
        self,
        relay_url: str,
        token: str,
        forward_to: str,
        *,
        on_welcome: Callable[[Welcome], None],
        on_passed: Callable[[Passed], None],
        on_waiting: Callable[[], None] = lambda: None,
        on_away: Callable[[str], None] = lambda why: None,
        replay: Replay | None = None,
        within_s: float = FORWARD_WITHIN_S,
    ) -> None:
        self._url = f"{socket_url(relay_url)}/listen"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._forward_to = forward_to
        self._on_welcome = on_welcome
        self._on_passed = on_passed
        self._on_waiting = on_waiting
        self._on_away = on_away
        self._replay = replay
        self._within_s = within_s

    async def run(self) -> None:
        """Listen until cancelled, across any number of connections.

        Raises:
            Unauthorized: The relay does not know the token.
            Conflict: Another machine listens on the same address now.
            BadSetting: What is at the address is no relay.
        """
        # Neither a proxy nor a redirect: webhooks go to the named machine and nowhere else.
        async with httpx.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=self._within_s
        ) as client:
            try:
                async for socket in connect(
                    self._url,
                    additional_headers=self._headers,
                    max_size=MAX_MESSAGE_BYTES,
                    user_agent_header="Greenroom",
                    process_exception=self._weigh,
                    reconnect_delays=_delays_s,
                ):
                    await self._serve(socket, client)
            except (InvalidHandshake, InvalidURI) as error:
                raise _refusal(error) from error

    def _weigh(self, error: Exception) -> Exception | None:
        """What the library takes for final ends it; of anything else somebody is told."""
        final = process_exception(error)
        if final is None:
            self._on_away(str(error) or type(error).__name__)
        return final

    async def _serve(self, socket: ClientConnection, client: httpx.AsyncClient) -> None:
        """One connection, until it breaks."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask_for_replay(socket))]
                try:
                    async for text in socket:
                        message = FROM_RELAY.validate_json(text)
                        if isinstance(message, Welcome):
                            self._on_welcome(message)
                        else:
                            task = group.create_task(self._pass_on(socket, client, message))
                            tasks = [*(t for t in tasks if not t.done()), task]
                finally:
                    for task in tasks:
                        task.cancel()
        except* ConnectionClosed:
            pass  # what was not answered passes again after the next dial
        if socket.close_code == REPLACED:
            raise Conflict("Another machine listens on this address now, so this one stops.")

    async def _ask_for_replay(self, socket: ClientConnection) -> None:
        if self._replay is not None:
            await socket.send(self._replay.to_json())
            self._replay = None

    async def _pass_on(
        self, socket: ClientConnection, client: httpx.AsyncClient, passing: Passing
    ) -> None:
        began_at = asyncio.get_running_loop().time()
        answered = await self._forward(client, passing)
        while answered is None and not passing.live:
            self._on_waiting()
            await asyncio.sleep(LOOK_AGAIN_S)
            answered = await self._forward(client, passing)
        took_ms = (asyncio.get_running_loop().time() - began_at) * 1000
        status = answered.status if answered else None
        type_ = type_of(passing.method, passing.body)
        self._on_passed(Passed(passing, type_, status, took_ms))
        told = answered or _instead(passing, _BAD_GATEWAY, "The application cannot be reached.")
        await socket.send(told.to_json())

    async def _forward(self, client: httpx.AsyncClient, passing: Passing) -> Answered | None:
        """What the application answers; None if nobody is there."""
        url = self._forward_to + (f"?{passing.query}" if passing.query else "")
        try:
            async with (
                asyncio.timeout(self._within_s),
                client.stream(
                    passing.method,
                    url,
                    headers=_raw(passing.headers),
                    content=passing.body,
                ) as response,
            ):
                return await _answered(passing, response)
        except httpx.ConnectError:
            return None
        except (TimeoutError, httpx.TimeoutException):
            return _instead(passing, _GATEWAY_TIMEOUT, "The application did not answer in time.")
        except httpx.HTTPError as error:
            return _instead(passing, _BAD_GATEWAY, f"The application broke off ({error!s}).")


def _delays_s() -> Generator[float]:
    """Seconds until each next dial: at once and scattered, then every few seconds."""
    yield random.uniform(0, 0.5)  # noqa: S311 - no secret
    yield from (1.0, 2.0, 4.0)
    while True:
        yield 5.0


async def _answered(passing: Passing, response: httpx.Response) -> Answered:
    """The application's answer, as it is, also if it is compressed."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return _instead(passing, _BAD_GATEWAY, "The application's answer is too large.")
    pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers.raw]
    return _answer(passing, response.status_code, without_hop_headers(pairs), bytes(body))


def _instead(passing: Passing, status: int, text: str) -> Answered:
    return _answer(passing, status, [("content-type", "text/plain; charset=utf-8")], text.encode())


def _answer(passing: Passing, status: int, headers: Headers, body: bytes) -> Answered:
    return Answered.model_construct(
        number=passing.number, status=status, headers=headers, body=body
    )


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _refusal(error: Exception) -> Unauthorized | BadSetting:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in _NOT_OURS:
        return Unauthorized(
            "The relay does not know this token. Ask who runs it: greenroom relay address NAME"
        )
    return BadSetting(f"There is no relay at this address ({error}).")


def socket_url(relay_url: str) -> str:
    """The relay's address for WebSockets.

    Raises:
        BadSetting: It is no address.
    """
    for scheme, socket_scheme in (("https://", "wss://"), ("http://", "ws://")):
        if relay_url.startswith(scheme):
            return socket_scheme + relay_url.removeprefix(scheme).rstrip("/")
    raise BadSetting("The relay's address begins with https:// (or http:// on this machine).")


async def status_of(relay_url: str, token: str) -> Status:
    """How the address stands: what is kept, and within which bounds.

    Raises:
        Unauthorized: The relay does not know the token.
        BadSetting: There is no relay.
    """
    socket_url(relay_url)
    try:
        async with httpx.AsyncClient(timeout=10.0) as client:
            answer = await client.get(
                f"{relay_url.rstrip('/')}/status", headers={"Authorization": f"Bearer {token}"}
            )
        if answer.status_code in _NOT_OURS:
            raise Unauthorized("The relay does not know this token.")
        return Status.model_validate_json(answer.content)
    except (httpx.HTTPError, ValueError) as error:
        raise BadSetting(f"There is no relay at {relay_url} ({type(error).__name__}).") from error


def numbers_and_last(last: int, numbers: Sequence[int]) -> Replay | None:
    """What to ask for, if anything."""
    return Replay(last=last, numbers=list(numbers)) if last or numbers else None
