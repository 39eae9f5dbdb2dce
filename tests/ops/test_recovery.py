"""FAILURES 20 and 21: the server dies, time goes on, and nothing overdue or orphaned is left."""

from __future__ import annotations

from pathlib import Path

from greenroom.launch.force import processes_of
from greenroom.launch.state import StateDir
from greenroom.store.sqlite import open_sqlite
from tests.e2e.server import eventually
from tests.e2e.visitor import a_visitor
from tests.ops.conftest import PATIENCE_S, StartServer
from tests.ops.test_stop_all import Greenroom, a_bot_lives, the_end_of


async def test_deadlines_that_were_missed_are_carried_out_at_start_up(
    start_server: StartServer, state_dir: Path
) -> None:
    """FAILURES 20: the server is killed. What came due meanwhile is done when it is back."""
    async with start_server() as server, a_visitor(server.url) as visitor:
        await a_bot_lives(server, visitor)
        await server.kill9()
        assert len(server.bots()) == 1
        await _let_it_be_overdue(state_dir, visitor.session_id)
        await server.start()
        await server.ready()
        assert (await the_end_of(visitor))["reason"] == "no_show"
        await eventually(lambda: not server.bots(), PATIENCE_S, "the bot still lives")


async def test_reap_ends_what_is_overdue_and_who_is_nobodys_when_no_server_runs(
    start_server: StartServer, greenroom: Greenroom, state_dir: Path
) -> None:
    async with (
        start_server() as server,
        a_visitor(server.url) as ada,
        a_visitor(server.url) as bob,
        a_visitor(server.url) as eve,
    ):
        for number, visitor in enumerate((ada, bob, eve), start=1):
            await visitor.start()
            await eventually(lambda n=number: len(server.bots()) == n, PATIENCE_S, "no bot came")  # type: ignore[misc]
        served = await greenroom("reap")
        assert (served.code, "A server runs" in served.output) == (0, True)
        assert len(server.bots()) == 3

        await server.kill9()
        await _let_it_be_overdue(state_dir, ada.session_id)
        await _let_it_be_forgotten(state_dir, bob.session_id)
        reaped = await greenroom("reap")
        assert reaped.code == 0, reaped.output
        assert "Ended: 1. Left alone, in time: 1." in reaped.output
        await eventually(lambda: len(server.bots()) == 1, PATIENCE_S, "a bot still lives")

        ended = await greenroom("end", eve.session_id[:12], "--reason", "Enough.")
        assert (ended.code, "ended (kicked)" in ended.output) == (0, True), ended.output
        assert server.bots() == []
        idle = await greenroom("reap")
        assert (idle.code, "Ended: 0." in idle.output) == (0, True)


async def test_reap_has_nothing_to_do_where_nothing_ever_ran(
    greenroom: Greenroom, state_dir: Path
) -> None:
    done = await greenroom("reap")
    assert (done.code, "Ended: 0." in done.output) == (0, True)
    assert processes_of(StateDir(state_dir)) == [], "it starts nothing"


async def _let_it_be_overdue(state_dir: Path, session_id: str) -> None:
    """As if the machine had slept: its deadlines came due an hour ago."""
    earlier = "created_at = created_at - 3600, admitted_at = admitted_at - 3600"
    await _edit(state_dir, "sessions", earlier, "id", session_id)
    await _edit(state_dir, "deadlines", "due_at = due_at - 3600", "session_id", session_id)


async def _let_it_be_forgotten(state_dir: Path, session_id: str) -> None:
    """Its session is over, and somehow nobody has told its bot."""
    await _edit(state_dir, "sessions", "stage = 'ended'", "id", session_id)


async def _edit(state_dir: Path, table: str, change: str, key: str, value: str) -> None:
    store = await open_sqlite(state_dir / "greenroom.db")
    edit = f"UPDATE {table} SET {change} WHERE {key} = ?"
    await store._db.write(lambda db: db.exec_driver_sql(edit, (value,)))
    await store.close()
