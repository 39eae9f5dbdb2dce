"""The composition root: the only importer of adapters. Puts the house together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from greenroom.accounts import DailyAccount, call_servers, daily_account
from greenroom.assembly import Adapters, House, Plan, assemble
from greenroom.elsewhere import CloudSettings
from greenroom.errors import BadSetting
from greenroom.hub.memory import MemoryHub
from greenroom.launch.local import LocalLauncher
from greenroom.launch.machine import MachineCapacity
from greenroom.launch.workbench import LocalWorkbench
from greenroom.outbound.keyset import key_set_at
from greenroom.outbound.sender import HttpSender
from greenroom.ports.capacity import Capacity
from greenroom.ports.clock import Clock
from greenroom.ports.launcher import Launcher
from greenroom.ports.rooms import Rooms
from greenroom.pricelist import read_price_list
from greenroom.rooms.local import LocalRooms
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
from greenroom.store import database_at
from greenroom.wire.tools import MAX_TIMEOUT_S
from greenroom.wire.webhooks import Endpoint

log = structlog.get_logger("greenroom.main")

BUILT_IN_BOT = "greenroom.bot.assistant"
_MIB = 1024 * 1024


class SystemClock:
    """Implements `greenroom.ports.clock.Clock`."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.time()


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
    if bot is not None and cloud is None:
        _expect_bot(bot)
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
        state_dir=settings.state_dir,
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


def _link_url(settings: Settings, address: tuple[str, int] | None) -> str | None:
    if address is None:
        return None
    return settings.link_url or f"ws://{dialled(address)}/link"


def _assistants(settings: Settings, bot: str | None) -> list[Assistant]:
    limits, ceilings = settings.limits(), settings.ceilings()
    if bot is None:
        return [Assistant("cards", BUILT_IN_BOT, "Multiplication cards", limits, ceilings)]
    name = bot.removesuffix(".py").replace("\\", "/").rsplit("/", 1)[-1]
    return [Assistant(name, bot, name, limits, ceilings)]


def _expect_bot(bot: str) -> None:
    """What a typo makes of a bot's name is said at once, and not to the first who wants to talk.

    Whether a module can be imported is known only when it is: see `greenroom.serving`.
    """
    if bot.endswith(".py"):
        if not Path(bot).is_file():
            raise BadSetting(f"There is no bot file {bot} (looked for in {Path.cwd()}).")
    elif Path(bot).is_file() or not all(part.isidentifier() for part in bot.split(".")):
        raise BadSetting(
            f"{bot} is no bot: name a Python file (my/bot.py) or a module (my_package.bot)."
        )


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


def dialled(address: tuple[str, int]) -> str:
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
