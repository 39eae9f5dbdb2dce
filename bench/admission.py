"""A thousand starts at once against a limit of five, again and again: `python bench/admission.py`.

Each round, every user starts at the same moment, through the service, on SQLite and on PostgreSQL
(two servers on one database). Exactly five may come in; anything else ends the run with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from greenroom.assembly import Adapters, Plan, assemble
from greenroom.errors import GreenroomError
from greenroom.hub.memory import MemoryHub
from greenroom.outbound.sender import HttpSender
from greenroom.ports.store import Store
from greenroom.rooms.local import LocalRooms
from greenroom.service.sessions import Assistant, Sessions
from greenroom.session.inputs import BotExited
from greenroom.session.model import EndReason, Limits
from greenroom.session.policy import Quotas
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.clock import FakeClock
from greenroom.testing.launcher import FakeLauncher
from greenroom.testing.postgres_server import a_postgres_server


def a_server(store: Store, places: int) -> Sessions:
    """The use cases of one server on this store; nothing is launched."""
    plan = Plan(
        secret="s" * 32,
        anonymous=True,
        assistants=[Assistant("cards", "greenroom.bot.cards", "Cards", Limits())],
        link_url="ws://127.0.0.1:1/link",
        memory_limit_bytes=1 << 29,
        quotas=Quotas(live=places, day=None),
    )
    rooms = LocalRooms([], allow_loopback=True)
    adapters = Adapters(store, MemoryHub(), FakeClock(), FakeLauncher(), rooms, HttpSender([]))
    return assemble(adapters, plan).parts.sessions


async def a_round(servers: Sequence[Sessions], number: int, starts: int) -> Counter[str]:
    """So many users start at once, spread over the servers; what they were told."""

    async def start(user: int) -> str:
        try:
            await servers[user % len(servers)].start(f"user-{number}-{user}", None)
        except GreenroomError as error:
            return error.code
        return "admitted"

    return Counter(await asyncio.gather(*(start(user) for user in range(starts))))


async def clear(store: Store, sessions: Sessions) -> int:
    """End every session; returns how many there were."""
    running = await store.unended()
    for session in running:
        await sessions.stop(session.id, None, EndReason.KICKED)
        gone = BotExited(session.launch_id, clean=True, code="bot_exited", message="")
        await sessions.apply(session.id, gone)
    return len(running)


async def rounds(stores: Sequence[Store], args: argparse.Namespace) -> tuple[Counter[str], float]:
    """All rounds on these stores, which share one database; answers, and seconds of starting."""
    servers = [a_server(store, args.places) for store in stores]
    told: Counter[str] = Counter()
    busy_s = 0.0
    for number in range(args.rounds):
        began = time.perf_counter()
        answers = await a_round(servers, number, args.starts)
        busy_s += time.perf_counter() - began
        on_record = await clear(stores[0], servers[0])
        if not answers["admitted"] == on_record == args.places:
            raise SystemExit(f"round {number}: {dict(answers)}, {on_record} on record")
        told += answers
    return told, busy_s


@asynccontextmanager
async def sqlite() -> AsyncIterator[list[Store]]:
    """One server on a file."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_sqlite(Path(folder) / "greenroom.db")
        yield [store]
        await store.close()


@asynccontextmanager
async def postgres() -> AsyncIterator[list[Store]]:
    """Two servers on one database."""
    with a_postgres_server() as server:
        database = PostgresDatabase(server.url(server.new_database()))
        await database.upgrade()
        stores = [await database.open() for _ in range(2)]
        yield list(stores)
        for store in stores:
            await store.close()


async def main(args: argparse.Namespace) -> None:
    """Run, and print a table."""
    table = Table(
        title=f"{args.rounds} rounds of {args.starts} starts at once, {args.places} places"
    )
    for column in ("store", "admitted a round", "other answers", "starts/s", "s a round"):
        table.add_column(column)
    for name, stores in (("SQLite", sqlite()), ("PostgreSQL, 2 servers", postgres())):
        async with stores as opened:
            told, busy_s = await rounds(opened, args)
        others = ", ".join(f"{code} {told[code]}" for code in sorted(told) if code != "admitted")
        rate = args.rounds * args.starts / busy_s
        each = told["admitted"] / args.rounds
        table.add_row(name, f"{each:g}", others, f"{rate:.0f}", f"{busy_s / args.rounds:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--places", type=int, default=5)
    asyncio.run(main(parser.parse_args()))
