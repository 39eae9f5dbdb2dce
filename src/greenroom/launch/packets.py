"""What supervisor, zygote and bot say to each other: JSON, one message a packet or line.

Supervisor ⇄ zygote, over a Unix packet socket: `Fork` travels with two file descriptors, the bot's
line and its log, `ForkSpare` with one, the spare's post; the zygote says `Awake`, `Ready`,
`Forked`, `ForkFailed`, `Exited`. A fork is known by a number, which says nothing about any launch.

Supervisor ⇄ spare, over the *post*, a packet socket of its own: the spare says `Waiting`;
`HandOver` brings it the line and the log of a launch, and it answers `Taken`.

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
    number: int


class ForkSpare(Message):
    """Fork a spare. Descriptor sent along: its post."""

    type: Literal["fork_spare"] = "fork_spare"
    number: int


class Awake(Message):
    """The zygote runs our code and begins to import the bot."""

    type: Literal["awake"] = "awake"


class Ready(Message):
    """Everything is preloaded."""

    type: Literal["ready"] = "ready"


class Forked(Message):
    """The process exists."""

    type: Literal["forked"] = "forked"
    number: int
    pid: int


class ForkFailed(Message):
    """The system refused to fork."""

    type: Literal["fork_failed"] = "fork_failed"
    number: int
    message: str


class Exited(Message):
    """The process ended. ``returncode`` as in `subprocess`: below zero it is a signal."""

    type: Literal["exited"] = "exited"
    number: int
    returncode: int


ToZygote = Fork | ForkSpare
to_zygote: TypeAdapter[ToZygote] = TypeAdapter(Annotated[ToZygote, Field(discriminator="type")])

FromZygote = Awake | Ready | Forked | ForkFailed | Exited
from_zygote: TypeAdapter[FromZygote] = TypeAdapter(
    Annotated[FromZygote, Field(discriminator="type")]
)


# ---- supervisor ⇄ spare


class Waiting(Message):
    """The spare has done all that can be done without a launch."""

    type: Literal["waiting"] = "waiting"


class HandOver(Message):
    """You are a bot now. Descriptors sent along: the line with its spec, and its log."""

    type: Literal["hand_over"] = "hand_over"


class Taken(Message):
    """The spare holds line and log of the launch, and is no spare any more."""

    type: Literal["taken"] = "taken"


FromSpare = Waiting | Taken
from_spare: TypeAdapter[FromSpare] = TypeAdapter(Annotated[FromSpare, Field(discriminator="type")])


# ---- bot → supervisor


class Step(Message):
    """How far the bot has come."""

    type: Literal["step"] = "step"
    progress: Progress
