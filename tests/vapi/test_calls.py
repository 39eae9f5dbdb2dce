"""``POST /call/web``: who may, what is honoured, what is refused, and how VAPI says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from greenroom import assembly
from greenroom.api.app import build_app
from greenroom.errors import BadRequest
from greenroom.ports.audit import Act
from greenroom.ports.launcher import ExitCause
from greenroom.ports.open_rooms import Door
from greenroom.ports.rooms import Party
from greenroom.rooms.daily.tokens import user_id_of
from greenroom.session.model import EndReason, Stage
from greenroom.session.policy import UNLIMITED, Quotas
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused
from greenroom.wire.keys import Scope
from greenroom.wire.vapi.calls import Assistant, CreateWebCall, plan_of
from greenroom.wire.vapi.messages import SPEAKER
from tests.conftest import SECRET, House
from tests.vapi.conftest import key_of

Json = dict[str, Any]
START = "/call/web"


@pytest.fixture
def quotas() -> Quotas:
    return replace(UNLIMITED, live=2, queue=0)


async def called(page: httpx.AsyncClient, **asked: Any) -> Json:
    answer = await page.post(START, json={"assistantId": "cards", **asked})
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, our code and the field; the shape is VAPI's."""
    body = answer.json()
    assert body["statusCode"] == answer.status_code
    assert body["message"]
    assert body["error"]
    return answer.status_code, body["code"], body.get("facts", {}).get("field")


async def test_a_public_key_gets_a_call_in_a_private_room_by_a_token_of_its_own(
    house: House, daily: DailyStandIn, page: httpx.AsyncClient
) -> None:
    call = await called(page, assistantOverrides={"metadata": {"order": 7}})
    assert (call["type"], call["status"], call["assistantId"]) == ("webCall", "ringing", "cards")
    assert (call["orgId"], call["metadata"]) == ("default", {"order": 7})
    assert call["createdAt"].endswith("Z")
    transport = call["transport"]
    assert transport["provider"] == "daily"
    assert transport["callUrl"] == call["webCallUrl"]
    name = call["webCallUrl"].rsplit("/", 1)[-1]
    assert daily.book.get(name).privacy == "private"
    assert daily.join(name, transport["callToken"]).user_id == user_id_of(name, Party.USER)
    assert "ignored" not in call
    session = await house.session(call["id"])
    assert session.limits.persistence_s == 0, "who leaves has hung up"


async def test_the_assistant_is_called_as_the_sdk_looks_for_it(
    house: House, daily: DailyStandIn, page: httpx.AsyncClient
) -> None:
    session = await house.session((await called(page))["id"])
    spec = await house.parts.entrance.bot(session)
    assert daily.join(spec.name, spec.token).user_name == SPEAKER


async def test_everybody_whom_a_key_does_not_name_is_somebody_new(page: httpx.AsyncClient) -> None:
    first, second = await called(page), await called(page)
    assert first["id"] != second["id"]
    assert first["webCallUrl"] != second["webCallUrl"]
    full = await page.post(START, json={"assistantId": "cards"})
    assert refused(full)[:2] == (429, "limit_live")
    assert int(full.headers["retry-after"]) > 0


async def test_a_users_token_is_as_good_and_finds_the_running_call(
    house: House, web: httpx.AsyncClient
) -> None:
    token = house.parts.identity.token_for("ada", 60)
    web.headers["authorization"] = f"Bearer {token}"
    assert (await called(web))["id"] == (await called(web))["id"]


async def test_what_is_asked_for_is_honoured_within_the_ceilings(
    house: House, page: httpx.AsyncClient
) -> None:
    call = await called(
        page,
        roomDeleteOnUserLeaveEnabled=False,
        assistantOverrides={
            "firstMessage": "Hello {{name}}, not {{ nobody }}.",
            "maxDurationSeconds": 300,
            "silenceTimeoutSeconds": 30,
            "endCallPhrases": ["so long"],
            "variableValues": {"name": "Ada"},
        },
    )
    session = await house.session(call["id"])
    assert (session.limits.max_duration_s, session.limits.idle_s) == (300, 30)
    assert session.limits.persistence_s == 300, "the page said that it comes back"
    told = session.body["vapi"]
    assert told["assistant"]["firstMessage"] == "Hello Ada, not {{ nobody }}."
    assert told["assistant"]["endCallPhrases"] == ["so long"]
    assert told["variableValues"] == {"name": "Ada"}


async def test_an_inline_assistant_reaches_the_bot_and_what_is_ignored_is_told(
    house: House, page: httpx.AsyncClient
) -> None:
    model = {"provider": "openai", "model": "gpt-4o"}
    body = {
        "assistant": {"name": "Quiz of mine", "model": model, "firstMessage": "Hi."},
        "assistantOverrides": {
            "firstMessage": "Ho.",
            "serverMessages": ["transfer-update"],
            "serverUrlSecret": "of nobody",
        },
        "assistantVersion": "7",
    }
    answer = await page.post(START, json=body)
    assert answer.status_code == 201, answer.text
    call = answer.json()
    assert call["ignored"] == [
        "assistant.model",
        "assistantOverrides.serverMessages: transfer-update",
        "assistantOverrides.serverUrlSecret",
        "assistantVersion",
    ]
    session = await house.session(call["id"])
    assert session.assistant == "cards"
    told = session.body["vapi"]["assistant"]
    assert (told["model"], told["firstMessage"]) == (model, "Ho.")
    assert (await page.post(START, json={"assistant": {"name": "quiz"}})).json()[
        "assistantId"
    ] == "quiz"


async def test_where_messages_go_is_kept_from_the_bot(
    house: House, page: httpx.AsyncClient
) -> None:
    server = {"url": "https://app.example/vapi", "secret": "hunter2"}
    call = await called(page, assistantOverrides={"server": server})
    assert "hunter2" not in str(call)
    session = await house.session(call["id"])
    assert session.body["vapi"]["server"] == {
        "url": "https://app.example/vapi",
        "headers": {"X-Vapi-Secret": "hunter2"},
    }
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    from greenroom.service.specs import spec_of

    spec = spec_of(session, await house.parts.entrance.bot(session))
    assert "hunter2" not in spec.to_json()
    assert "app.example" not in spec.to_json()


REFUSED: list[tuple[Json, str, str]] = [
    ({"assistantId": None}, "bad_request", "assistantId"),
    ({"squadId": "s"}, "unsupported_call", "squadId"),
    ({"workflow": {}}, "unsupported_call", "workflow"),
    (
        {"assistantOverrides": {"maxDurationSeconds": 601}},
        "bad_request",
        "assistantOverrides.maxDurationSeconds",
    ),
    (
        {"assistant": {"silenceTimeoutSeconds": 121}},
        "bad_request",
        "assistant.silenceTimeoutSeconds",
    ),
    (
        {"assistantOverrides": {"firstMessage": 7}},
        "bad_request",
        "assistantOverrides.firstMessage",
    ),
    (
        {"assistantOverrides": {"credentials": [{"apiKey": "x"}]}},
        "bad_request",
        "assistantOverrides.credentials",
    ),
    ({"assistantOverrides": {"serverUrl": "http://app.example"}}, "bad_request", "server.url"),
    (
        {"assistantOverrides": {"serverUrl": "https://u:p@app.example"}},
        "bad_request",
        "assistantOverrides.serverUrl",
    ),
    (
        {"assistantOverrides": {"server": {"url": "https://a.example", "headers": {"Host": "b"}}}},
        "bad_request",
        "assistantOverrides.server.headers",
    ),
    (
        {
            "assistantOverrides": {
                "server": {"url": "https://a.example", "headers": {"X-A": "b\r\nc: d"}}
            }
        },
        "bad_request",
        "assistantOverrides.server.headers",
    ),
]


async def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    house: House, page: httpx.AsyncClient
) -> None:
    for asked, code, field in REFUSED:
        answer = await page.post(START, json={"assistantId": "cards", **asked})
        assert refused(answer) == (400, code, field), asked
    assert await house.parts.store.unended() == []


async def test_who_may_not_is_told_in_vapis_words(house: House, web: httpx.AsyncClient) -> None:
    asked = {"assistantId": "cards"}
    assert refused(await web.post(START, json=asked))[:2] == (401, "no_public_key")
    web.headers.update(await key_of(house, Scope.READ))
    assert refused(await web.post(START, json=asked))[:2] == (403, "forbidden")
    web.headers.update(await key_of(house, Scope.START))
    unknown = await web.post(START, json={"assistantId": "nobody"})
    assert refused(unknown)[:2] == (404, "not_found")
    assert refused(await web.post(START, content=b"{"))[:2] == (400, "bad_request")
    assert refused(await web.get("/call/nothing"))[:2] == (403, "forbidden")
    large = {"assistantId": "cards", "assistantOverrides": {"metadata": {"a": "b" * 200_000}}}
    assert refused(await web.post(START, json=large))[:2] == (413, "too_large")
    assert not house.launcher.orders


async def test_a_room_that_cannot_be_had_leaves_no_bot_behind(
    house: House, daily: DailyStandIn, page: httpx.AsyncClient
) -> None:
    daily.faults.order(Fault(500, "POST", times=None))
    answer = await page.post(START, json={"assistantId": "cards"})
    assert refused(answer)[:2] == (503, "rooms_unavailable")
    (session,) = await house.parts.store.unended()
    assert (session.stage, session.reason) == (Stage.ENDING, EndReason.LAUNCH_FAILED)


async def test_a_server_with_a_private_key_sees_its_calls(
    house: House, page: httpx.AsyncClient
) -> None:
    call = await called(page)
    page.headers.update(await key_of(house, Scope.READ))
    seen = (await page.get(f"/call/{call['id']}")).json()
    assert (seen["id"], seen["status"], seen["assistantId"]) == (call["id"], "ringing", "cards")
    assert "transport" not in seen, "nobody but the page is told how to get in"
    plain = (await house.sessions.start("ada", None)).session
    assert refused(await page.get(f"/call/{plain.id}"))[:2] == (404, "not_found")
    page.headers.update(await key_of(house, Scope.READ, tenant="zeta"))
    assert refused(await page.get(f"/call/{call['id']}"))[:2] == (404, "not_found")


async def test_older_sdks_join_an_open_room_without_a_token_if_that_is_set(
    house: House,
    daily: DailyStandIn,
    page: httpx.AsyncClient,
    webhook: Json,
    capsys: pytest.CaptureFixture[str],
) -> None:
    object.__setattr__(house.parts, "call_door", Door.OPEN)
    page._transport = httpx.ASGITransport(build_app(house.parts), client=("127.0.0.1", 1))
    first, second = await called(page), await called(page)
    name = first["webCallUrl"].rsplit("/", 1)[-1]
    assert len(name) == len("open-") + 32
    assert first["webCallUrl"] != second["webCallUrl"], "a room a call"
    session = await house.session(first["id"])
    spec = await house.parts.entrance.bot(session)
    bot = daily.join(name, spec.token)
    user = daily.join(name)  # as plain daily-js does
    with pytest.raises(JoinRefused, match="full"):
        daily.join(name)
    await daily.webhooks.deliver()
    session = await house.session(first["id"])
    assert (session.stage, session.participant) == (Stage.ACTIVE, user.id)
    daily.leave(user)
    await daily.webhooks.deliver()
    session = await house.session(first["id"])
    assert (session.stage, session.reason) == (Stage.ENDING, EndReason.LEFT)
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    await house.launcher.exit(session.launch_id, ExitCause.ENDED)
    await house.until(lambda session: session.stage is Stage.ENDED, session.id)
    await house.until_true(lambda: not bot.present)
    with pytest.raises(JoinRefused, match="expired"):
        daily.join(name)
    assert name not in capsys.readouterr().out, "the log tells nobody how to get in"
    plain = (await house.sessions.start("ada", None)).session
    assert plain.room.startswith("voice-"), "no other room is open"


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = [*Assistant.model_fields, "credentials", "model"]
_PARTS = st.dictionaries(st.sampled_from(list(map(to_camel, _NAMES))), _JSON, max_size=4)


@settings(max_examples=40)
@given(assistant=st.none() | _PARTS, overrides=st.none() | _PARTS, more=_JSON)
def test_whatever_is_asked_for_is_a_plan_or_refused(
    assistant: Json | None, overrides: Json | None, more: Any
) -> None:
    asked = {"assistant": assistant, "assistantOverrides": overrides, "metadata": more}
    try:
        plan = plan_of(CreateWebCall.model_validate({"assistantId": "cards", **asked}))
    except (ValidationError, BadRequest):
        return
    assert plan.assistant == "cards"
    json.dumps(plan.body)


async def test_nobody_makes_a_call_of_a_session_by_another_door(
    house: House, web: httpx.AsyncClient
) -> None:
    """What a call's plan says is posted to addresses, so only the door that checks it writes it."""
    planned = {"vapi": {"server": {"url": "http://169.254.169.254/", "headers": {}}}}
    for path in ("/api/voice/session", "/start"):
        answer = await web.post(path, json={"createDailyRoom": True, "body": planned})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert answer.json()["facts"]["field"] == "body.vapi"
    assert await house.parts.store.unended() == []


async def test_a_start_is_on_the_audit_log(house: House, page: httpx.AsyncClient) -> None:
    call = await called(page)
    lines = await house.parts.store.audit.listed(limit=10)
    assert (Act.START, call["id"]) in [(line.act, line.target) for line in lines]


async def test_on_rooms_of_its_own_a_server_says_what_to_set(server_of_its_own: Any) -> None:
    answer = await server_of_its_own.post(START, json={"assistantId": "cards"})
    assert refused(answer)[:2] == (400, "unsupported_transport")
    assert "GREENROOM_ROOMS=daily" in answer.json()["message"]


@pytest.fixture
async def server_of_its_own(store: Any, quotas: Quotas) -> Any:
    from greenroom.service.sessions import Assistant
    from greenroom.session.model import Limits
    from tests.conftest import a_house

    cards = Assistant("cards", "greenroom.bot.cards", "Cards", Limits())
    plan = assembly.Plan(SECRET, True, [cards], None, 1 << 29, hosts=["127.0.0.1"])
    async with a_house(store, plan) as house:
        app = httpx.ASGITransport(build_app(house.parts), client=("127.0.0.1", 1))
        headers = await key_of(house, Scope.START)
        async with httpx.AsyncClient(
            transport=app, base_url="http://127.0.0.1", headers=headers
        ) as client:
            yield client
