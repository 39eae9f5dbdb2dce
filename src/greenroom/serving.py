"""Runs a server: it listens, keeps its background parts alive, and closes everything behind it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from greenroom.api.app import build_app
from greenroom.api.server import server_config
from greenroom.assembly import House
from greenroom.errors import BadSetting, GreenroomError, LaunchFailed
from greenroom.folder import take_folder
from greenroom.launch.state import lock_or_none
from greenroom.main import build, dialled
from greenroom.running import LOCK_FILE, announced
from greenroom.settings import Settings
from greenroom.stopping import Stopping

log = structlog.get_logger("greenroom.serving")

_Runs = Sequence[Callable[[], Coroutine[Any, Any, None]]]

# A command that looks whether a server lives holds the lock for a moment.
LOCK_AGAIN_S = 0.2


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: stopping is `Stopping`'s."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(settings: Settings) -> socket.socket:
    """The listening socket; bound first, because bots must be told where to dial.

    Raises:
        BadSetting: The address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise BadSetting(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Is another "
            "Greenroom running? Choose another port: greenroom serve --port 0"
        ) from error
    return listener


async def serve(settings: Settings, bot: str | None, on_ready: Callable[[str], None]) -> None:
    """Run Greenroom until it is told to stop.

    SIGTERM drains: no new sessions, running ones may finish for ``drain_s``, then they are
    ended. SIGINT (Ctrl-C) ends them at once. A second signal of either kind hurries.
    Either way no bot is left. Only ``kill -9`` leaves them, on purpose: the next server on the
    same state folder finds them again.

    Args:
        settings: What the server was told.
        bot: Module or file of the bot to serve; the built-in one if None.
        on_ready: Called with the server's address once it listens.
    """
    with _only_server(settings.state_dir), bind(settings) as listener:
        await _serve(settings, bot, listener, on_ready)


@contextlib.contextmanager
def _only_server(state_dir: Path) -> Iterator[None]:
    """Two servers on one state folder would both carry out its effects; the second is refused."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = lock_or_none(state_dir / LOCK_FILE)
    if lock is None:
        time.sleep(LOCK_AGAIN_S)
        lock = lock_or_none(state_dir / LOCK_FILE)
    if lock is None:
        raise BadSetting(
            f"Another Greenroom runs on {state_dir}. Use that one, or give this one a folder of "
            "its own: greenroom serve --state-dir DIR"
        )
    try:
        yield
    finally:
        os.close(lock)


async def _serve(
    settings: Settings, bot: str | None, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    address = listener.getsockname()[:2]
    house = await build(settings, bot, address)
    await take_folder(settings.assistants_dir, house)
    _count_uncaught(house)
    config = server_config(
        build_app(house.parts),
        timeout_graceful_shutdown=2,
        forwarded_allow_ips=settings.trusted_proxies,
    )
    server = _Server(config)
    stopping = Stopping(settings.drain_s, house, server)
    try:
        with announced(settings.state_dir, f"http://{dialled(address)}"):
            await _run_until_stopped(house, server, stopping, listener, on_ready)
    finally:
        stopping.deafen()
        await house.parts.launcher.close()
        await house.parts.rooms.aclose()
        await house.parts.store.close()
        await house.deliverer.close()
        if house.tool_sender is not None:
            await house.tool_sender.close()
        house.flags.close()


async def _run_until_stopped(
    house: House,
    server: uvicorn.Server,
    stopping: Stopping,
    listener: socket.socket,
    on_ready: Callable[[str], None],
) -> None:
    address = listener.getsockname()[:2]
    async with asyncio.TaskGroup() as group:
        runs: _Runs = (*house.background, functools.partial(_warm, house))
        tasks = [group.create_task(_guarded(run, house)) for run in runs]
        group.create_task(_announce(server, on_ready, address))
        stopping.listen(group, tasks)
        await server.serve(sockets=[listener])
        for task in tasks:
            task.cancel()


def _count_uncaught(house: House) -> None:
    """What nobody awaited and nobody caught is counted and logged, and takes nobody down."""

    def on_uncaught(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        house.parts.metrics.uncaught.labels(place="loop").inc()
        log.error("loop.uncaught", what=context["message"], exc_info=context.get("exception"))

    asyncio.get_running_loop().set_exception_handler(on_uncaught)


async def _guarded(run: Callable[[], Coroutine[Any, Any, None]], house: House) -> None:
    """A background part that fails is counted, logged and started again; it takes nobody down."""
    while True:
        try:
            await run()
            return
        except GreenroomError as error:
            log.warning("background.failed", part=_name_of(run), error=error.message)
        except Exception:
            house.parts.metrics.uncaught.labels(place="background").inc()
            log.exception("background.uncaught", part=_name_of(run))
        await asyncio.sleep(1.0)


def _name_of(run: Callable[[], Any]) -> str:
    inner = run.func if isinstance(run, functools.partial) else run
    return str(getattr(inner, "__qualname__", inner))


async def _announce(
    server: uvicorn.Server, on_ready: Callable[[str], None], address: tuple[str, int]
) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    on_ready(f"http://{dialled(address)}")


async def _warm(house: House) -> None:
    """Load the modules of all bots before the first click."""
    for bot in house.parts.sessions.bots:
        try:
            await house.parts.launcher.warm(bot)
        except LaunchFailed as error:  # the first start will say so to its page, too
            log.error(
                "bot.cannot_be_loaded",
                bot=bot,
                error=error.message,
                last_words=str(error.__cause__ or ""),
            )
