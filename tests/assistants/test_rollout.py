"""Ten per cent are ten per cent: stable, monotone, and the same on every machine."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext

from greenroom.assistants.flags import FLAG, OUR_PROVIDER, context_of
from greenroom.assistants.rollout import Decision, Reason, Side, bucket, decide
from greenroom.wire.assistants import Rollout

PINNED = (43.74648191409102, 70.84263611455879)
IDS = [f"user-{number}@example.org" for number in range(100_000)]


def chosen(rollout: Rollout, assistant: str = "mary", of: int = 10_000) -> set[str]:
    return {
        user
        for user in IDS[:of]
        if decide(rollout, assistant, user, "default").side is Side.GREENROOM
    }


def test_ten_per_cent_of_a_hundred_thousand_are_ten_per_cent() -> None:
    assert abs(len(chosen(Rollout(percentage=10), of=100_000)) / 100_000 - 0.1) < 0.01


def test_raising_a_percentage_puts_nobody_out() -> None:
    before: set[str] = set()
    for percentage in (0, 1, 10, 50, 99.5, 100):
        now = chosen(Rollout(percentage=percentage))
        assert abs(len(now) / 10_000 * 100 - percentage) < 1, percentage
        assert before <= now
        before = now
    assert len(before) == 10_000
    assert chosen(Rollout(percentage=0)) == set()


def test_assistants_draw_for_themselves_unless_they_share_a_salt() -> None:
    mary, eve = chosen(Rollout(percentage=10)), chosen(Rollout(percentage=10), "eve")
    assert 50 < len(mary & eve) < 150  # a tenth of a tenth
    shared = Rollout(percentage=10, salt="2026")
    assert chosen(shared) == chosen(shared, "eve") != mary


def test_by_assistant_it_is_a_share_of_the_assistants_and_all_users_agree() -> None:
    rollout = Rollout(percentage=10, by="assistant")
    names = [f"assistant-{number}" for number in range(10_000)]
    ours = [n for n in names if decide(rollout, n, "ada", "default").side is Side.GREENROOM]
    assert abs(len(ours) / len(names) - 0.1) < 0.01
    assert ours == [n for n in names if decide(rollout, n, "bob", "acme").side is Side.GREENROOM]


def test_the_hash_is_the_interface() -> None:
    """These numbers were computed once: in no version may they change."""
    assert bucket("users of mary", "default\0ada") == pytest.approx(PINNED[0], abs=1e-9)
    assert bucket("assistants", "mary") == pytest.approx(PINNED[1], abs=1e-9)
    # Nor with the seed of Python's own hash, which is another in every process.
    code = "from greenroom.assistants.rollout import bucket; print(bucket('a', 'b'))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {f"{bucket('a', 'b')}\n"}


def test_testers_come_always_and_tenants_by_their_own_percentage() -> None:
    rollout = Rollout(percentage=0, tenants={"acme": 100, "closed": 0}, testers=["ada"])
    assert decide(rollout, "mary", "ada", "closed") == Decision(Side.GREENROOM, Reason.TESTER)
    assert decide(rollout, "mary", "bob", "acme") == Decision(Side.GREENROOM, Reason.TENANT, 100)
    assert decide(rollout, "mary", "bob", "closed").side is Side.VAPI
    assert decide(rollout, "mary", "bob", "other") == Decision(Side.VAPI, Reason.PERCENTAGE, 0)


@given(st.text(max_size=40), st.text(max_size=40), st.floats(0, 100), st.floats(0, 100))
def test_everybody_stands_somewhere_and_stays_in(
    user: str, tenant: str, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    assert 0 <= bucket(tenant, user) < 100
    if decide(Rollout(percentage=low), "mary", user, tenant).side is Side.GREENROOM:
        assert decide(Rollout(percentage=high), "mary", user, tenant).side is Side.GREENROOM


def test_the_provider_says_as_openfeature_what_the_record_says() -> None:
    rollout = Rollout(percentage=30, testers=["ada"])
    for user in ("ada", *IDS[:50]):
        context = context_of(rollout, "mary", user, "default", 1)
        told = OUR_PROVIDER.resolve_string_details(FLAG, "vapi", context)
        own = decide(rollout, "mary", user, "default")
        assert (told.value, told.flag_metadata["why"]) == (own.side.value, own.reason.value)
    other = OUR_PROVIDER.resolve_string_details("other", "x", EvaluationContext())
    assert (other.value, other.error_code is None) == ("x", False)
    assert OUR_PROVIDER.resolve_boolean_details(FLAG, True).error_code is not None
