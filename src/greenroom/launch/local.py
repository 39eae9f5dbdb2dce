"""The launcher for this machine: finds the supervisor of a state directory, or starts it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from greenroom.errors import BadRequest, BadSetting, Unavailable
from greenroom.launch import halt
from greenroom.launch.config import DEFAULT_HOST, DEFAULT_METHOD, Config, Method
from greenroom.launch.connection import Connection
from greenroom.launch.finding import Finder
from greenroom.launch.hatch import AWAKE_WITHIN_S
from greenroom.launch.protocol import (
    Done,
    End,
    Exit,
    Exits,
    Forget,
    List,
    Living,
    Reply,
    Request,
    Shutdown,
    Start,
    Warm,
)
from greenroom.launch.state import StateDir
from greenroom.ports.launcher import BotExit, BotProcess, LaunchOrder
from greenroom.ports.store import Halt

CALL_WITHIN_S = 5.0
# All of a call: waiting for one's turn, starting a supervisor, asking it.
ASK_WITHIN_S = 30.0
# The supervisor ends its bots within its own bound (SIGTERM, 5 s, SIGKILL).
SHUTDOWN_WITHIN_S = 15.0
# How long `exits` waits before it looks for a supervisor again after failing to.
EXITS_AGAIN_S = 1.0

R = TypeVar("R", bound=Reply)


class LocalLauncher:
    """`greenroom.ports.launcher.Launcher` on this machine.

    Keeps nothing that matters: launches and exits are the supervisor's and outlive this object.
    When the supervisor itself dies, its bots die with it; the next one, started by whichever call
    comes first (a running `exits` is such a call), finds its journal and reports `HOST_DIED`.

    A supervisor that was started with another configuration, version or environment is replaced
    when no bot lives and nobody else is connected to it; otherwise it is kept, with a warning.

    Args:
        state_dir: Where the supervisor's socket, journal and logs are; created if missing.
        host: Dotted name of the bot host (see `greenroom.wire.process`).
        method: ``fork`` or ``spawn``; by default what is safe on this system.
        preload_within_s: An import that takes longer is killed.
        idle_exit_s: The supervisor ends after so long without client and bot.
        spares: How many forked processes wait for a launch, for each bot; 0 for none.

    Raises:
        BadSetting: The state directory's path is too long for a socket, or the system is Windows.
    """

    starts_cold = False

    def __init__(
        self,
        state_dir: Path,
        *,
        host: str = DEFAULT_HOST,
        method: Method = DEFAULT_METHOD,
        preload_within_s: float = 60.0,
        idle_exit_s: float = 60.0,
        spares: int = 1,
    ) -> None:
        if sys.platform == "win32":
            raise BadSetting("Bots on this machine need Unix sockets; on Windows use WSL 2.")
        self._state = StateDir.prepare(state_dir)
        self._config = Config(host, method, preload_within_s, idle_exit_s, spares)
        self._finder = Finder(self._state, self._config)
        self._connection: Connection | None = None
        self._asking = asyncio.Lock()

    @property
    def state_dir(self) -> Path:
        """Where the supervisor's socket, journal and logs are."""
        return self._state.root

    async def start(self, order: LaunchOrder) -> None:
        """See the port.

        Raises:
            BadRequest: The launch id is not of letters, digits, ``_``, ``-`` and ``.`` (≤ 100).
        """
        order = dataclasses.replace(order, bot=_located(order.bot), session=None)
        with _refusing_bad_values():
            asked = Start(launch_id=order.launch_id, order=order)
        await self._ask(asked, Done)

    async def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """See the port."""
        with _refusing_bad_values():
            asked = End(launch_id=launch_id, polite_s=polite_s, term_s=term_s)
        await self._ask(asked, Done)

    async def living(self) -> list[BotProcess]:
        """See the port. A launch whose module is still being imported is listed with pid 0."""
        return (await self._ask(List(), Living)).processes

    async def exits(self) -> AsyncGenerator[BotExit, None]:
        """See the port. Goes on when the supervisor dies: with the next one's exits."""
        while True:
            try:
                connection = await self._finder.connect()
            except Unavailable:
                await asyncio.sleep(EXITS_AGAIN_S)
                continue
            try:
                await connection.say(Exits())
                while True:
                    heard = await connection.hear()
                    if isinstance(heard, Exit):
                        yield heard.exit
            except OSError:
                continue
            finally:
                await connection.close()

    async def forget(self, launch_id: str) -> None:
        """See the port."""
        with _refusing_bad_values():
            asked = Forget(launch_id=launch_id)
        await self._ask(asked, Done)

    async def halt(self, reason: str) -> None:
        """See the port. The supervisor looks at it before it begins a launch, and so does the next.

        Raises:
            Unavailable: The state directory cannot be written.
        """
        try:
            await asyncio.to_thread(halt.pull, self._state.root, reason)
        except OSError as error:
            raise Unavailable("The state folder cannot be written.") from error

    async def resume(self) -> bool:
        """See the port; raises as `halt` does."""
        try:
            return await asyncio.to_thread(halt.release, self._state.root)
        except OSError as error:
            raise Unavailable("The state folder cannot be written.") from error

    async def halted(self) -> Halt | None:
        """See the port."""
        return await asyncio.to_thread(halt.pulled, self._state.root)

    async def warm(self, bot: str) -> None:
        """See the port; returns when the bot is imported, which `preload_within_s` bounds.

        Raises:
            LaunchFailed: The import raised or hung; its cause carries the traceback.
        """
        connection = await self._finder.connect()
        try:
            within_s = AWAKE_WITHIN_S + self._config.preload_within_s + CALL_WITHIN_S
            async with asyncio.timeout(within_s):
                await connection.ask(Warm(bot=_located(bot)), Done)
        except (OSError, TimeoutError) as error:
            raise Unavailable("The bots' supervisor does not answer.") from error
        finally:
            await connection.close()

    async def close(self) -> None:
        """See the port."""
        async with self._asking:
            await self._drop()

    async def shutdown(self) -> None:
        """See the port. Nothing happens if no supervisor runs."""
        await self.close()
        try:
            async with asyncio.timeout(SHUTDOWN_WITHIN_S):
                connection = await self._finder.existing()
                try:
                    await connection.ask(Shutdown(), Done)
                    while True:  # until it closes the connection, as the last thing it does
                        await connection.hear()
                finally:
                    await connection.close()
        except TimeoutError as error:
            raise Unavailable("The bots' supervisor does not end.") from error
        except OSError:
            return

    # ---- the connection

    async def _ask(self, asked: Request, expected: type[R]) -> R:
        """Ask on the kept connection, once more on a fresh one: every call is idempotent."""
        try:
            async with asyncio.timeout(ASK_WITHIN_S), self._asking:
                with contextlib.suppress(OSError, TimeoutError):
                    return await self._ask_once(asked, expected)
                return await self._ask_once(asked, expected)
        except (OSError, TimeoutError) as error:
            raise Unavailable("The bots' supervisor does not answer.") from error

    async def _ask_once(self, asked: Request, expected: type[R]) -> R:
        if self._connection is None:
            self._connection = await self._finder.connect()
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                return await self._connection.ask(asked, expected)
        except BaseException:
            # Also when cancelled: the answer would be taken for that of the next request.
            await self._drop()
            raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _located(bot: str) -> str:
    """A bot's path made absolute: the supervisor may have been started elsewhere."""
    return str(Path(bot).absolute()) if bot.endswith(".py") else bot


@contextlib.contextmanager
def _refusing_bad_values() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        fields = ", ".join(str(part["loc"][0]) for part in error.errors())
        # Not from the error: it repeats the values, and one of them is a secret.
        raise BadRequest(f"Not a usable launch order: {fields}.") from None
