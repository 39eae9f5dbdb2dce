"""The composition root: the only importer of adapters. Puts the house together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from greenroom.accounts import DailyAccount, call_servers, daily_account
from greenroom.api.app import build_app
from greenroom.api.server import server_config
from greenroom.assembly import Adapters, House, Plan, assemble
from greenroom.elsewhere import CloudSettings
from greenroom.errors import BadSetting, GreenroomError, LaunchFailed
from greenroom.folder import take_folder
from greenroom.hub.memory import MemoryHub
from greenroom.launch.local import LocalLauncher
from greenroom.launch.machine import MachineCapacity
from greenroom.launch.state import lock_or_none
from greenroom.launch.workbench import LocalWorkbench
from greenroom.outbound.keyset import key_set_at
from greenroom.outbound.sender import HttpSender
from greenroom.ports.capacity import Capacity
from greenroom.ports.clock import Clock
from greenroom.ports.launcher import Launcher
from greenroom.ports.rooms import Rooms
from greenroom.pricelist import read_price_list
from greenroom.rooms.local import LocalRooms
from greenroom.running import LOCK_FILE, announced
from greenroom.service.assistants import Bounds
from greenroom.service.call_servers import CallServers
from greenroom.service.flags import flags_by
from greenroom.service.http_tools import ToolServers
from greenroom.service.issuer import Issuer
from greenroom.service.purse import Money
from greenroom.service.redaction import Redaction, redaction_by
from greenroom.service.retention import keeping_of
from greenroom.service.sessions import Assistant
from greenroom.session.policy import MachineQuotas, Quotas
from greenroom.settings import Settings
from greenroom.stopping import Stopping
from greenroom.store import database_at
from greenroom.wire.tools import MAX_TIMEOUT_S
from greenroom.wire.webhooks import Endpoint

log = structlog.get_logger("greenroom.main")

_Runs = Sequence[Callable[[], Coroutine[Any, Any, None]]]

BUILT_IN_BOT = "greenroom.bot.assistant"
_MIB = 1024 * 1024
# A command that looks whether a server lives holds the lock for a moment.
LOCK_AGAIN_S = 0.2


class SystemClock:
    """Implements `greenroom.ports.clock.Clock`."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.time()


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


async def build(
    settings: Settings, bot: str | None = None, address: tuple[str, int] | None = None
) -> House:
    """Put the house together.

    Args:
        settings: What the server was told.
        bot: Module or file of the bot to serve; the built-in one if None.
        address: Where the server listens, as bound; None: nobody listens (a command that only
            ends what runs), and nothing is launched.

    Raises:
        BadSetting: A setting or the database does not allow it.
    """
    sender = HttpSender(settings.webhook_allow)
    tool_sender = _tool_sender(settings)
    endpoints = _endpoints(settings, sender, serving=address is not None)
    # What an agent elsewhere is called is all that is known of it here.
    cloud = settings.pipecat_cloud()
    assistants = _assistants(settings, bot or (cloud.agent if cloud else None))
    # A price list with a typo must keep nobody from ending what runs.
    money = _money(settings, assistants) if address else Money()
    account = _account(settings, serving=address is not None)
    if account is not None and bot is None and cloud is None and address is not None:
        raise BadSetting(
            "GREENROOM_ROOMS is daily, and the built-in bot speaks in this machine's rooms only. "
            "Serve one with Pipecat's DailyTransport: greenroom serve bot.py"
        )
    launcher, capacity, quotas = _carriers(settings, assistants)
    store = await database_at(settings.plain_database_url(), settings.state_dir).open()
    clock = SystemClock()
    plan = Plan(
        secret=settings.installation_secret(),
        anonymous=settings.is_loopback,
        assistants=assistants,
        group_ceiling=settings.group_ceiling,
        link_url=_link_url(settings, address),
        memory_limit_bytes=settings.bot_memory_limit_mb * _MIB,
        money=money,
        hosts=_hosts(settings),
        origins=settings.origins,
        endpoints=endpoints,
        metrics_open=settings.metrics_open,
        quotas=quotas,
        rates=settings.rates(),
        issuer=_issuer(settings),
        daily_webhook_secret=account.webhook_secret if account else None,
        call_door=settings.vapi_rooms,
        call_servers=_call_servers(settings, sender, serving=address is not None),
        bots=settings.bots,
        makers=(BUILT_IN_BOT,),
        flags=flags_by(settings.flags) if address else None,
        tool_servers=_tool_servers(settings, tool_sender) if address else ToolServers(),
        redaction=redaction_by(settings.redact) if address else Redaction(),
        keeping=keeping_of(settings.keep_words_days, settings.keep_sessions_days),
    )
    rooms = _rooms(settings, account, clock)
    workbench = LocalWorkbench() if cloud is None else None
    adapters = Adapters(
        store,
        MemoryHub(),
        clock,
        launcher,
        rooms,
        sender,
        capacity,
        workbench=workbench,
        tool_sender=tool_sender,
    )
    return assemble(adapters, plan)


def _account(settings: Settings, *, serving: bool) -> DailyAccount | None:
    """Where the rooms are; a bad setting must keep nobody from ending what runs."""
    try:
        return daily_account(settings)
    except BadSetting:
        if serving:
            raise
        return None


def _rooms(settings: Settings, account: DailyAccount | None, clock: Clock) -> Rooms:
    if account is None:
        return LocalRooms(settings.ice_servers, allow_loopback=settings.allow_loopback_media)
    # Whoever does not use it, does not load it.
    from greenroom.rooms.daily import daily_rooms

    return daily_rooms(
        account.api_url,
        account.api_key,
        clock,
        domain=account.domain,
        recording=account.recording,
    )


def _carriers(
    settings: Settings, assistants: Sequence[Assistant]
) -> tuple[Launcher, Capacity, Quotas]:
    """What carries the bots, what measures that, and how many there may be of them."""
    cloud, quotas = settings.pipecat_cloud(), settings.quotas()
    if cloud is None:
        launcher = LocalLauncher(settings.state_dir, spares=settings.spares)
        return launcher, MachineCapacity(), quotas
    elsewhere, capacity, machine = agents_of(
        cloud, settings.state_dir, cloud.agent or assistants[0].name
    )
    return elsewhere, capacity, replace(quotas, machine=machine)


def agents_of(
    cloud: CloudSettings, state_dir: Path, agent: str
) -> tuple[Launcher, Capacity, MachineQuotas]:
    """What launches agents on Pipecat Cloud, how full it is there, and what full means."""
    # Whoever has bots on this machine need not wait for it.
    from greenroom.launch.pipecat_cloud.capacity import AGENT_QUOTAS, AgentCapacity
    from greenroom.launch.pipecat_cloud.client import CloudClient
    from greenroom.launch.pipecat_cloud.launcher import PipecatCloudLauncher

    client = CloudClient(agent, cloud.public_key, cloud.private_key, cloud.url)
    capacity = AgentCapacity(client)
    launcher = PipecatCloudLauncher(
        client, state_dir, SystemClock(), capacity, max_session_s=cloud.max_session_s
    )
    return launcher, capacity, AGENT_QUOTAS


def _endpoints(settings: Settings, sender: HttpSender, *, serving: bool) -> list[Endpoint]:
    """Where events are delivered; a bad setting must keep nobody from ending what runs."""
    try:
        endpoints = settings.endpoints()
    except BadSetting:
        if serving:
            raise
        return []
    for endpoint in endpoints if serving else ():
        sender.check(endpoint)
    return endpoints


def _call_servers(settings: Settings, sender: HttpSender, *, serving: bool) -> CallServers:
    """Where VAPI calls are told of; a bad setting must keep nobody from ending what runs."""
    if not serving:
        return CallServers()
    servers = call_servers(settings)
    if settings.vapi_server_url:
        sender.check_url(settings.vapi_server_url.strip(), "GREENROOM_VAPI_SERVER_URL")
    return servers


def _tool_sender(settings: Settings) -> HttpSender:
    setting = "GREENROOM_TOOLS_ALLOW"
    return HttpSender(settings.tools_allow, within_s=MAX_TIMEOUT_S, setting=setting)


def _tool_servers(settings: Settings, sender: HttpSender) -> ToolServers:
    """Which addresses HTTP tools may call, and what signs that."""

    def problem_of(url: str) -> str | None:
        try:
            sender.check_url(url, "the address")
        except BadSetting as error:
            return error.message
        return None

    return ToolServers(settings.tool_secrets(), problem_of)


def _issuer(settings: Settings) -> Issuer | None:
    """Who else signs users, if the settings name somebody."""
    signs = settings.signs_users()
    if signs is None:
        return None
    url, issuer, audience = signs
    return Issuer(key_set_at(url), issuer, audience)


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


def _link_url(settings: Settings, address: tuple[str, int] | None) -> str | None:
    if address is None:
        return None
    return settings.link_url or f"ws://{_dialled(address)}/link"


def _assistants(settings: Settings, bot: str | None) -> list[Assistant]:
    limits, ceilings = settings.limits(), settings.ceilings()
    if bot is None:
        return [Assistant("cards", BUILT_IN_BOT, "Multiplication cards", limits, ceilings)]
    name = bot.removesuffix(".py").replace("\\", "/").rsplit("/", 1)[-1]
    return [Assistant(name, bot, name, limits, ceilings)]


def bounds_of(settings: Settings) -> Bounds:
    """What a server with these settings, and no bot named on its command line, gives to records."""
    cloud = settings.pipecat_cloud()
    return Bounds(
        _assistants(settings, cloud.agent if cloud else None),
        settings.bots,
        _tool_servers(settings, _tool_sender(settings)),
    )


def _money(settings: Settings, assistants: Sequence[Assistant]) -> Money:
    prices = read_price_list(settings.prices)
    unknown = sorted(prices.assistants.keys() - {assistant.name for assistant in assistants})
    if settings.prices is not None and unknown:
        log.warning("prices.of_unknown_assistants", assistants=unknown)
    return Money(prices, settings.budgets(), settings.metering_s)


def _dialled(address: tuple[str, int]) -> str:
    """Where bots on this machine dial: the bound address, or loopback if it is a wildcard."""
    host, port = address
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1" if host != "::" else "::1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _hosts(settings: Settings) -> list[str]:
    if settings.hosts:
        return [*settings.hosts, "127.0.0.1", "localhost"]
    # Starlette's check strips the port; an IPv6 host arrives as "[::1]".
    return (
        ["127.0.0.1", "localhost", "[", "[::1]", settings.host] if settings.is_loopback else ["*"]
    )


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
        with announced(settings.state_dir, f"http://{_dialled(address)}"):
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
    on_ready(f"http://{_dialled(address)}")
