"""`hosted` outside of Greenroom changes nothing; the way with it is tried as a whole call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.bot import context, hosted
from greenroom.bot.elsewhere import _module_of
from greenroom.bot.load import level
from greenroom.wire.handover import KEY
from greenroom.wire.link import BotLevel

called: list[Any] = []


@hosted
async def bot(runner_args: Any) -> None:
    called.append(runner_args)


@pytest.mark.parametrize("body", [None, {}, {"name": "Ada"}, "words"])
async def test_whom_somebody_else_started_runs_as_it_is(body: Any) -> None:
    called.clear()
    given = SimpleNamespace(body=body)
    await bot(given)
    assert called == [given]


async def test_inside_greenroom_it_is_not_hosted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_current", object())
    called.clear()
    given = SimpleNamespace(body={KEY: {"not": "looked at"}})
    await bot(given)
    assert called == [given]


async def test_what_cannot_be_read_is_said_and_nothing_runs() -> None:
    called.clear()
    with pytest.raises(ValueError, match="not what Greenroom hands over"):
        await bot(SimpleNamespace(body={KEY: {"secret": "hunter2"}}))
    assert called == []


def test_its_level_is_known_as_where_greenroom_loads_it() -> None:
    assert level(_module_of(bot)) is BotLevel.OBSERVED
