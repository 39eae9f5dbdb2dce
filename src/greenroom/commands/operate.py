"""What the operators' commands share: asking the server, and doing without one."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from greenroom.errors import GreenroomError, Unavailable
from greenroom.wire.base import WireModel

if TYPE_CHECKING:
    import httpx

    from greenroom.assembly import House
    from greenroom.settings import Settings

StateDir = Annotated[
    Path | None, typer.Option(help="The server's state folder, if it is not the usual one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

# A server that hangs is found out by its health, which takes it no time.
HEALTH_WITHIN_S = 2.0
# Stopping everything waits six seconds for the last bot.
ANSWER_WITHIN_S = 12.0
_TOKEN_LIFETIME_S = 60.0

M = TypeVar("M", bound=WireModel)


class NoServer(GreenroomError):
    """No server runs on this state folder."""

    code = "no_server"


class Refusal(GreenroomError):
    """The server refused; its own words are the message."""

    code = "refused"


def read(state_dir: Path | None) -> Settings:
    """The settings as the server reads them; logs show warnings only."""
    from greenroom.logs import configure_logs
    from greenroom.settings import read_settings

    settings = read_settings(state_dir=state_dir)
    configure_logs("error", as_json=settings.log_json)
    return settings


def os_user() -> str:
    """Who runs this command, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a number and no name for it
        return f"uid {os.getuid()}"


async def ask(
    settings: Settings, expected: type[M], method: str, path: str, body: WireModel | None = None
) -> M:
    """Ask the server of this state folder, in the name of whoever runs this command.

    Raises:
        NoServer: None runs here.
        Unavailable: One runs and does not answer.
        Refusal: It refused.
    """
    import httpx

    from greenroom.api.identity import Identity
    from greenroom.ports.audit import ActorKind
    from greenroom.running import address_of

    address = address_of(settings.state_dir)
    if address is None:
        raise NoServer(f"No server runs on {settings.state_dir}.")
    identity = Identity(settings.installation_secret(), anonymous=False)
    token = identity.operator_token(os_user(), _TOKEN_LIFETIME_S, ActorKind.COMMAND)
    # By its name on loopback, which it takes whatever other names it has been told.
    headers = {"Authorization": f"Bearer {token}", "Host": "localhost"}
    # What nobody said is not said: a null may mean something.
    json = body.model_dump(by_alias=True, exclude_unset=True) if body is not None else None
    try:
        async with httpx.AsyncClient(
            base_url=address, headers=headers, timeout=ANSWER_WITHIN_S, trust_env=False
        ) as client:
            await client.get("/healthz", timeout=HEALTH_WITHIN_S)
            answer = await client.request(method, path, json=json)
    except httpx.HTTPError as error:
        raise Unavailable(f"The server at {address} does not answer.") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise Refusal(
            "The server does not know this secret. Give this command its GREENROOM_SECRET."
        )
    if answer.is_error:
        raise Refusal(_words_of(answer))
    return expected.model_validate_json(answer.content)


def _words_of(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told: dict[str, Any] = answer.json()
        return str(told["message"])
    return f"The server answered {answer.status_code}."


@contextlib.asynccontextmanager
async def a_house(settings: Settings) -> AsyncIterator[House]:
    """The house without its door: what is due is carried out, and nothing is launched.

    For when no server answers. It may run beside one that hangs: every effect may be carried
    out twice, and every change is made once.

    Raises:
        Unavailable: The database does not answer.
        BadSetting: A setting or the database does not allow it.
    """
    from greenroom.main import build
    from greenroom.running import is_served

    house = await build(settings)
    runs = (house.dispatcher.run, house.timekeeper.run, house.reconciler.follow_exits)
    tasks = [asyncio.create_task(run()) for run in runs]
    launcher = house.parts.launcher
    try:
        yield house
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(GreenroomError):
            if not is_served(settings.state_dir) and not await launcher.living():
                await launcher.shutdown()
        await launcher.close()
        await house.parts.store.close()
