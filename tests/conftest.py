"""A whole server for tests: real store, hub, service and API; clock and launcher are fakes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import shutil
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from openfeature import api
from openfeature.provider import ProviderStatus

from greenroom import assembly
from greenroom.api.app import Parts, build_app
from greenroom.api.server import server_config
from greenroom.assistants.flags import DOMAIN
from greenroom.hub.memory import MemoryHub
from greenroom.outbound.sender import HttpSender
from greenroom.ports.deliveries import Sender
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import Store
from greenroom.rooms.local import LocalRooms
from greenroom.service.deadlines import Timekeeper
from greenroom.service.emergency import Emergency
from greenroom.service.reconcile import Reconciler
from greenroom.service.sessions import Assistant, Sessions
from greenroom.session.model import Limits, Session
from greenroom.session.policy import UNLIMITED, Quotas
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sqlite import SqliteDatabase, open_sqlite
from greenroom.testing.capacity import FakeCapacity
from greenroom.testing.clock import FakeClock
from greenroom.testing.launcher import FakeLauncher
from greenroom.testing.postgres_server import PostgresServer, a_postgres_server
from tests.listening import running
from tests.next_version import NextVersion, a_next_version

# How fast examples are made says something of the machine, and nothing of the code. They are the
# same each time; whoever looks for others says: pytest --hypothesis-profile=explore
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", _CALM, derandomize=True)
settings.register_profile("explore", _CALM, max_examples=2_000)
settings.load_profile("here")

SECRET = "s" * 32

# Files that take longest, longest first. Each is one worker's, whole; one that began last would
# keep everybody waiting (`--dist loadfile --no-loadscope-reorder` gives them out in this order).
LONGEST = (
    *("tests/ops/test_stop_all.py", "tests/test_serve.py", "tests/chaos/test_chaos.py"),
    *("tests/store/test_postgres.py", "tests/test_pipecat_cloud_sdk.py", "tests/fuzz/test_api.py"),
    *("tests/bot/test_mind.py", "tests/bot/test_scripted.py", "tests/bot/test_cards.py"),
    *("tests/relay/test_relay.py", "tests/ops/test_recovery.py"),
    *("tests/ops/test_draining.py",),
    *("tests/launch/test_launch_supervisor.py", "tests/launch/test_launch_spares.py"),
    *("tests/launch/test_bench_launch.py", "tests/chaos/elsewhere/test_elsewhere.py"),
    *("tests/service/test_budgets.py", "tests/ops/", "tests/test_cli.py", "tests/launch/"),
    # Of the calls in a browser.
    *("tests/e2e/test_survival.py", "tests/e2e/test_stock_client.py"),
    *("tests/e2e/test_reloads.py", "tests/e2e/test_applications.py", "tests/e2e/test_bad_bots.py"),
    *("tests/e2e/test_note.py", "tests/e2e/test_panels.py", "tests/e2e/test_sandbox.py"),
    *("tests/e2e/test_once.py", "tests/e2e/test_bad_input.py"),
    *("tests/e2e/test_group_call.py", "tests/e2e/test_vapi_sdk.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; everything else stays as it is."""

    def place(item: pytest.Item) -> int:
        begins = (n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name))
        return next(begins, len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What all tests share lives as long as they do: nobody need look through it for garbage."""
    gc.freeze()


# A shell that puts the tests into the background has them ignore Ctrl-C, and every program that a
# test starts would ignore it, too; programs inherit that, but not a handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class House:
    """The parts, and what a test does with them."""

    whole: assembly.House
    clock: FakeClock
    launcher: FakeLauncher
    capacity: FakeCapacity
    address: str = ""
    # Of the listening server: every connection that it holds, of whatever protocol.
    connections: set[Any] = field(default_factory=set)

    @property
    def parts(self) -> Parts:
        return self.whole.parts

    @property
    def timekeeper(self) -> Timekeeper:
        return self.whole.timekeeper

    @property
    def reconciler(self) -> Reconciler:
        return self.whole.reconciler

    @property
    def emergency(self) -> Emergency:
        return self.whole.emergency

    @property
    def sessions(self) -> Sessions:
        return self.parts.sessions

    async def session(self, session_id: str) -> Session:
        return await self.parts.store.get(session_id)

    async def until(self, condition: Callable[[Session], bool], session_id: str) -> Session:
        """Wait until the session is as wanted; woken by the hub, never by time."""
        async with self.parts.hub.subscribe(f"session:{session_id}") as waiter:
            while not condition(session := await self.session(session_id)):
                assert await waiter.wait(10), f"still {session}"
        return session

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Wait for something that nobody announces; bounded."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    def refused(self, code: str) -> float:
        """How many starts were refused with this code."""
        counted = self.parts.metrics.sessions_refused.labels(code=code)
        refused: float = counted._value.get()
        return refused

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.address, headers=headers, trust_env=False)


@pytest.fixture(scope="session", autouse=True)
def authorities() -> Iterator[None]:
    """Whom to trust over TLS is read once: it takes 40 ms for each client, also where none is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with the newest schema, to be copied: migrating takes longer."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(SqliteDatabase(path).upgrade())
    return path


@pytest.fixture
def sqlite_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A test's own empty database in SQLite."""
    return Path(shutil.copy(sqlite_template, tmp_path / "greenroom.db"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; it starts with the first that needs it."""
    with a_postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database with the newest schema, to be copied."""
    name = postgres.new_database()
    asyncio.run(PostgresDatabase(postgres.url(name)).upgrade())
    return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a test's own empty database with the newest schema."""
    name = postgres.new_database(postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def next_version(tmp_path: Path) -> Iterator[NextVersion]:
    """Lets this become a version with one migration more."""
    with a_next_version(tmp_path / "migrations-of-the-next-version") as become:
        yield become


@pytest.fixture
async def store(sqlite_file: Path) -> AsyncIterator[Store]:
    """The store of the house: SQLite, unless a module says otherwise by a fixture of this name."""
    opened = await open_sqlite(sqlite_file)
    yield opened
    await opened.close()


@pytest.fixture
def patient_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd may stand at the door for as long as a busy machine takes to let it in."""
    monkeypatch.setattr("greenroom.store.sql.ADMISSION_WITHIN_S", 90.0)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings of nobody, and a state folder of the test's own, for commands."""
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GREENROOM_STATE_DIR", str(tmp_path))
    # It is for the whole process: later tests would log to what this test's command wrote to.
    monkeypatch.setattr("greenroom.logs.configure_logs", lambda level, as_json: None)
    return monkeypatch


@pytest.fixture
def quotas() -> Quotas:
    """How many sessions there may be: any number, unless a module says otherwise."""
    return UNLIMITED


@pytest.fixture
def plan(quotas: Quotas) -> assembly.Plan:
    """What is decided for the house, unless a module says otherwise by a fixture of this name."""
    return assembly.Plan(
        secret=SECRET,
        anonymous=True,
        assistants=[
            Assistant("cards", "greenroom.bot.cards", "Cards", Limits()),
            Assistant("quiz", "greenroom.bot.cards", "Quiz", Limits()),
        ],
        link_url="ws://127.0.0.1:1/link",
        memory_limit_bytes=1 << 29,
        hosts=["127.0.0.1"],
        origins=["https://app.example"],
        quotas=quotas,
    )


@contextlib.asynccontextmanager
async def a_house(
    store: Store,
    plan: assembly.Plan,
    *,
    clock: FakeClock | None = None,
    rooms: Rooms | None = None,
    tool_sender: Sender | None = None,
) -> AsyncIterator[House]:
    """A house on a store, whose background parts run; its rooms are local unless given."""
    clock, launcher, capacity = clock or FakeClock(), FakeLauncher(), FakeCapacity()
    rooms = rooms or LocalRooms([], allow_loopback=True)
    adapters = assembly.Adapters(
        *(store, MemoryHub(), clock, launcher, rooms, HttpSender([]), capacity),
        jitter=lambda: 0.5,
        tool_sender=tool_sender,
    )
    house = House(assembly.assemble(adapters, plan), clock, launcher, capacity)
    whole = house.whole
    runs = (
        whole.dispatcher.run,
        whole.waiting_room.run,
        whole.reconciler.follow_exits,
        whole.parts.feeds.run,
    )
    background = [asyncio.create_task(run()) for run in runs]
    yield house
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)


@pytest.fixture
async def house(store: Store, plan: assembly.Plan) -> AsyncIterator[House]:
    """A house whose background parts run; nothing listens yet (see `server`)."""
    async with a_house(store, plan) as made:
        yield made


@pytest.fixture
async def server(house: House) -> AsyncIterator[House]:
    """The house, listening on loopback."""
    async with running(server_config(build_app(house.parts), port=0)) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        house.address = f"http://127.0.0.1:{port}"
        house.connections = server.server_state.connections
        yield house


@pytest.fixture
async def of_theirs(
    store: Store, plan: assembly.Plan, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    """A house with a flag system of its own."""
    async with a_house(store, replace(plan, flags=request.param)) as house:
        client = api.get_client(DOMAIN)  # it is made ready beside us
        await house.until_true(lambda: client.get_provider_status() is ProviderStatus.READY)
        yield house
        house.whole.flags.close()
