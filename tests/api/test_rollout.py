"""``GET /api/voice/provider``: which side, why, and how both sides compare."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import FeatureProvider
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from greenroom.assistants.flags import FLAG, RolloutProvider
from greenroom.errors import BadSetting
from greenroom.ports.launcher import ExitCause
from greenroom.service.flags import flags_by
from greenroom.service.policies import POLICIES, Outside
from greenroom.service.reports import Way
from greenroom.session.model import Stage
from greenroom.wire.keys import Scope
from greenroom.wire.link import Report, ReportKind
from tests.api.test_keys import a_server, code_of, page_of
from tests.api.test_operators import operator
from tests.conftest import House
from tests.service.test_assistants import OPS, save
from tests.service.test_service import a_call

PROVIDER = "/api/voice/provider"
REPORT = "/api/operator/rollout"


async def asked(server: House, user: str, assistant: str | None = "mary", **more: str) -> Any:
    params = {"assistant": assistant} if assistant else {}
    async with page_of(server, user, **more) as page:
        answer = await page.get(PROVIDER, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_without_a_record_it_is_ours(server: House) -> None:
    told = await asked(server, "ada", None)
    assert told == {"assistant": "cards", "provider": "greenroom", "reason": "no_record"}
    async with page_of(server, "ada") as page:
        assert code_of(await page.get(PROVIDER, params={"assistant": "x"})) == (404, "not_found")


async def test_it_goes_by_tester_tenant_and_percentage(server: House) -> None:
    rollout = {"percentage": 0, "testers": ["tess"], "tenants": {"acme": 100}}
    await save(server, rollout=rollout)
    assert (await asked(server, "ada")) == {
        "assistant": "mary",
        "provider": "vapi",
        "reason": "percentage",
    }
    assert (await asked(server, "tess"))["reason"] == "tester"
    assert (await asked(server, "ada", tenant="acme"))["provider"] == "greenroom"
    await save(server, rollout={"percentage": 100})
    assert (await asked(server, "ada"))["provider"] == "greenroom"


async def test_the_switches_hold_from_the_next_question_on(server: House) -> None:
    await save(server, rollout={"testers": ["ada"]})
    assert (await asked(server, "ada"))["provider"] == "greenroom"
    await server.parts.versions.kill(OPS, "mary")
    assert (await asked(server, "ada"))["reason"] == "killed"
    await server.parts.versions.revive(OPS, "mary")
    await save(server, voiceSessionConfig={"enabled": False}, rollout={"testers": ["ada"]})
    assert await asked(server, "ada") == {
        "assistant": "mary",
        "provider": "vapi",
        "reason": "disabled",
    }
    await server.emergency.stop("so")
    assert (await asked(server, "ada"))["reason"] == "halted"


async def test_decisions_are_on_record_with_their_reasons(server: House) -> None:
    await save(server, rollout={"percentage": 0, "testers": ["tess"]})
    for user in ("ada", "ada", "bob", "tess"):
        await asked(server, user)
    async with operator(server) as ops:
        (of_mary,) = (await ops.get(REPORT)).json()["assistants"]
        metrics = (await ops.get("/metrics")).text
    counted = 'greenroom_rollout_decisions_total{provider="vapi",reason="percentage"} 3.0'
    assert counted in metrics
    assert of_mary["decisions"] == [
        {"provider": "greenroom", "reason": "tester", "users": 1, "times": 1},
        {"provider": "vapi", "reason": "percentage", "users": 2, "times": 3},
    ]


async def test_both_sides_are_compared(server: House) -> None:
    # Ours: one whose assistant speaks after two seconds, and one whose bot crashes.
    good = await a_call(server)
    server.clock.advance(2)
    session = await server.session(good)
    spoke = Report(seq=3, at_ms=0, kind=ReportKind.BOT_SPEECH, data={"speaking": True})
    await server.parts.reports.take(Way.LINK, session.launch_id, good, spoke)
    bad = (await server.sessions.start("bob", None)).session
    await server.until_true(lambda: bad.launch_id in server.launcher.orders)
    await server.launcher.exit(bad.launch_id, ExitCause.SIGNALLED, None)
    await server.until(lambda s: s.stage is Stage.ENDED, bad.id)
    now = server.clock.now()
    theirs = [
        {"id": "c1", "firstWordS": 1.5, "costUsd": 0.1, "durationS": 60},
        {"id": "c2", "failed": True, "costUsd": 0.3},
        {"id": "c2", "failed": True, "costUsd": 0.2},  # corrected: it counts once
        {"id": "c3", "startedAt": now - 8 * 86_400},
    ]
    async with await a_server(server, Scope.OUTCOMES) as app:
        answers = [
            await app.post(
                "/api/rollout/outcomes", json={"assistant": "cards", "startedAt": now, **one}
            )
            for one in theirs
        ]
        assert [answer.status_code for answer in answers] == [201, 201, 200, 201]
        bad_one = await app.post("/api/rollout/outcomes", json={**theirs[0], "startedAt": "x"})
        assert code_of(bad_one) == (400, "bad_request")
    async with operator(server) as ops:
        report = (await ops.get(REPORT, params={"days": 7, "assistant": "cards"})).json()
        assert (await ops.get(REPORT, params={"assistant": "quiz"})).json()["assistants"] == []
    (cards,) = report["assistants"]
    ours, vapi = cards["greenroom"], cards["vapi"]
    assert (ours["sessions"], ours["failures"], ours["failureShare"]) == (2, 1, 0.5)
    assert ours["firstWordP50S"] == pytest.approx(2)
    assert (vapi["sessions"], vapi["failures"], vapi["costs"]) == (2, 1, 2)
    assert (vapi["firstWordP50S"], vapi["meanDurationS"]) == (1.5, 60)
    assert (vapi["costUsd"], vapi["meanCostUsd"]) == (pytest.approx(0.3), pytest.approx(0.15))
    assert report["truncated"] is False


async def test_a_tenants_key_tells_of_its_own_tenant_only(server: House) -> None:
    body = {"id": "c1", "assistant": "mary", "startedAt": 1, "tenant": "other"}
    async with await a_server(server, Scope.OUTCOMES, tenant="acme") as app:
        assert code_of(await app.post("/api/rollout/outcomes", json=body)) == (403, "forbidden")
        del body["tenant"]
        told = (await app.post("/api/rollout/outcomes", json=body)).json()
    assert (told["tenant"], told["new"]) == ("acme", True)


# ---- somebody's own flag system


class Hanging(RolloutProvider):
    """One whose server does not answer."""

    let_go = threading.Event()

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        self.let_go.wait(20)
        raise RuntimeError("hunter2")


def _by_tenant(flag: InMemoryFlag[str], context: EvaluationContext) -> FlagResolutionDetails[str]:
    ours = context.attributes["tenant"] == "acme" and context.targeting_key == "ada"
    variant = "ours" if ours else "theirs"
    return FlagResolutionDetails(value=flag.variants[variant], variant=variant)


def their_flags() -> FeatureProvider:
    """What an application's own flag system would be."""
    variants = {"ours": "greenroom", "theirs": "vapi", "nonsense": "moon"}
    return InMemoryProvider({FLAG: InMemoryFlag("theirs", variants, context_evaluator=_by_tenant)})


async def which(house: House, user: str, tenant: str = "default") -> tuple[str, str]:
    _, decision = await house.parts.rolling_out.decide("mary", user, tenant)
    return decision.side.value, decision.reason.value


@pytest.mark.parametrize("of_theirs", [their_flags()], indirect=True)
async def test_a_flag_system_of_the_house_decides_but_for_the_switches(of_theirs: House) -> None:
    await save(of_theirs, rollout={"percentage": 100})
    assert await which(of_theirs, "ada", "acme") == ("greenroom", "flag")
    assert await which(of_theirs, "ada") == ("vapi", "flag")
    await of_theirs.parts.versions.kill(OPS, "mary")
    assert await which(of_theirs, "ada", "acme") == ("vapi", "killed")


_NONSENSE = InMemoryProvider({FLAG: InMemoryFlag("n", {"n": "moon"})})
_EMPTY = InMemoryProvider({})


@pytest.mark.parametrize("of_theirs", [_NONSENSE, _EMPTY], indirect=True)
async def test_where_a_flag_system_fails_the_record_decides(of_theirs: House) -> None:
    await save(of_theirs, rollout={"percentage": 0, "testers": ["tess"]})
    assert await which(of_theirs, "tess") == ("greenroom", "flag_failed")
    assert await which(of_theirs, "ada") == ("vapi", "flag_failed")


@pytest.mark.parametrize("of_theirs", [Hanging()], indirect=True)
async def test_a_flag_system_that_hangs_keeps_nobody_waiting(
    of_theirs: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POLICIES, Outside.FLAGS, replace(POLICIES[Outside.FLAGS], timeout_s=0.05))
    await save(of_theirs, rollout={"percentage": 100})
    assert await which(of_theirs, "ada") == ("greenroom", "flag_failed")
    Hanging.let_go.set()


def test_a_flag_system_is_named_and_made() -> None:
    assert flags_by(None) is None
    assert isinstance(flags_by("tests.api.test_rollout:their_flags"), InMemoryProvider)
    for name in ("nothing.here:x", "json:loads", "builtins:dict", "json"):
        with pytest.raises(BadSetting, match="GREENROOM_FLAGS"):
            flags_by(name)
