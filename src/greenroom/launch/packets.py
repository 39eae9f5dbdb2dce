"""What supervisor, zygote and bot say to each other: JSON, one message a packet or line.

Supervisor ⇄ zygote, over a Unix packet socket: `Fork` travels with two file descriptors, the bot's
line and its log; the zygote says `Awake`, `Ready`, `Forked`, `ForkFailed`, `Exited`.

Supervisor ⇄ bot, over the *line*, a socket pair of its own per launch: the supervisor writes one
`greenroom.wire.process.BotSpec`, the bot writes `Step`s. The secret travels only here, so that the
zygote never holds it and no later bot finds it in inherited memory.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from greenroom.wire.base import WireModel
from greenroom.wire.process import Progress

MAX_PACKET_BYTES = 64 * 1024


class Message(WireModel):
    """What our own processes say: JSON with every field, for None means something in an exit."""

    def to_json(self) -> str:
        """This message as one line of JSON, without the line's end."""
        return self.model_dump_json(by_alias=True)


# ---- supervisor ⇄ zygote


class Fork(Message):
    """Fork a bot. Descriptors sent along: the line with its spec, and its log."""

    type: Literal["fork"] = "fork"
    launch_id: str


class Awake(Message):
    """The zygote runs our code and begins to import the bot."""

    type: Literal["awake"] = "awake"


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


FromZygote = Awake | Ready | Forked | ForkFailed | Exited
from_zygote: TypeAdapter[FromZygote] = TypeAdapter(
    Annotated[FromZygote, Field(discriminator="type")]
)


# ---- bot → supervisor


class Step(Message):
    """How far the bot has come."""

    type: Literal["step"] = "step"
    progress: Progress
