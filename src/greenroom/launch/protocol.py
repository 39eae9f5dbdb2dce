"""What launcher and supervisor say to each other: JSON, one message a line.

Over a Unix stream socket. A `Request` is answered by `Done`, `Living`, `Pong` or `Refused`; after
`Exits` the connection carries `Exit` messages only, beginning with those not yet forgotten.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from greenroom.launch.packets import Message
from greenroom.ports.launcher import BotExit, BotProcess, LaunchOrder

MAX_LINE_BYTES = 4 * 1024 * 1024
# A launch id names files.
LAUNCH_ID_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

LaunchId = Annotated[str, Field(pattern=LAUNCH_ID_PATTERN)]


# ---- launcher → supervisor


class Start(Message):
    """Begin a launch."""

    type: Literal["start"] = "start"
    launch_id: LaunchId
    order: LaunchOrder = Field(repr=False)


class End(Message):
    """End a launch, politely first."""

    type: Literal["end"] = "end"
    launch_id: LaunchId
    polite_s: float = Field(ge=0)
    term_s: float = Field(ge=0)


class Forget(Message):
    """An exit is on record."""

    type: Literal["forget"] = "forget"
    launch_id: LaunchId


class Warm(Message):
    """Preload a bot; answered when it is preloaded or has failed."""

    type: Literal["warm"] = "warm"
    bot: str


class List(Message):
    """Which bots live?"""

    type: Literal["list"] = "list"


class Exits(Message):
    """Turn this connection into the stream of exits."""

    type: Literal["exits"] = "exits"


class Ping(Message):
    """Who are you?"""

    type: Literal["ping"] = "ping"


class Shutdown(Message):
    """End every bot, then yourself; answered when every bot has ended."""

    type: Literal["shutdown"] = "shutdown"


# ---- supervisor → launcher


class Done(Message):
    """It is done, or under way."""

    type: Literal["done"] = "done"


class Refused(Message):
    """It is not done; ``code`` is one of the error tree's. ``last_words`` is for operators only."""

    type: Literal["refused"] = "refused"
    code: str
    message: str
    last_words: str = ""


class Living(Message):
    """Answer to `List`."""

    type: Literal["living"] = "living"
    processes: list[BotProcess]


class Pong(Message):
    """Answer to `Ping`. ``fingerprint``: what the supervisor was started with, as a hash.

    ``spares`` wait for a launch; they are not among the ``launches``.
    """

    type: Literal["pong"] = "pong"
    pid: int
    version: str
    fingerprint: str
    launches: int
    spares: int = 0
    clients: int


class Exit(Message):
    """One bot is no more."""

    type: Literal["exit"] = "exit"
    exit: BotExit


Request = Start | End | Forget | Warm | List | Exits | Ping | Shutdown
Reply = Done | Refused | Living | Pong | Exit
request: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
reply: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="type")])
