"""The supervisor's door: the Unix socket on which servers ask and listen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable

import structlog
from pydantic import ValidationError

import greenroom
from greenroom.errors import GreenroomError
from greenroom.launch.config import Config
from greenroom.launch.hatch import Hatchery, HatchFailed
from greenroom.launch.launches import Launches
from greenroom.launch.ledger import Ledger
from greenroom.launch.protocol import (
    MAX_LINE_BYTES,
    Done,
    End,
    Exit,
    Exits,
    Forget,
    List,
    Living,
    Ping,
    Pong,
    Refused,
    Reply,
    Request,
    Shutdown,
    Start,
    Warm,
    request,
)
from greenroom.launch.state import StateDir

# A client that does not read is dropped; it finds everything again when it comes back.
WRITE_WITHIN_S = 10.0


class Door:
    """One connection per client; requests of one connection are answered in order."""

    def __init__(
        self,
        state: StateDir,
        config: Config,
        launches: Launches,
        ledger: Ledger,
        hatchery: Hatchery,
        stop: Callable[[], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._state = state
        self._fingerprint = config.fingerprint
        self._launches = launches
        self._ledger = ledger
        self._hatchery = hatchery
        self._stop = stop
        self._log = log
        self._clients: set[asyncio.Task[None]] = set()
        self._shutting: list[asyncio.StreamWriter] = []

    @property
    def clients(self) -> int:
        """How many connections are open."""
        return len(self._clients)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen as long as the context lasts; then tell whoever asked for the shutdown."""
        server = await asyncio.start_unix_server(
            self._serve, sock=_listener(self._state), limit=MAX_LINE_BYTES
        )
        try:
            yield
        finally:
            self._state.socket.unlink(missing_ok=True)
            server.close()
            for writer in self._shutting:
                with contextlib.suppress(OSError, TimeoutError):
                    await _write(writer, Done())
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async for line in reader:
                await self._take(line, reader, writer)
        except (OSError, TimeoutError, ValueError) as error:
            self._log.info("client.dropped", why=repr(error))
        except Exception:
            self._log.exception("client.failed")
        except asyncio.CancelledError:
            pass  # the door is closing; the stream machinery would report this as a failure
        finally:
            self._clients.discard(task)
            writer.close()

    async def _take(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            asked = request.validate_json(line)
        except ValidationError as error:
            # Not the text of the error: it repeats the input, and that may hold a secret.
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
            await _write(writer, Refused(code="bad_request", message=f"Not understood: {fields}."))
            return
        if isinstance(asked, Exits):
            await self._stream_exits(reader, writer)
        elif isinstance(asked, Shutdown):
            self._shutting.append(writer)
            self._stop()
        else:
            await _write(writer, await self._answer(asked))

    async def _answer(self, asked: Request) -> Reply:
        try:
            match asked:
                case Start(order=order):
                    self._launches.start(order)
                case End(launch_id=launch_id, polite_s=polite_s, term_s=term_s):
                    self._launches.end(launch_id, polite_s=polite_s, term_s=term_s)
                case Forget(launch_id=launch_id):
                    self._ledger.forget(launch_id)
                case Warm(bot=bot):
                    await self._hatchery.warm(bot)
                case List():
                    return Living(processes=self._launches.living())
                case Ping():
                    return self._pong()
        except GreenroomError as error:
            return Refused(code=error.code, message=error.message)
        except HatchFailed as failed:
            self._log.warning("warm.failed", cause=failed.cause, last_words=failed.last_words)
            return Refused(
                code="launch_failed",
                message="The bot's module could not be imported.",
                last_words=failed.last_words,
            )
        return Done()

    async def _stream_exits(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until the client goes; it says nothing more, so whatever is read is its end."""
        gone = asyncio.create_task(reader.read(1))
        try:
            with self._ledger.subscription() as exits:
                while not gone.done():
                    waiting = asyncio.create_task(exits.get())
                    try:
                        await asyncio.wait({gone, waiting}, return_when=asyncio.FIRST_COMPLETED)
                        if waiting.done():
                            await _write(writer, Exit(exit=waiting.result()))
                    finally:
                        waiting.cancel()
        finally:
            gone.cancel()

    def _pong(self) -> Pong:
        return Pong(
            pid=os.getpid(),
            version=greenroom.__version__,
            fingerprint=self._fingerprint,
            launches=self._launches.count,
            spares=self._hatchery.spares,
            clients=self.clients,
        )


def _listener(state: StateDir) -> socket.socket:
    """A listening socket that only this user can reach. The caller holds the lock."""
    state.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(state.socket))
    finally:
        os.umask(mask)
    return listener


async def _write(writer: asyncio.StreamWriter, message: Reply) -> None:
    async with asyncio.timeout(WRITE_WITHIN_S):
        writer.write(message.to_json().encode() + b"\n")
        await writer.drain()
