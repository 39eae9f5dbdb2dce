"""One way for every call to the outside: a bound, a policy, and no way around them."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import greenroom
from greenroom.errors import BadRequest, Unavailable
from greenroom.service import policies
from greenroom.service.policies import EFFECT_CALLS, POLICIES, Outside, Policy, outside
from greenroom.session.facts import EffectKind
from greenroom.wire.tools import MAX_TIMEOUT_S

ADAPTERS = {"launcher", "_launcher", "rooms", "_rooms", "link"}
# What only looks at what it has, or is a connection's own business with a bound of its own.
OWN_BOUND = {
    ("link", "answer"),  # the session's join deadline
    ("launcher", "warm"),  # the launcher bounds it by its time to preload
    ("launcher", "close"),
    ("launcher", "shutdown"),
}


def test_every_call_and_every_effect_has_a_policy() -> None:
    assert set(POLICIES) == set(Outside)
    assert set(EFFECT_CALLS) == set(EffectKind)
    for call, policy in POLICIES.items():
        # A tool may take its time: a page shows that it is at work.
        most_s = MAX_TIMEOUT_S + 10 if call in (Outside.RUN_TOOL, Outside.ASK_TOOL) else 10
        assert 0 < policy.timeout_s <= most_s
        assert policy.attempts >= 1


def test_no_adapter_is_awaited_but_by_its_policy() -> None:
    package = Path(greenroom.__file__).parent
    files = [*package.glob("service/*.py"), *package.glob("api/*.py")]
    assert len(files) > 20
    around = [(path.name, *found) for path in files for found in _awaited(path)]
    assert [found for found in around if found[1:] not in OWN_BOUND] == []


def _awaited(path: Path) -> Iterator[tuple[str, str]]:
    """Every ``await <adapter>.<method>(…)`` of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Await) or not isinstance(node.value, ast.Call):
            continue
        call = node.value.func
        if isinstance(call, ast.Attribute):
            owner = call.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in ADAPTERS:
                yield name.lstrip("_"), call.attr


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(0.05, attempts=3, first_wait_s=0.001, most_wait_s=0.001, jitter_s=0.001)
    monkeypatch.setitem(policies.POLICIES, Outside.LIVING, policy)


@pytest.mark.usefixtures("fast")
async def test_what_passes_is_tried_again_and_seen_to_be() -> None:
    tries: list[int] = []

    async def passing() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("not now")
        return "there"

    with capture_logs() as logs:
        assert await outside(Outside.LIVING, passing) == "there"
    told = [(log["call"], log["attempt"], log["timeout_s"]) for log in logs]
    assert told == [("launcher.living", 1, 0.05), ("launcher.living", 2, 0.05)]


@pytest.mark.usefixtures("fast")
async def test_a_refusal_is_not_tried_again() -> None:
    tries: list[int] = []

    async def refusing() -> None:
        tries.append(1)
        raise BadRequest("never")

    with pytest.raises(BadRequest):
        await outside(Outside.LIVING, refusing)
    assert len(tries) == 1


@pytest.mark.usefixtures("fast")
async def test_what_never_answers_is_given_up_in_time() -> None:
    with pytest.raises(Unavailable, match=r"launcher\.living did not answer within 0\.05 s"):
        await outside(Outside.LIVING, asyncio.Event().wait)


def test_waits_double_are_bounded_and_differ() -> None:
    policy = POLICIES[Outside.LAUNCH_BOT]
    for attempt in range(1, policy.attempts + 1):
        least_s = min(policy.first_wait_s * 2 ** (attempt - 1), policy.most_wait_s)
        waits = [policy.wait_s(attempt) for _ in range(50)]
        assert (
            least_s
            <= min(waits)
            <= max(waits)
            <= min(least_s + policy.jitter_s, policy.most_wait_s)
        )
    assert len({policy.wait_s(1) for _ in range(50)}) > 25, "many do not come back at once"


def test_a_durable_call_is_tried_once_in_memory() -> None:
    assert POLICIES[Outside.LAUNCH_BOT].durable
