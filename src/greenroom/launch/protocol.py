"""What launcher, supervisor and zygote say to each other: JSON, one message a line or packet.

Launcher → supervisor (Unix stream socket, one line a message): a `Request` is answered by `Done`,
`Living`, `Pong` or `Refused`; after `Exits` the connection carries `Exit` messages only, beginning
with those not yet forgotten.

Supervisor ⇄ zygote (Unix packet socket, one packet a message): `Fork` travels with two file
descriptors, the bot's line and its log; the zygote says `Ready`, `Forked`, `ForkFailed`, `Exited`.

Supervisor ⇄ bot (the *line*, a socket pair of its own per launch): the supervisor writes one
`BotSpec`; the bot writes `Step`s. The secret travels only here, so the zygote never holds it and no
later bot can find it in inherited memory.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from greenroom.ports.launcher import BotExit, BotProcess, LaunchOrder
from greenroom.wire.base import WireModel
from greenroom.wire.process import Progress

MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_PACKET_BYTES = 64 * 1024
# A launch id names files.
LAUNCH_ID_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

LaunchId = Annotated[str, Field(pattern=LAUNCH_ID_PATTERN)]


class Message(WireModel):
    """What our own processes say: JSON with every field, for None means something in an exit."""

    def to_json(self) -> str:
        """This message as one line of JSON, without the line's end."""
        return self.model_dump_json(by_alias=True)


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
    """Answer to `Ping`. ``fingerprint``: what the supervisor was started with, as a hash."""

    type: Literal["pong"] = "pong"
    pid: int
    version: str
    fingerprint: str
    launches: int
    clients: int


class Exit(Message):
    """One bot is no more."""

    type: Literal["exit"] = "exit"
    exit: BotExit


Request = Start | End | Forget | Warm | List | Exits | Ping | Shutdown
Reply = Done | Refused | Living | Pong | Exit
request: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])
reply: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="type")])


# ---- supervisor ⇄ zygote


class Fork(Message):
    """Fork a bot. Descriptors sent along: the line with its spec, and its log."""

    type: Literal["fork"] = "fork"
    launch_id: str


class Ready(Message):
    """Everything is preloaded."""

    type: Literal["ready"] = "ready"


class Forked(Message):
    """The bot exists and waits for its spec."""

    type: Literal["forked"] = "forked"
    launch_id: str
    pid: int


class ForkFailed(Message):
    """The system refused to fork."""

    type: Literal["fork_failed"] = "fork_failed"
    launch_id: str
    message: str


class Exited(Message):
    """The bot ended. ``returncode`` as in `subprocess`: below zero it is a signal."""

    type: Literal["exited"] = "exited"
    launch_id: str
    returncode: int


FromZygote = Ready | Forked | ForkFailed | Exited
from_zygote: TypeAdapter[FromZygote] = TypeAdapter(
    Annotated[FromZygote, Field(discriminator="type")]
)


# ---- bot → supervisor


class Step(Message):
    """How far the bot has come."""

    type: Literal["step"] = "step"
    progress: Progress
