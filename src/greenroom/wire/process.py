"""What a launcher and the bot process it starts agree on, beside the link.

A bot host is a module with three functions, named to the launcher by its dotted path:

``preload(bot: str) -> None``
    Import the bot's module and warm everything that a fork may share: no event loop, no
    open socket, no thread of ours. Raises what the import raises.

``rehearse(bot: str) -> None``
    Called in a forked child that waits for its session, if at all: do once whatever every
    session begins with. The bot itself must not run; nothing of a session is known yet.

``run(spec: BotSpec, progress: Callable[[Progress], None]) -> int``
    Runs one session in this process and returns the exit code. ``progress`` never blocks.

A bot is named by a dotted module (``greenroom.bot.cards``) or a path ending in ``.py``; either
has ``async def bot(runner_args)``, as Pipecat's own runner expects.
"""

from __future__ import annotations

from enum import StrEnum

from greenroom.wire.base import WireModel

# The settings of the server's that its bots get too, in their environment, paths all: what an
# assistant's record may name, and an operator alone may say where it is; and where keys are.
TOOLS_DIR = "GREENROOM_TOOLS_DIR"
MCP_SERVERS = "GREENROOM_MCP_SERVERS"
SECRETS_DIR = "GREENROOM_SECRETS_DIR"
FOR_BOTS = (TOOLS_DIR, MCP_SERVERS, SECRETS_DIR)


class Progress(StrEnum):
    """How far a bot process has come; reported to its launcher as it happens."""

    STARTED = "started"  # the process exists and runs our code
    LINKED = "linked"  # it has dialled the link and was welcomed
    JOINED = "joined"  # its pipeline runs; nobody waits for it any more


class BotSpec(WireModel):
    """What a bot process is started with. ``secret`` never reaches an environment or a log."""

    launch_id: str
    session_id: str
    bot: str
    link_url: str
    secret: str


class ExitCode:
    """Exit codes of a bot process that mean something to its launcher."""

    OK = 0
    BOT_RAISED = 70  # bot() raised; the traceback is the last words
    NO_BOT = 71  # the module has no bot()
    LINK_REFUSED = 72  # the link was refused or fenced
    LINK_LOST = 73  # the link could not be reached for too long
