"""The check-up: shows every check this machine and its settings, one after another."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from aioice.ice import get_host_addresses

import greenroom
from greenroom.doctor import access, configuration, leaks, machine, network, providers, storage
from greenroom.doctor.assistant import assistant
from greenroom.doctor.call import call_itself
from greenroom.doctor.finding import Finding
from greenroom.errors import BadSetting
from greenroom.launch.config import DEFAULT_METHOD, supervisor_environment
from greenroom.outbound.keyset import key_set_at
from greenroom.settings import SECRET_FILE, Settings, read_settings
from greenroom.store import database_at

PAGE = Path(greenroom.__file__).parent / "page"
_VERSION_WITHIN_S = 5.0

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; None leaves it to the settings.

    Attributes:
        call: Whether to make the call to itself.
        assistant: Try this assistant's services, and look at nothing else.
    """

    host: str | None = None
    port: int | None = None
    state_dir: Path | None = None
    call: bool = True
    assistant: str | None = None


async def check_up(wanted: Wanted, step: Step) -> list[Finding]:
    """Make every check; none of them changes anything outside of a folder of its own.

    Args:
        wanted: What the command line asks for.
        step: Told what is looked at next, for people who wait.
    """
    if wanted.assistant is not None:
        return await _assistant(wanted, wanted.assistant, step)
    step("the machine")
    addresses = get_host_addresses(use_ipv4=True, use_ipv6=True)
    found = [*_machine(), *configuration.names(os.environ, configuration.KNOWN)]
    try:
        settings = read_settings(host=wanted.host, port=wanted.port, state_dir=wanted.state_dir)
    except BadSetting as error:
        return [*found, configuration.unreadable(error)]
    step("the network")
    found += _network(settings, addresses)
    step("the database")
    found += storage.state_dir(settings.state_dir)
    found.append(
        await storage.database(database_at(settings.plain_database_url(), settings.state_dir))
    )
    step("who gets in")
    found += await _access(settings)
    step("the rooms")
    found += await providers.rooms(settings)
    step("the agents")
    found += await providers.agents(settings)
    step("secrets")
    found += _secrets(settings, os.environ)
    if wanted.call:
        step("a call to itself (some seconds)")
        found += await call_itself(os.environ, over_loopback=not addresses)
    return found


async def _assistant(wanted: Wanted, name: str, step: Step) -> list[Finding]:
    step("the assistant (some seconds)")
    try:
        settings = read_settings(host=wanted.host, port=wanted.port, state_dir=wanted.state_dir)
    except BadSetting as error:
        return [configuration.unreadable(error)]
    return await assistant(settings, name)


def _machine() -> Iterator[Finding]:
    major, minor, patch = (int(part) for part in platform.python_version_tuple()[:3])
    yield machine.python((major, minor, patch))
    yield machine.voice(shutil.which)
    yield machine.page(PAGE, shutil.which, _version_of)
    yield machine.starting(DEFAULT_METHOD)
    yield machine.cores(_usable_cores())
    yield machine.memory(psutil.virtual_memory().available)


def _usable_cores() -> int:
    """The cores this process may use: fewer than the machine has, in many containers."""
    with suppress(AttributeError):  # macOS does not tell
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version_of(program: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        asked = [program, "--version"]
        return subprocess.run(  # noqa: S603 - a program that PATH names
            asked, capture_output=True, text=True, timeout=_VERSION_WITHIN_S
        ).stdout
    return ""


def _network(settings: Settings, addresses: list[str]) -> Iterator[Finding]:
    yield network.port(settings.host, settings.port, network.listener_on)
    yield network.ice(addresses, loopback_allowed=settings.allow_loopback_media)
    yield network.relay(
        host_is_loopback=settings.is_loopback,
        ice_urls=[url for server in settings.ice_servers for url in server.urls],
        addresses=addresses,
    )


async def _access(settings: Settings) -> list[Finding]:
    database = database_at(settings.plain_database_url(), settings.state_dir)
    found = await access.keys(database, time.time())
    try:
        signs = settings.signs_users()
    except BadSetting as error:
        return [*found, configuration.unreadable(error)]
    return [*found, await access.sign_in(key_set_at(signs[0]))] if signs else found


def _secrets(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    value = settings.secret.get_secret_value() if settings.secret else None
    yield configuration.secret(value, host=settings.host, host_is_loopback=settings.is_loopback)
    kept = settings.state_dir / SECRET_FILE
    yield from configuration.kept_secret(kept)
    daily = settings.daily_api_key.get_secret_value() if settings.daily_api_key else None
    ours = leaks.server_secrets(value, settings.plain_database_url(), _read(kept), daily)
    yield from leaks.page_files(PAGE, {**ours, **leaks.keys_in(environment)})
    yield from leaks.variables_for_pages(environment)
    yield from leaks.page_config(settings.ice_servers, ours, host_is_loopback=settings.is_loopback)
    yield from leaks.bots_environment(supervisor_environment(), ours)
    yield from leaks.dotenv(Path.cwd() / ".env")


def _read(path: Path) -> str | None:
    with suppress(OSError):
        return path.read_text().strip()
    return None
