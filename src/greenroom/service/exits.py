"""From how a process ended to what a session, and the person in front of it, is told."""

from __future__ import annotations

import re

from greenroom.ports.launcher import BotExit, ExitCause
from greenroom.session.inputs import BotExited

_SENTENCES: dict[ExitCause, str] = {
    ExitCause.EXITED: "The assistant stopped working.",
    ExitCause.SIGNALLED: "The assistant stopped working all of a sudden.",
    ExitCause.ENDED: "The assistant has left.",
    ExitCause.JOIN_DEADLINE: "The assistant did not come in time.",
    ExitCause.WALL_CLOCK: "The assistant was stopped because its time was up.",
    ExitCause.MEMORY: "The assistant was stopped because it used too much memory.",
    ExitCause.IMPORT_FAILED: "The assistant's program could not be loaded.",
    ExitCause.IMPORT_HUNG: "The assistant's program did not finish loading.",
    ExitCause.HOST_DIED: "The assistant's host process stopped.",
    ExitCause.REFUSED: "The assistant could not be started.",
    ExitCause.UNKNOWN: "The assistant is gone, and nobody saw how.",
}
# Pipecat bots end themselves with 0; anything else is a crash.
_CLEAN_CAUSES = (ExitCause.EXITED, ExitCause.ENDED)


def describe_exit(exit_: BotExit) -> BotExited:
    """The core's input for the end of a process. Last words are not for people."""
    clean = exit_.cause in _CLEAN_CAUSES and exit_.exit_code == 0 and exit_.signal is None
    return BotExited(
        launch_id=exit_.launch_id,
        clean=clean,
        code=_code(exit_, clean=clean),
        message=_SENTENCES[exit_.cause],
        still_runs_s=exit_.still_runs_s,
        deaf=exit_.deaf,
    )


# As Python writes a traceback: the innermost frame last, and then the exception.
_FRAME = re.compile(r'^ {2}File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
_RAISED = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)(?:: .*)?$", re.MULTILINE)


def where_it_broke(last_words: str) -> str | None:
    """The exception that a program ended by, and the line that raised it; None: it tells of none.

    By name and place alone: what an exception says may be somebody's words.
    """
    frame = next(iter([*_FRAME.finditer(last_words)][-1:]), None)
    raised = _RAISED.search(last_words, frame.end()) if frame else None
    return f"{raised['name']}, {frame['file']}:{frame['line']}" if frame and raised else None


def _code(exit_: BotExit, *, clean: bool) -> str:
    match exit_.cause:
        case ExitCause.UNKNOWN:
            return "lost"
        case ExitCause.EXITED | ExitCause.SIGNALLED | ExitCause.HOST_DIED:
            return "bot_exited" if clean else "bot_crashed"
        case cause:
            return cause.value
