"""What a supervisor is started with: its arguments, its environment's fingerprint, its log."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import logging.handlers
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import structlog

import greenroom
from greenroom.launch.state import StateDir
from greenroom.wire.process import FOR_BOTS

Method = Literal["fork", "spawn"]

DEFAULT_METHOD: Method = "fork" if sys.platform == "linux" else "spawn"
DEFAULT_HOST = "greenroom.bot.process"
# These differ from one start to the next and change nothing for bots: a shell's, make's,
# systemd's, a terminal's.
_VOLATILE = (
    *("_", "SHLVL", "PWD", "OLDPWD", "PYTEST_CURRENT_TEST", "PYTHONDONTWRITEBYTECODE"),
    *("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKE_TERMERR", "MAKE_TERMOUT", "MFLAGS"),
    *("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"),
    *("COLORTERM", "COLUMNS", "LINES", "TERM", "TERM_SESSION_ID", "WINDOWID", "XDG_SESSION_ID"),
    *("GPG_TTY", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "STY", "TMUX", "TMUX_PANE"),
)
_BETWEEN = "."
_LOG_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """How bots are brought to life.

    Attributes:
        host: Dotted name of the bot host (see `greenroom.wire.process`).
        method: ``fork`` from zygotes, or ``spawn`` a fresh interpreter per bot.
        preload_within_s: An import that takes longer is killed.
        idle_exit_s: The supervisor ends after so long without client and bot.
        spares: How many forked processes wait for a launch, for each bot; 0 for none.
        fingerprint: What else makes bots behave as they do, as two hashes: of our code and how it
            is run, and of the environment; empty if the supervisor was started by hand, by a
            service manager, say, and suits every server.
    """

    host: str = DEFAULT_HOST
    method: Method = DEFAULT_METHOD
    preload_within_s: float = 60.0
    idle_exit_s: float = 60.0
    spares: int = 1
    fingerprint: str = ""

    def arguments(self) -> list[str]:
        """This configuration as command-line arguments."""
        return [
            f"--host={self.host}",
            f"--method={self.method}",
            f"--preload-within-s={self.preload_within_s}",
            f"--idle-exit-s={self.idle_exit_s}",
            f"--spares={self.spares}",
            f"--fingerprint={self.fingerprint}",
        ]

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Teach a parser what `arguments` writes."""
        default = cls()
        parser.add_argument("--host", default=default.host)
        parser.add_argument("--method", choices=["fork", "spawn"], default=default.method)
        parser.add_argument("--preload-within-s", type=float, default=default.preload_within_s)
        parser.add_argument("--idle-exit-s", type=float, default=default.idle_exit_s)
        parser.add_argument("--spares", type=int, default=default.spares)
        parser.add_argument("--fingerprint", default=default.fingerprint)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Config:
        """The configuration a parser has read."""
        method = cast(Method, args.method)
        return cls(
            args.host,
            method,
            args.preload_within_s,
            args.idle_exit_s,
            args.spares,
            args.fingerprint,
        )

    def marked(self) -> Config:
        """This configuration with the fingerprint of the process that asks for it."""
        environment = supervisor_environment()
        for name in _VOLATILE:
            environment.pop(name, None)
        code = [
            greenroom.__version__,
            _newest_change_ns(),
            sys.executable,
            str(Path.cwd()),  # where modules are found
            self.arguments(),
        ]
        hashes = [_hash(code), _hash(sorted(environment.items()))]
        return replace(self, fingerprint=_BETWEEN.join(hashes))


def is_of_this_code(fingerprint: str, ours: str) -> bool:
    """Whether two fingerprints differ in the environment at most."""
    return fingerprint.partition(_BETWEEN)[0] == ours.partition(_BETWEEN)[0]


def _hash(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _newest_change_ns() -> int:
    """When our own code was last edited: zygotes hold what was current at their start."""
    package = Path(greenroom.__file__).parent
    return max(source.stat().st_mtime_ns for source in package.rglob("*.py"))


def supervisor_environment() -> dict[str, str]:
    """The server's environment without its own settings: their secrets are not for bots.

    But what `greenroom.wire.process.FOR_BOTS` names is for them: paths.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in FOR_BOTS or not name.startswith("GREENROOM_")
    }


def supervisor_log(state: StateDir) -> structlog.stdlib.BoundLogger:
    """The supervisor's log: JSON lines in the state directory, in at most two files."""
    handler = logging.handlers.RotatingFileHandler(
        state.log, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    logger = logging.getLogger("greenroom.launch.supervisor")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(logger.name))
