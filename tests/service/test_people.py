"""What is kept of people, what is taken out of it before, and for how long it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog

from greenroom import assembly
from greenroom.errors import BadSetting, Unavailable
from greenroom.ports.notes import Note
from greenroom.ports.records import Records
from greenroom.service.redaction import WITHHELD, Redact, Redaction, redaction_by
from greenroom.service.reports import Way
from greenroom.service.retention import Keeping, Retention, Swept, keeping_of
from greenroom.session.inputs import ToolAnswered
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.records import ContextRecord
from greenroom.wire.translate import rfc3339
from tests.api.test_operators import operator
from tests.conftest import House
from tests.service.test_service import a_call

DAY_S = 86_400.0
CARD = "4111 1111 1111 1111"


def without_cards(text: str) -> str:
    """The hook of these tests."""
    return text.replace(CARD, "[card]")


def forgets_to_return(text: str) -> Any:
    """A hook as people write it at first."""


@pytest.fixture
def redact() -> Redact:
    return without_cards


@pytest.fixture
def plan(plan: assembly.Plan, redact: Redact) -> assembly.Plan:
    keeping = Keeping(words_s=DAY_S, sessions_s=3 * DAY_S)
    return replace(plan, redaction=Redaction(redact), keeping=keeping)


async def hear(house: House, session_id: str, kind: ReportKind, **data: Any) -> None:
    session = await house.session(session_id)
    report = Report(seq=session.report_seq + 1, at_ms=0, kind=kind, data=data)
    await house.parts.reports.take(Way.LINK, session.launch_id, session_id, report)


async def say(house: House, session_id: str, text: str) -> None:
    said = {"role": "user", "text": text, "final": True, "turn": 1}
    await hear(house, session_id, ReportKind.TRANSCRIPT, **said)


async def kept(house: House, session_id: str) -> list[dict[str, Any]]:
    return [event.data for event in await house.parts.store.events_after(session_id, 0, 100)]


async def ended(house: House, user: str = "ada") -> str:
    session_id = await a_call(house, user)
    await say(house, session_id, f"I am {user}.")
    await house.sessions.stop(session_id, user)
    await house.launcher.exit((await house.session(session_id)).launch_id)
    await house.until(lambda session: session.ended_at is not None, session_id)
    return session_id


async def as_user(house: House, user: str) -> httpx.AsyncClient:
    token = house.parts.identity.token_for(user, 60.0, "default")
    return house.client(authorization=f"Bearer {token}")


# ---- redaction


async def test_what_is_taken_out_is_neither_stored_nor_told(house: House) -> None:
    session_id = await a_call(house)
    async with house.parts.hub.subscribe(f"session:{session_id}") as waiter:
        await say(house, session_id, f"It is {CARD}.")
        await house.sessions.message(session_id, "ada", f"Or {CARD}?")
        heard = {"number": 4111, "all": [{"text": f"<{CARD}>"}], "role": CARD, "kind": CARD}
        app = {"type": "app.heard", "data": heard}
        await hear(house, session_id, ReportKind.APP, **app)
        told = repr(waiter.__dict__) if hasattr(waiter, "__dict__") else ""
    found = await kept(house, session_id)
    assert CARD not in repr(found) + told
    texts = [data["text"] for data in found if data.get("role") == "user"]
    assert texts == ["It is [card].", "Or [card]?"]
    kept_of_it = {"number": 4111, "all": [{"text": "<[card]>"}], "role": "[card]", "kind": "[card]"}
    assert kept_of_it in found


async def test_what_an_assistant_was_given_to_know_is_exported_as_redacted_and_erased(
    house: House,
) -> None:
    session_id = await a_call(house)
    session = await house.session(session_id)
    await house.parts.telling.context(session, f"They pay with {CARD}.")
    await house.parts.telling.context(session, "I like tea.", by_page=True)
    # Its bot is not linked, and is to be told every word.
    [waiting, _] = await house.parts.store.effects.of(session_id)
    assert CARD in waiting.payload["data"]["text"]
    assert "They pay" not in repr(await kept(house, session_id))
    people = house.parts.people
    found = [one async for one in people.export("ada", "default")]
    given = [one for one in found if isinstance(one, ContextRecord)]
    at = rfc3339(house.clock.now())
    assert given == [
        ContextRecord(session_id=session_id, at=at, text="They pay with [card]."),
        ContextRecord(session_id=session_id, at=at, text="I like tea.", by="page"),
    ]
    await house.sessions.stop(session_id, "ada")
    await house.launcher.exit(session.launch_id)
    await house.until(lambda session: session.ended_at is not None, session_id)
    assert len(await house.parts.store.records.contexts(session_id)) == 2
    await people.erase("ada", "default")
    assert await house.parts.store.records.contexts(session_id) == []


async def test_what_tools_are_called_with_is_words_and_what_they_are_called_is_not(
    house: House,
) -> None:
    session_id = await a_call(house)
    call = {"toolCallId": CARD.replace(" ", ""), "tool": "notes", "name": "create_note"}
    arguments = {"title": f"My card {CARD}", "name": CARD}
    await hear(house, session_id, ReportKind.TOOL_CALL, **call, where="bot", arguments=arguments)
    came = {"outcome": "failed", "durationMs": 1, "message": f"{CARD} is no card."}
    await hear(house, session_id, ReportKind.TOOL_RESULT, **call, **came)
    note = {"id": "not_1", "title": CARD, "text": f"<{CARD}>", "createdAt": "2026", "updatedAt": ""}
    shown = ("ui.note", {"action": "created", "note": note})
    await house.sessions.apply(session_id, ToolAnswered({"toolCallId": "c1"}, (shown,)))
    called, ended, noted = (await kept(house, session_id))[-3:]
    assert called == {
        **call,
        "where": "bot",
        "arguments": {"title": "My card [card]", "name": "[card]"},
    }
    assert ended == {**call, **came, "message": "[card] is no card."}
    assert noted["note"] == {**note, "title": "[card]", "text": "<[card]>"}


@pytest.mark.parametrize("redact", [lambda text: 1 / 0, forgets_to_return])
async def test_where_the_hook_fails_nothing_is_kept_of_the_words(house: House) -> None:
    session_id = await a_call(house)
    with structlog.testing.capture_logs() as logs:
        await say(house, session_id, f"It is {CARD}.")
    (said,) = [data for data in await kept(house, session_id) if data.get("role") == "user"]
    assert said == {"role": "user", "text": WITHHELD, "final": True, "turn": 1}
    (line,) = [entry for entry in logs if entry["event"] == "redaction.failed"]
    assert CARD not in repr(line)


def test_a_hook_is_named_by_its_module() -> None:
    assert redaction_by(None).of([]) == []
    assert redaction_by(f"{__name__}:without_cards")
    for wrong in ("nowhere:redact", f"{__name__}:nothing", f"{__name__}:CARD", "just-a-name"):
        with pytest.raises(BadSetting, match="GREENROOM_REDACT"):
            redaction_by(wrong)


# ---- retention


async def test_words_go_first_and_then_the_sessions(house: House) -> None:
    old = await ended(house)
    retention = house.whole.retention
    assert await retention.sweep() == Swept(0, 0)
    house.clock.advance(2 * DAY_S)
    new = await ended(house, "bob")
    assert await retention.sweep() == Swept(erased=1, forgotten=0)
    assert await kept(house, old) == []
    assert (await house.session(old)).user_id == "ada"
    assert "I am bob." in repr(await kept(house, new))
    house.clock.advance(1.5 * DAY_S)
    assert await retention.sweep() == Swept(erased=1, forgotten=1)
    assert await house.parts.store.records.of_user("ada", "default", after=None, limit=9) == []


async def test_more_than_one_batch_goes_in_one_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.service.retention.BATCH", 2)
    for number in range(5):
        await ended(house, f"user-{number}")
    house.clock.advance(2 * DAY_S)
    assert await house.whole.retention.sweep() == Swept(erased=5, forgotten=0)


async def test_without_a_rule_everything_is_kept(house: House) -> None:
    await ended(house)
    house.clock.advance(1_000 * DAY_S)
    keeps_all = Retention(house.parts.store.records, house.clock, keeping_of(None, None))
    assert await keeps_all.sweep() == Swept(0, 0)


async def test_a_store_that_is_away_is_swept_next_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def away(*args: object) -> int:
        raise Unavailable("Not now.")

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise _Enough

    records: Records = house.parts.store.records
    monkeypatch.setattr(records, "erase_words", away)
    monkeypatch.setattr("greenroom.service.retention.asyncio.sleep", wait)
    with pytest.raises(_Enough), structlog.testing.capture_logs() as logs:
        await Retention(records, house.clock, keeping_of(1, None)).run()
    assert [line["event"] for line in logs] == ["retention.not_swept"] * 2
    assert waits == [3600.0, 3600.0]


class _Enough(Exception):
    pass


# ---- over HTTP


async def test_a_user_reads_their_own_transcript(server: House) -> None:
    session_id = await a_call(server)
    await say(server, session_id, "Hello.")
    await hear(
        server,
        session_id,
        ReportKind.TRANSCRIPT,
        role="assistant",
        text="Good day",
        final=False,
        turn=2,
    )
    await server.sessions.message(session_id, "ada", "Typed.")
    path = f"/api/voice/session/{session_id}/transcript"
    async with await as_user(server, "ada") as ada, await as_user(server, "eve") as eve:
        told = (await ada.get(path)).json()
        assert (await eve.get(path)).status_code == 404
    lines = [(line["role"], line["text"]) for line in told["lines"]]
    assert lines == [("user", "Hello."), ("user", "Typed.")]
    assert (told["sessionId"], told["endedAt"], told["more"]) == (session_id, None, False)


async def test_a_user_is_exported_and_erased_on_record(server: House) -> None:
    session_id = await ended(server)
    await ended(server, "bob")
    for number, user in enumerate(("ada", "bob")):
        note = Note(f"not_{number}", user, "default", "Milk", f"For {user}.", 1.5, 2.5)
        await server.parts.store.notes.create(note, f"ses.{number}", 9)
    asked = {"user": "ada"}
    async with operator(server) as ops:
        exported = (await ops.get("/api/operator/data", params=asked)).text
        erased = await ops.delete("/api/operator/data", params=asked)
        nothing = await ops.delete("/api/operator/data", params=asked)
        empty = (await ops.get("/api/operator/data", params=asked)).text
        log = (await ops.get("/api/operator/audit")).json()["lines"]
    lines = [httpx.Response(200, text=line).json() for line in exported.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds[:2] == ["user", "session"]
    assert kinds.count("event") == (await server.session(session_id)).last_seq
    assert "I am ada." in exported
    assert "For ada." in exported
    assert kinds[-1] == "note"
    assert "bob" not in exported
    alias = erased.json()["alias"]
    events = kinds.count("event")
    assert erased.json() == {"alias": alias, "sessions": 1, "events": events, "notes": 1}
    assert nothing.json() == {"alias": alias, "sessions": 0, "events": 0, "notes": 0}
    assert len(empty.splitlines()) == 1
    acts = [(line["act"], line["target"]) for line in reversed(log)]
    assert acts[:3] == [("user.export", "ada"), ("user.erase", alias), ("user.erase", alias)]


async def test_who_talks_is_not_erased_and_nobody_but_operators_may(server: House) -> None:
    session_id = await a_call(server)
    asked = {"user": "ada"}
    async with operator(server) as ops, await as_user(server, "ada") as ada:
        refused = await ops.delete("/api/operator/data", params=asked)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert f"greenroom end {session_id}" in refused.json()["message"]
        for ask in (ada.get, ada.delete):
            assert (await ask("/api/operator/data", params=asked)).status_code == 401
        assert (await ops.delete("/api/operator/data")).status_code == 400
