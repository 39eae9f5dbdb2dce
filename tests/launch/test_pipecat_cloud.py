"""Agents on Pipecat Cloud under its limits and faults: none twice, none forgotten, all counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from greenroom.cli import app
from greenroom.errors import AgentsFull, Halted, Unavailable
from greenroom.launch.pipecat_cloud.client import CloudClient
from greenroom.launch.pipecat_cloud.launcher import PipecatCloudLauncher
from greenroom.ports.launcher import ExitCause
from greenroom.session.policy import Load
from greenroom.testing.clock import FakeClock
from greenroom.testing.deployments import Fault
from greenroom.testing.launcher_contract import exits_of, lives, the_exit
from greenroom.wire.handover import KEY, handed_over
from tests.launch.cloud import AGENT, Cloud, a_cloud, a_cloud_order, listening
from tests.launch.helpers import SECRET, eventually


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def cloud(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Cloud]:
    async with a_cloud(tmp_path, clock) as cloud:
        yield cloud


def what_is_kept_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


async def test_an_agent_is_handed_over_its_session_and_nothing_secret_is_kept(
    cloud: Cloud, tmp_path: Path
) -> None:
    order = a_cloud_order()
    await cloud.launcher.start(order)
    (hosted,) = cloud.active
    assert hosted.body["name"] == "Ada"
    told = handed_over(json.loads(json.dumps(hosted.body)))
    assert told is not None
    assert told.session == order.session
    assert (told.link_url, told.secret) == (order.link_url, SECRET)
    assert told.webhook_url == "https://greenroom.example/webhook"
    assert SECRET not in repr(told)
    kept = what_is_kept_in(tmp_path)
    assert order.launch_id in kept
    assert SECRET not in kept


def test_a_body_that_is_not_ours_hands_nothing_over_and_a_broken_one_is_told() -> None:
    assert handed_over({"name": "Ada"}) is None
    assert handed_over("words") is None
    with pytest.raises(ValueError, match="not what Greenroom hands over") as told:
        handed_over({KEY: {"secret": SECRET}})
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("key", ["wrong", "revoked"])
async def test_a_bad_key_and_an_unknown_agent_end_the_launch_at_once(
    cloud: Cloud, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if key == "revoked":
        cloud.stand_in.public_keys.clear()
    else:
        cloud.client.agent = "nobody"
    order = a_cloud_order()
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.start(order)
        exit_ = await the_exit(exits, order.launch_id)
    assert exit_.cause is ExitCause.REFUSED
    assert cloud.active == []
    assert "pk_stand-in" not in "".join(capsys.readouterr())


async def test_without_a_free_agent_it_is_said_when_and_nobody_else_is_let_in(
    cloud: Cloud,
) -> None:
    cloud.deployment.max_agents = 1
    first, second = a_cloud_order(), a_cloud_order()
    await cloud.launcher.start(first)
    with pytest.raises(AgentsFull):
        await cloud.launcher.start(second)
    load = cloud.capacity.load()
    assert load is not None
    assert load.busy_cores >= load.cores
    assert not await lives(cloud.launcher, second.launch_id)
    await cloud.launcher.end(first.launch_id, polite_s=0.0, term_s=0.0)
    await eventually(lambda: not cloud.active)
    await cloud.launcher.start(second)
    assert len(cloud.active) == 1


async def test_how_full_the_pool_is_is_known_before_anybody_asks_in_vain(cloud: Cloud) -> None:
    cloud.deployment.max_agents = 3
    await cloud.launcher.start(a_cloud_order())
    assert cloud.capacity.load() is None
    await cloud.capacity.look()
    load = cloud.capacity.load()
    assert load == Load(3, 1, load.free_bytes if load else 0)
    cloud.stand_in.order(Fault("get", 500))
    await cloud.capacity.look()
    assert cloud.capacity.load() is None


async def test_retry_after_is_passed_on(cloud: Cloud) -> None:
    cloud.stand_in.order(Fault("start", 429, retry_after_s=60))
    with pytest.raises(AgentsFull) as full:
        await cloud.launcher.start(a_cloud_order())
    assert full.value.retry_after_s == 60


@pytest.mark.parametrize("status", [500, 503])
async def test_a_start_whose_answer_was_lost_is_one_agent_in_the_end(
    cloud: Cloud, status: int
) -> None:
    """FAILURES 2: the first try has begun an agent, and nobody was told."""
    before = await cloud.client.start({})
    cloud.stand_in.sessions[before].created_at -= 60
    order = a_cloud_order()
    cloud.stand_in.order(Fault("start", status, late=True))
    with pytest.raises(Unavailable):
        await cloud.launcher.start(order)
    assert len(cloud.active) == 2
    await cloud.launcher.start(order)
    ids = {hosted.id for hosted in cloud.active}
    assert len(ids) == 2
    assert before in ids, "what somebody else began before is left alone"


@pytest.mark.parametrize("wrong_s", [200.0, -200.0])
async def test_a_lost_start_is_found_also_where_the_servers_clock_is_wrong(
    tmp_path: Path, wrong_s: float
) -> None:
    """FAILURES 21: how old an agent is, only their clock can tell."""
    async with a_cloud(tmp_path / "theirs") as cloud, listening(cloud.stand_in.app) as address:
        client = CloudClient(AGENT, "pk_stand-in", "sk_stand-in", address)
        launcher = PipecatCloudLauncher(client, tmp_path / "ours", FakeClock(time.time() + wrong_s))
        before = await cloud.client.start({})
        cloud.stand_in.sessions[before].created_at -= 60
        order = a_cloud_order()
        cloud.stand_in.order(Fault("start", 500, late=True))
        with pytest.raises(Unavailable):
            await launcher.start(order)
        assert len(cloud.active) == 2
        await launcher.start(order)
        ids = {hosted.id for hosted in cloud.active}
        assert (len(ids), before in ids) == (2, True)
        await launcher.close()


async def test_a_start_that_never_left_this_machine_began_nothing(tmp_path: Path) -> None:
    """Also where nobody can be asked what runs there: nothing is billed that cannot have begun."""
    asked: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("connection refused")

    clock = FakeClock()
    transport = httpx.MockTransport(refuse)
    client = CloudClient(AGENT, "pk", None, "http://cloud.example", transport)
    launcher = PipecatCloudLauncher(client, tmp_path, clock)
    order = a_cloud_order()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await launcher.start(order)
    assert len(asked) == 2
    assert await launcher.living() == []
    await launcher.close()


async def test_a_start_that_was_lost_for_good_leaves_nothing(cloud: Cloud) -> None:
    order = a_cloud_order()
    cloud.stand_in.order(Fault("start", 500, late=True))
    with pytest.raises(Unavailable):
        await cloud.launcher.start(order)
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.end(order.launch_id, polite_s=0.0, term_s=0.0)
        assert (await the_exit(exits, order.launch_id)).cause is ExitCause.ENDED
    assert cloud.active == []


async def test_a_cold_start_is_seen(cloud: Cloud, clock: FakeClock) -> None:
    cloud.deployment.cold_start_s = 10.0
    order = a_cloud_order()

    async def progress() -> str:
        (process,) = await cloud.launcher.living()
        return process.progress

    await cloud.launcher.start(order)
    await cloud.launcher.look()
    assert await progress() == "started"
    assert cloud.agent.started == []
    clock.advance(10.0)
    await cloud.stand_in.tick()
    assert len(cloud.agent.started) == 1
    await cloud.launcher.look()
    assert await progress() == "cold_start"


@pytest.mark.parametrize(("code", "told"), [(0, 0), (1, 1)])
async def test_an_agent_that_ends_by_itself_is_noticed(cloud: Cloud, code: int, told: int) -> None:
    order = a_cloud_order()
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.start(order)
        await cloud.launcher.look()
        cloud.agent.finish(cloud.active[0].id, code)
        exit_ = await the_exit(exits, order.launch_id)
    assert (exit_.cause, exit_.exit_code, exit_.still_runs_s) == (ExitCause.EXITED, told, 0.0)


async def test_a_session_ends_at_its_deployments_limit(cloud: Cloud, clock: FakeClock) -> None:
    cloud.deployment.max_session_s = 60.0
    order = a_cloud_order(wall_clock_s=3_600.0)
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.start(order)
        await cloud.launcher.look()
        clock.advance(61.0)
        assert (await the_exit(exits, order.launch_id)).cause is ExitCause.EXITED
    assert cloud.active == []


async def test_an_end_goes_on_until_it_is_carried_out(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.launch.pipecat_cloud.launcher.STOP_AGAIN_S", 0.01)
    cloud.stand_in.order(Fault("stop", 500, times=2))
    cloud.stand_in.order(Fault("stop", 429, times=2, retry_after_s=1))
    order = a_cloud_order()
    await cloud.launcher.start(order)
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.end(order.launch_id, polite_s=0.0, term_s=0.0)
        exit_ = await the_exit(exits, order.launch_id)
    assert (exit_.cause, exit_.still_runs_s, cloud.active) == (ExitCause.ENDED, 0.0, [])
    assert [call for call, _ in cloud.stand_in.calls].count("stop") == 5


async def test_politeness_is_kept_and_a_second_end_hurries(cloud: Cloud) -> None:
    order = a_cloud_order()
    await cloud.launcher.start(order)
    await cloud.launcher.end(order.launch_id, polite_s=3_600.0, term_s=0.0)
    assert len(cloud.active) == 1
    async with exits_of(cloud.launcher) as exits:
        await cloud.launcher.end(order.launch_id, polite_s=0.0, term_s=0.0)
        await the_exit(exits, order.launch_id)
    assert cloud.active == []


@pytest.mark.parametrize(
    ("deployed", "more"), [({"stops": False}, {}), ({"stops": None}, {}), ({}, {"private": False})]
)
async def test_what_cannot_be_stopped_is_told_with_the_time_it_has_left(
    tmp_path: Path, deployed: dict[str, Any], more: dict[str, Any]
) -> None:
    """A deployment without a stop (405, 404), and a launcher without the key for it."""
    clock = FakeClock()
    async with a_cloud(tmp_path, clock, **deployed, **more) as cloud:
        order = a_cloud_order()
        await cloud.launcher.start(order)
        clock.advance(200.0)
        async with exits_of(cloud.launcher) as exits:
            await cloud.launcher.end(order.launch_id, polite_s=0.0, term_s=0.0)
            exit_ = await the_exit(exits, order.launch_id)
        assert exit_.cause in (ExitCause.ENDED, ExitCause.WALL_CLOCK)
        assert exit_.still_runs_s == pytest.approx(7_000.0)
        assert len(cloud.active) == 1


@pytest.mark.parametrize("stops", [False, None])
async def test_what_could_not_be_stopped_is_stopped_when_that_is_possible_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool | None
) -> None:
    """Found by chaos: also by the next server, and although its exit is on record."""
    monkeypatch.setattr("greenroom.launch.pipecat_cloud.launcher.GOES_WITHIN_S", 0.0)
    monkeypatch.setattr("greenroom.launch.pipecat_cloud.launcher.LEFTOVERS_AGAIN_S", 0.0)
    async with a_cloud(tmp_path, stops=stops) as cloud:
        order = a_cloud_order()
        await cloud.launcher.start(order)
        async with exits_of(cloud.launcher) as exits:
            await cloud.launcher.end(order.launch_id, polite_s=0.0, term_s=0.0)
            assert (await the_exit(exits, order.launch_id)).deaf
        await cloud.launcher.forget(order.launch_id)
        assert await cloud.launcher.living() == []
        next_one = PipecatCloudLauncher(cloud.client, tmp_path, cloud.clock)
        await next_one.start(order)
        await next_one.look()
        assert len(cloud.active) == 1, "it is neither stopped nor started again"
        cloud.deployment.stops = True
        await next_one.look()
        assert cloud.active == []
        assert list((tmp_path / "pipecat-cloud").iterdir()) == []


async def test_a_killed_servers_agents_are_found_again(cloud: Cloud, tmp_path: Path) -> None:
    """FAILURES 20."""
    order = a_cloud_order()
    await cloud.launcher.start(order)
    next_one = PipecatCloudLauncher(cloud.client, tmp_path, cloud.clock, look_every_s=0.05)
    assert await lives(next_one, order.launch_id)
    async with exits_of(next_one) as exits:
        await next_one.end(order.launch_id, polite_s=0.0, term_s=0.0)
        await the_exit(exits, order.launch_id)
    assert cloud.active == []


async def test_a_stranger_on_the_deployment_is_left_alone(cloud: Cloud) -> None:
    theirs = await cloud.client.start({"not": "ours"})
    order = a_cloud_order()
    await cloud.launcher.start(order)
    await cloud.launcher.look()
    await cloud.launcher.shutdown()
    assert [hosted.id for hosted in cloud.active] == [theirs]


async def test_nothing_is_concluded_while_it_does_not_answer(
    cloud: Cloud, clock: FakeClock
) -> None:
    order = a_cloud_order()
    await cloud.launcher.start(order)
    clock.advance(40.0)
    for status in (500, 429, 401):
        cloud.stand_in.order(Fault("list", status))
        await cloud.launcher.look()
    assert await lives(cloud.launcher, order.launch_id)
    assert len(cloud.active) == 1


async def test_force_stops_agents_by_what_the_state_folder_knows(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    """While neither server nor database answers, as on this machine."""
    async with a_cloud(tmp_path) as cloud, listening(cloud.stand_in.app) as address:
        order = a_cloud_order()
        await cloud.launcher.start(order)
        environment.setenv("GREENROOM_LAUNCHER", "pipecat-cloud")
        environment.setenv("GREENROOM_PIPECAT_CLOUD_URL", address)
        environment.setenv("GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY", "pk_stand-in")
        environment.setenv("GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY", "sk_stand-in")
        environment.setenv("GREENROOM_PIPECAT_CLOUD_AGENT", AGENT)
        done = await asyncio.to_thread(CliRunner().invoke, app, ["stop-all", "--force"])
        assert done.exit_code == 0, done.output
        assert "Agents on Pipecat Cloud stopped: 1." in done.output
        assert cloud.active == []
        with pytest.raises(Halted):
            await cloud.launcher.start(a_cloud_order())
