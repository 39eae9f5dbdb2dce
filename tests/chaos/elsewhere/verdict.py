"""What must be true of other people's rooms and agents, read from the stand-ins' own books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenroom.session.model import Session, Stage
from greenroom.testing.daily.rooms import Room
from greenroom.testing.deployments import Hosted
from tests.chaos.elsewhere.house import launch_of, session_of
from tests.chaos.spans import Span, outside_s
from tests.chaos.watch import Entry

# An effect that failed waits ten seconds at most for its next try, and a try takes as long.
ROOM_LATE_S = 15.0
# A stop is tried again every second, each try for eight at most; what could not be stopped is
# looked at again more slowly.
AGENT_LATE_S = 20.0
# Two agents for one launch: the first is stopped before the second is asked for, unless its start
# was carried out so late that nobody could know of it.
TWO_AT_ONCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Books:
    """What the providers say, and when who could not be had.

    Attributes:
        rooms: Every room that is there.
        agents: Every agent that ever was.
        diary: The sessions' stages, by the machine's own time.
        sessions: The record.
        out: When server or database were away.
        no_rooms: When Daily was.
        no_stop: When no agent could be stopped.
        now: When this was read.
    """

    rooms: Sequence[Room]
    agents: Sequence[Hosted]
    diary: Sequence[Entry]
    sessions: Sequence[Session]
    out: Sequence[Span]
    no_rooms: Sequence[Span]
    no_stop: Sequence[Span]
    now: float


@dataclass(frozen=True, slots=True)
class Outlived:
    """What ran after its session had ended because nobody could stop it."""

    agents: int
    seconds: float


def complaints(books: Books) -> list[str]:
    """Every promise that was broken; empty: none."""
    return [
        *rooms_left_open(books.rooms, books.now),
        *_stayed_too_long(books),
        *_agents_left_running(books),
        *_two_for_one_launch(books),
        *_started_for_nobody(books),
        *_not_on_the_bill(books),
    ]


def outlived(books: Books) -> Outlived:
    """How many agents could not be stopped in time, and how long they went on."""
    late = [_after_its_session_s(books, one) for one in books.agents]
    could_not = [total for total, ours in late if total > AGENT_LATE_S and ours <= AGENT_LATE_S]
    return Outlived(len(could_not), sum(could_not))


def _lives(books: Books) -> dict[str, tuple[str, float, float]]:
    """Of each session: whose, from when, until when."""
    lives: dict[str, tuple[str, float, float]] = {}
    for entry in books.diary:
        user, began, _ = lives.get(entry.session_id, (entry.user_id, entry.at, books.now))
        ended = entry.at if entry.stage == Stage.ENDED else books.now
        lives[entry.session_id] = (user, began, ended)
    return lives


def rooms_left_open(rooms: Iterable[Room], now: float) -> list[str]:
    """When all is over nobody is inside, and nobody can come in."""
    wrong = []
    for room in rooms:
        exp = room.properties.get("exp")
        if exp is None or exp > now:
            left_s = "for ever" if exp is None else f"for {exp - now:.0f} s"
            wrong.append(f"{room.name} is open {left_s} after its last session")
            if room.privacy != "private":
                wrong.append(f"{room.name} is public, too")
        wrong += [f"{one.user_name} is still in {room.name}" for one in room.present()]
    return wrong


def _stayed_too_long(books: Books) -> list[str]:
    """Nobody is in a room for longer than it takes to close it after its session has ended."""
    lives = _lives(books)
    rooms = {session.id: session.room for session in books.sessions}
    wrong = []
    for room in books.rooms:
        spans = [(a, b) for sid, (_, a, b) in lives.items() if rooms[sid] == room.name]
        for one in room.people:
            left = books.now if one.left_at is None else one.left_at
            alone_s = outside_s(one.joined_at, left, spans, books.out, books.no_rooms)
            if alone_s > ROOM_LATE_S:
                wrong.append(f"{one.user_name} was in {room.name} for {alone_s:.1f} s too long")
    return wrong


def _after_its_session_s(books: Books, agent: Hosted) -> tuple[float, float]:
    """How long an agent ran after its session, and how long of that it could have been stopped."""
    life = _lives(books).get(session_of(agent))
    over = life[2] if life else agent.created_at
    end = books.now if agent.ended_at is None else agent.ended_at
    begin = max(over, agent.created_at)
    if end <= begin:
        return 0.0, 0.0
    return end - begin, outside_s(begin, end, books.out, books.no_stop)


def _agents_left_running(books: Books) -> list[str]:
    wrong = []
    for agent in books.agents:
        _, ours_s = _after_its_session_s(books, agent)
        if ours_s > AGENT_LATE_S:
            wrong.append(
                f"agent {agent.id} of {session_of(agent)} ran on for {ours_s:.1f} s in which it "
                f"could have been stopped ({agent.end_state})"
            )
    return wrong


def _two_for_one_launch(books: Books) -> list[str]:
    wrong = []
    for n, one in enumerate(books.agents):
        for other in books.agents[:n]:
            if launch_of(one) != launch_of(other):
                continue
            ends = [books.now if it.ended_at is None else it.ended_at for it in (one, other)]
            begin, end = max(one.created_at, other.created_at), min(ends)
            both_s = outside_s(begin, end, books.out, books.no_stop) if end > begin else 0.0
            if both_s > TWO_AT_ONCE_S:
                wrong.append(f"{session_of(one)} had two agents for {both_s:.1f} s")
    return wrong


def _started_for_nobody(books: Books) -> list[str]:
    """No agent begins for a session that has ended, but for one that was on its way already."""
    lives = _lives(books)
    wrong = []
    for agent in books.agents:
        sid = session_of(agent)
        late_s = agent.created_at - lives[sid][2] if sid in lives else float("inf")
        if late_s > AGENT_LATE_S:
            wrong.append(f"agent {agent.id} was started {late_s:.1f} s after {sid} had ended")
    return wrong


def _not_on_the_bill(books: Books) -> list[str]:
    """What ran for a session is on its bill: to its end, or as long as it may run."""
    wrong = []
    billed = {session.id: session.meter.quantities for session in books.sessions}
    for agent in books.agents:
        total_s, ours_s = _after_its_session_s(books, agent)
        if total_s <= AGENT_LATE_S or ours_s > AGENT_LATE_S:
            continue  # nothing to speak of, or a complaint already
        items = billed.get(session_of(agent), {})
        seconds = sum(items.get(f"container.{it}", 0) for it in ("seconds", "paused_seconds")) / 1e6
        ran_s = (books.now if agent.ended_at is None else agent.ended_at) - agent.created_at
        if seconds < ran_s - AGENT_LATE_S:
            wrong.append(
                f"agent {agent.id} ran for {ran_s:.1f} s, {total_s:.1f} s of it after "
                f"{session_of(agent)}, which has {seconds:.1f} s on its bill"
            )
    return wrong
