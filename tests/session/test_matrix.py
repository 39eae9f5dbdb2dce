"""The matrix is whole, means what it says, and stands in the documents as it is."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from greenroom.session import inputs as i
from greenroom.session.handlers import HANDLERS
from greenroom.session.matrix import (
    RESPONSES,
    Response,
    as_markdown,
    billed,
    may_speak,
    running_deadlines,
)
from greenroom.session.model import Presence, Stage

INPUTS: set[type] = {
    *get_args(i.Command),
    *get_args(i.BotReport),
    i.BudgetNear,
    i.BudgetSpent,
    i.BotStarting,
    i.NoPlace,
    i.RoomReady,
    i.BotExited,
    i.MovedUp,
    i.LetIn,
    i.Due,
}


def test_every_cell_is_decided() -> None:
    assert set(RESPONSES) == {(stage, kind) for stage in Stage for kind in INPUTS}


def test_every_input_that_may_act_has_a_handler() -> None:
    acting = {kind for (_, kind), response in RESPONSES.items() if response is Response.ACT}
    assert acting == set(HANDLERS)


@pytest.mark.parametrize("kind", sorted(INPUTS, key=str))
def test_nothing_acts_on_an_ended_session_but_a_room_that_was_opened_again(kind: type) -> None:
    """But what a bot that nobody could stop has cost since is added to the bill."""
    acts = kind in (i.RoomReady, i.BotExited)
    assert (RESPONSES[Stage.ENDED, kind] is Response.ACT) == acts


def test_what_lives_costs_and_has_a_clock() -> None:
    for stage in Stage:
        costs = bool(billed(stage))
        clocks = bool(running_deadlines(stage, paused=False))
        assert clocks == (stage is not Stage.ENDED)
        assert costs == (stage not in (Stage.QUEUED, Stage.ENDED))


def test_a_paused_or_muted_user_is_not_heard() -> None:
    here = Presence.PRESENT
    assert may_speak(Stage.ACTIVE, here, paused=True, muted=False) == ()
    assert may_speak(Stage.ACTIVE, here, paused=False, muted=True) == ("assistant",)
    assert may_speak(Stage.LINGERING, Presence.GONE, paused=False, muted=False) == ()


def test_the_documents_show_this_matrix() -> None:
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
    assert as_markdown() in text, "run: python -m greenroom.session.matrix, and paste it"
