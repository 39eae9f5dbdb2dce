"""The matrix: stage × input → response, and what runs, is billed and may speak in each state.

This is the specification. `lifecycle.transition` asks it before it does anything, the tests
walk every cell, and ARCHITECTURE.md carries what ``python -m greenroom.session.matrix`` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from greenroom.session import inputs as i
from greenroom.session.model import DeadlineKind, Presence, Stage
from greenroom.session.prices import TIMED_COMPONENTS, item


class Response(StrEnum):
    """What a stage does with an input."""

    ACT = "act"  # the handler runs
    IGNORE = "ignore"  # nothing changes; the caller is told so
    REFUSE = "refuse"  # the caller gets an error


_A, _I, _R = Response.ACT, Response.IGNORE, Response.REFUSE
_STAGES = tuple(Stage)
_PAUSABLE = (Stage.CONNECTING, Stage.ACTIVE, Stage.LINGERING)

# Columns: queued, connecting, active, lingering, ending, ended.
_ROWS: dict[type, tuple[Response, ...]] = {
    i.Offer: (_R, _A, _A, _A, _R, _R),
    i.Stop: (_A, _A, _A, _A, _A, _I),
    i.Mute: (_A, _A, _A, _A, _I, _I),
    i.Pause: (_I, _A, _A, _A, _I, _I),
    i.Resume: (_I, _A, _A, _A, _I, _I),
    i.Message: (_R, _R, _A, _R, _R, _R),
    i.ToolAnswered: (_I, _A, _A, _A, _I, _I),
    i.Say: (_R, _R, _A, _R, _R, _R),
    i.Context: (_A, _A, _A, _A, _R, _R),
    i.Adjust: (_A, _A, _A, _A, _R, _R),
    i.Consented: (_A, _A, _A, _A, _I, _I),
    i.Admitted: (_R, _A, _A, _A, _R, _R),
    i.BotJoined: (_I, _A, _I, _I, _I, _I),
    i.UserJoined: (_I, _A, _A, _A, _I, _I),
    i.UserLeft: (_I, _A, _A, _I, _A, _I),
    i.UserEnded: (_I, _A, _A, _A, _I, _I),
    i.UserSpeech: (_I, _A, _A, _A, _I, _I),
    i.BotSpeech: (_I, _A, _A, _A, _A, _I),
    i.Transcript: (_I, _A, _A, _A, _A, _I),
    i.AppReport: (_I, _A, _A, _A, _A, _I),
    i.ToolCalled: (_I, _A, _A, _A, _I, _I),
    i.ToolDone: (_I, _A, _A, _A, _A, _I),
    i.Usage: (_I, _A, _A, _A, _A, _I),
    i.Quality: (_I, _I, _I, _I, _I, _I),
    i.BotError: (_I, _A, _A, _A, _I, _I),
    i.Farewell: (_I, _I, _A, _A, _I, _I),
    i.Unknown: (_I, _A, _A, _A, _A, _I),
    i.Unreadable: (_I, _I, _I, _I, _I, _I),
    i.BudgetNear: (_I, _A, _A, _A, _I, _I),
    i.BudgetSpent: (_I, _A, _A, _A, _I, _I),
    i.BotStarting: (_I, _A, _I, _I, _I, _I),
    i.NoPlace: (_I, _A, _I, _I, _I, _I),
    i.RoomReady: (_I, _I, _I, _I, _I, _A),
    i.BotExited: (_I, _A, _A, _A, _A, _A),
    i.MovedUp: (_A, _I, _I, _I, _I, _I),
    i.LetIn: (_A, _I, _I, _I, _I, _I),
    i.Due: (_A, _A, _A, _A, _A, _I),
}

RESPONSES: dict[tuple[Stage, type], Response] = {
    (stage, kind): responses[column]
    for kind, responses in _ROWS.items()
    for column, stage in enumerate(_STAGES)
}

# What the user says while muted is nobody's business: such reports are counted and change nothing.
# Of a kind that nobody knows, nobody knows whether it tells of that.
IGNORED_WHILE_MUTED: frozenset[type] = frozenset({i.UserSpeech, i.Unknown})

# Nobody is heard while a session is paused, and whoever wants something said is to know.
REFUSED_WHILE_PAUSED: frozenset[type] = frozenset({i.Say})


def is_of_the_microphone(content: object) -> bool:
    """Whether an input tells, or may tell, of what the user's microphone heard."""
    said_by_user = isinstance(content, i.Transcript) and content.role == "user"
    return said_by_user or type(content) in IGNORED_WHILE_MUTED


def running_deadlines(stage: Stage, *, paused: bool) -> frozenset[DeadlineKind]:
    """Which clocks run in a stage (the warning until it was given)."""
    match stage:
        case Stage.QUEUED:
            return frozenset({DeadlineKind.QUEUE})
        case Stage.CONNECTING:
            return frozenset({DeadlineKind.JOIN, DeadlineKind.METER})
        case Stage.ACTIVE:
            third = DeadlineKind.PAUSE if paused else DeadlineKind.IDLE
            return frozenset({DeadlineKind.HARD, DeadlineKind.WARNING, third, DeadlineKind.METER})
        case Stage.LINGERING:
            kinds = {DeadlineKind.HARD, DeadlineKind.WARNING, DeadlineKind.LINGER}
            paused_kinds = {DeadlineKind.PAUSE} if paused else set()
            return frozenset(kinds | paused_kinds | {DeadlineKind.METER})
        case Stage.ENDING:
            return frozenset({DeadlineKind.ENDING})
        case Stage.ENDED:
            return frozenset()


def billed(stage: Stage) -> tuple[str, ...]:
    """What costs money in a stage: a process and its room by time, services by what is used."""
    match stage:
        case Stage.CONNECTING | Stage.ACTIVE | Stage.LINGERING | Stage.ENDING:
            return (*TIMED_COMPONENTS, "services")
        case Stage.QUEUED | Stage.ENDED:
            return ()


def billed_time(stage: Stage, *, paused: bool) -> tuple[str, ...]:
    """The lines of the meter that time is counted under; what is paused has its own price."""
    unit = "paused_seconds" if paused and stage in _PAUSABLE else "seconds"
    return tuple(item(name, unit) for name in billed(stage) if name in TIMED_COMPONENTS)


def may_speak(stage: Stage, user: Presence, *, paused: bool, muted: bool) -> tuple[str, ...]:
    """Who is heard: the assistant while its farewell lasts, the user unless muted."""
    if paused or user is not Presence.PRESENT:
        return ()
    match stage:
        case Stage.ACTIVE:
            return ("assistant",) if muted else ("assistant", "user")
        case Stage.ENDING:
            return ("assistant",)
        case _:
            return ()


def _response_table() -> Iterator[str]:
    yield "| input | " + " | ".join(_STAGES) + " |"
    yield "| --- |" + " --- |" * len(_STAGES)
    marks = {_A: "act", _I: "·", _R: "refuse"}
    for kind, responses in _ROWS.items():
        yield f"| {kind.__name__} | " + " | ".join(marks[r] for r in responses) + " |"


def _rules_beside() -> Iterator[str]:
    names = sorted(kind.__name__ for kind in IGNORED_WHILE_MUTED)
    yield f"While the user is muted, “·” holds for {', '.join(names)} and the user's Transcript,"
    yield "too: what may tell of the microphone is counted, not obeyed. What the assistant does of"
    yield "its own accord, or about typed text, goes on."
    yield ""
    refused = ", ".join(sorted(kind.__name__ for kind in REFUSED_WHILE_PAUSED))
    yield f"While the session is paused, “refuse” holds for {refused}: nobody is heard."


def _state_table() -> Iterator[str]:
    yield "| stage | paused | user | deadlines | billed | may speak |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for stage in _STAGES:
        for paused in (False, True) if stage in _PAUSABLE else (False,):
            for user in _presences(stage):
                deadlines = running_deadlines(stage, paused=paused)
                speakers = may_speak(stage, user, paused=paused, muted=False)
                cells = (
                    stage.value,
                    "yes" if paused else "no",
                    user.value,
                    ", ".join(k for k in DeadlineKind if k in deadlines) or "–",
                    ", ".join(_shown_bill(stage, paused)) or "–",
                    ", ".join(speakers) or "nobody",
                )
                yield "| " + " | ".join(cells) + " |"


def _shown_bill(stage: Stage, paused: bool) -> Iterator[str]:
    for name in billed(stage):
        yield f"{name} (paused)" if paused and name in TIMED_COMPONENTS else name


def _presences(stage: Stage) -> tuple[Presence, ...]:
    match stage:
        case Stage.QUEUED:
            return (Presence.AWAITED,)
        case Stage.CONNECTING | Stage.ENDING:
            return (Presence.AWAITED, Presence.PRESENT, Presence.GONE)
        case Stage.ACTIVE:
            return (Presence.PRESENT,)
        case Stage.LINGERING | Stage.ENDED:
            return (Presence.GONE,)


def as_markdown() -> str:
    """Both tables and the rules between them, as ARCHITECTURE.md shows them."""
    return "\n".join([*_response_table(), "", *_rules_beside(), "", *_state_table()])


if __name__ == "__main__":
    print(as_markdown())
