"""Daily's stand-in: as strict, as late and as limited as Daily's documents say that Daily is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import jwt
import pytest
from pipecat.runner.daily import configure
from pipecat.transports.daily.utils import (
    DailyMeetingTokenParams,
    DailyMeetingTokenProperties,
    DailyRESTHelper,
    DailyRoomParams,
    DailyRoomProperties,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused
from tests.daily.command import ServedDaily

NOW = 1_800_000_000.0


class Endpoint:
    """Where the stand-in's webhooks go."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.app = Starlette(routes=[Route("/daily", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)

    @property
    def events(self) -> list[str]:
        return [json.loads(body).get("type", "test") for _, body in self.got]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def daily(clock: FakeClock, endpoint: Endpoint) -> AsyncIterator[DailyStandIn]:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(endpoint.app))
    stand_in = DailyStandIn(now=clock.now, client=client)
    yield stand_in
    await stand_in.close()


@pytest.fixture
async def api(daily: DailyStandIn) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {daily.api_key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(daily.app), base_url="http://daily/v1", headers=headers
    ) as client:
        yield client


def self_signed(daily: DailyStandIn, room: str, **claims: Any) -> str:
    always = {"r": room, "d": daily.domain_id, "iat": int(NOW)}
    return jwt.encode({**always, **claims}, daily.api_key, algorithm="HS256")


def refused(daily: DailyStandIn, room: str, token: str | None = None) -> str:
    with pytest.raises(JoinRefused) as refusal:
        daily.join(room, token)
    return refusal.value.reason


# ---- the API


@pytest.mark.parametrize(
    ("body", "info"),
    [
        ({"nam": "x"}, "unknown parameter 'nam'"),
        ({"properties": {"enable_knock": True}}, "unknown parameter 'properties.enable_knock'"),
        ({"properties": {"enable_chat": "no"}}, "properties.enable_chat"),
        ({"properties": {"max_participants": 0}}, "properties.max_participants"),
        ({"properties": {"nbf": 20, "exp": 10}}, "nbf"),
        ({"name": "with space"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"privacy": "org"}, "privacy"),
    ],
)
async def test_what_is_unknown_or_wrong_is_refused_in_dailys_shape(
    api: httpx.AsyncClient, body: dict[str, Any], info: str
) -> None:
    answer = await api.post("/rooms", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid-request-error"
    assert info in answer.json()["info"]
    assert answer.json().keys() == {"error", "info"}


@pytest.mark.parametrize(
    ("header", "status", "error"),
    [
        (None, 400, "authorization-header-error"),
        ("Basic x", 400, "authorization-header-error"),
        ("Bearer wrong", 401, "authentication-error"),
    ],
)
async def test_a_key_is_needed(
    api: httpx.AsyncClient, header: str | None, status: int, error: str
) -> None:
    api.headers.pop("Authorization")
    answer = await api.get("/", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_rooms_are_made_found_changed_listed_and_deleted(
    api: httpx.AsyncClient, clock: FakeClock
) -> None:
    made = (await api.post("/rooms", json={"name": "a", "properties": {"exp": NOW + 60}})).json()
    assert made["privacy"] == "public"  # as Daily does, unless it is told otherwise
    assert made["url"] == "https://stand-in.daily.co/a"
    again = await api.post("/rooms", json={"name": "a"})
    assert (again.status_code, again.json()["error"]) == (400, "invalid-request-error")
    assert "already exists" in again.json()["info"]
    changed = await api.post("/rooms/a", json={"privacy": "private", "properties": {"exp": None}})
    assert changed.json() == {**made, "privacy": "private", "config": {}}
    assert (await api.get("/rooms/a")).json() == changed.json()
    assert (await api.get("/rooms")).json() == {"total_count": 1, "data": [changed.json()]}
    assert (await api.delete("/rooms/a")).json() == {"deleted": True, "name": "a"}
    clock.advance(1)
    for gone in (await api.get("/rooms/a"), await api.delete("/rooms/a")):
        assert (gone.status_code, gone.json()["error"]) == (404, "not-found")


async def test_more_than_the_limits_is_429_until_its_time(
    api: httpx.AsyncClient, clock: FakeClock
) -> None:
    statuses = [(await api.get("/")).status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    lists = [await api.get("/rooms") for _ in range(3)]
    assert [answer.status_code for answer in lists] == [200, 200, 429]
    assert lists[2].json()["error"] == "rate-limit-error"
    clock.advance(float(lists[2].headers["Retry-After"]))
    assert (await api.get("/rooms")).status_code == 200
    # DELETE has the same, smaller rate.
    deletes = [(await api.delete("/rooms/x")).status_code for _ in range(2)]
    assert deletes == [404, 429]


async def test_faults_strike_whom_they_are_meant_for(
    daily: DailyStandIn, api: httpx.AsyncClient, clock: FakeClock
) -> None:
    daily.faults.order(Fault(500, "POST", "/rooms", done=True))
    assert (await api.get("/")).status_code == 200
    lost = await api.post("/rooms", json={"name": "a"})
    assert (lost.status_code, lost.json()["error"]) == (500, "server-error")
    assert (await api.get("/rooms/a")).status_code == 200  # it was made all the same
    daily.faults.order(Fault(429, times=None, until=NOW + 60))
    assert (await api.get("/")).headers["Retry-After"] == "60"
    clock.advance(60)
    assert (await api.get("/")).status_code == 200


# ---- tokens


async def test_tokens_by_rest_say_the_same_as_self_signed_ones(
    daily: DailyStandIn, api: httpx.AsyncClient
) -> None:
    wish = {"room_name": "a", "user_id": "u1", "exp": int(NOW + 60), "eject_at_token_exp": True}
    token = (await api.post("/meeting-tokens", json={"properties": wish})).json()["token"]
    assert (await api.get(f"/meeting-tokens/{token}")).json() == wish
    own = self_signed(daily, "a", ud="u1", exp=int(NOW + 60), ejt=True)
    assert (await api.get(f"/meeting-tokens/{own}")).json() == wish


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 1}, {"nbf": NOW + 9}, {"d": "another"}, {"user_id": "long name"}]
)
async def test_a_token_that_is_not_good_is_refused(
    daily: DailyStandIn, api: httpx.AsyncClient, claims: dict[str, Any]
) -> None:
    await api.post("/rooms", json={"name": "a", "privacy": "private"})
    token = self_signed(daily, "a", **claims)
    assert (await api.get(f"/meeting-tokens/{token}")).status_code == 400
    assert refused(daily, "a", token) == "bad_token"


async def test_a_user_id_is_36_characters_at_the_most(api: httpx.AsyncClient) -> None:
    answer = await api.post("/meeting-tokens", json={"properties": {"user_id": "x" * 37}})
    assert answer.status_code == 400


async def test_a_token_dies_with_the_key_that_signed_it(
    daily: DailyStandIn, api: httpx.AsyncClient
) -> None:
    await api.post("/rooms", json={"name": "a", "privacy": "private"})
    token = self_signed(daily, "a")
    daily.api_keys.clear()
    assert refused(daily, "a", token) == "bad_token"


# ---- people


async def test_who_gets_into_a_private_room(
    daily: DailyStandIn, api: httpx.AsyncClient, clock: FakeClock
) -> None:
    properties = {"max_participants": 2, "exp": NOW + 60, "enforce_unique_user_ids": True}
    await api.post("/rooms", json={"name": "a", "privacy": "private", "properties": properties})
    assert refused(daily, "b") == "no_room"
    assert refused(daily, "a") == "not_allowed"
    assert refused(daily, "a", self_signed(daily, "b")) == "wrong_room"
    first = daily.join("a", self_signed(daily, "a", ud="u1", u="Ada"), user_name="bot")
    assert (first.user_id, first.user_name, first.owner) == ("u1", "bot", False)
    again = daily.join("a", self_signed(daily, "a", ud="u1"))
    assert not first.present
    daily.join("a", self_signed(daily, "a", ud="u2", o=True))
    assert refused(daily, "a", self_signed(daily, "a", ud="u3")) == "full"
    answer = await api.post("/rooms/a/eject", json={"user_ids": ["u1", "nobody"], "ban": True})
    assert answer.json() == {"ejectedIds": [again.id]}
    assert refused(daily, "a", self_signed(daily, "a", ud="u1")) == "banned"
    clock.advance(60)
    assert refused(daily, "a", self_signed(daily, "a", ud="u3")) == "expired"


async def test_a_hundred_are_ejected_at_once_and_no_more(api: httpx.AsyncClient) -> None:
    await api.post("/rooms", json={"name": "a"})
    ids = [str(number) for number in range(101)]
    assert (await api.post("/rooms/a/eject", json={"ids": ids[:100]})).status_code == 200
    assert (await api.post("/rooms/a/eject", json={"ids": ids})).status_code == 400


async def test_tokens_and_rooms_eject_when_their_time_has_come(
    daily: DailyStandIn, api: httpx.AsyncClient, clock: FakeClock
) -> None:
    properties = {"exp": NOW + 90, "eject_at_room_exp": True}
    await api.post("/rooms", json={"name": "a", "properties": properties})
    by_token = daily.join("a", self_signed(daily, "a", exp=int(NOW + 30), ejt=True))
    no_word = daily.join("a", self_signed(daily, "a", exp=int(NOW + 30)))
    after = daily.join("a", self_signed(daily, "a", eje=60))
    left = []
    for _ in range(3):
        clock.advance(30)
        daily.settle()
        left.append([one.present for one in (by_token, no_word, after)])
    assert left == [[False, True, True], [False, True, False], [False, False, False]]


async def test_presence_is_late_both_ways(
    daily: DailyStandIn, api: httpx.AsyncClient, clock: FakeClock
) -> None:
    async def seen() -> list[str]:
        return [one["userName"] for one in (await api.get("/rooms/a/presence")).json()["data"]]

    await api.post("/rooms", json={"name": "a"})
    ada = daily.join("a", user_name="Ada")
    assert await seen() == []
    clock.advance(15)
    assert await seen() == ["Ada"]
    daily.leave(ada)
    assert await seen() == ["Ada"]
    clock.advance(15)
    assert await seen() == []


async def test_app_messages_reach_the_others(daily: DailyStandIn, api: httpx.AsyncClient) -> None:
    await api.post("/rooms", json={"name": "a"})
    ada, bot = daily.join("a"), daily.join("a")
    daily.say(ada, {"hello": 1})
    await api.post("/rooms/a/send-app-message", json={"data": {"to": "ada"}, "recipient": ada.id})
    assert (ada.inbox, bot.inbox) == ([{"to": "ada"}], [{"hello": 1}])
    large = await api.post("/rooms/a/send-app-message", json={"data": {"x": "x" * 4096}})
    assert large.status_code == 400


# ---- webhooks


async def subscribe(api: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await api.post("/webhooks", json={"url": "http://app/daily", **more})


async def test_a_webhook_is_made_when_its_endpoint_takes_the_test(
    api: httpx.AsyncClient, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    answer = await subscribe(api)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-request-error")
    endpoint.status = 200
    made = (await subscribe(api, hmac=base64.b64encode(b"secret").decode())).json()
    assert (made["state"], made["failedCount"]) == ("ACTIVE", 0)
    assert (await api.get("/webhooks")).json() == [made]
    assert (await api.get(f"/webhooks/{made['uuid']}")).json() == made
    assert endpoint.events == ["test", "test"]
    assert (await api.delete(f"/webhooks/{made['uuid']}")).status_code == 200
    assert (await api.get("/webhooks")).json() == []


async def test_events_are_signed_and_come_late_or_in_any_order(
    daily: DailyStandIn, api: httpx.AsyncClient, endpoint: Endpoint, clock: FakeClock
) -> None:
    secret = (await subscribe(api)).json()["hmac"]
    await api.post("/rooms", json={"name": "a"})
    daily.leave(daily.join("a", user_name="Ada"))
    await daily.webhooks.deliver(order=lambda due: due[::-1])
    assert endpoint.events[1:] == ["participant.left", "participant.joined", "meeting.started"]
    clock.advance(20)
    await daily.webhooks.deliver()
    assert endpoint.events[-1] == "meeting.ended"
    headers, body = endpoint.got[-1]
    message = headers["x-webhook-timestamp"].encode() + b"." + body
    digest = hmac.new(base64.b64decode(secret), message, hashlib.sha256).digest()
    assert headers["x-webhook-signature"] == base64.b64encode(digest).decode()
    joined = json.loads(endpoint.got[2][1])["payload"]
    assert (joined["room"], joined["user_name"], joined["joined_at"]) == ("a", "Ada", NOW)


async def test_an_endpoint_that_fails_three_times_hears_nothing_more(
    daily: DailyStandIn, api: httpx.AsyncClient, endpoint: Endpoint
) -> None:
    await subscribe(api, eventTypes=["participant.joined"])
    await api.post("/rooms", json={"name": "a"})
    endpoint.status = 503
    for _ in range(4):
        daily.join("a")
    assert await daily.webhooks.deliver() == 0
    assert endpoint.events[1:] == ["participant.joined"] * 3
    assert (await api.get("/webhooks")).json()[0]["state"] == "FAILED"


# ---- official clients, and the command


async def test_pipecats_own_helper_works_against_the_command_as_against_daily(
    served: ServedDaily, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, key = served.address, served.key
    async with aiohttp.ClientSession() as session:
        helper = DailyRESTHelper(daily_api_key=key, daily_api_url=address, aiohttp_session=session)
        properties = DailyRoomProperties(exp=4_000_000_000.5, max_participants=2)
        room = await helper.create_room(
            DailyRoomParams(name="helper", privacy="private", properties=properties)
        )
        assert (room.privacy, room.config.max_participants) == ("private", 2)
        assert await helper.get_room_from_url(room.url) == room
        says = DailyMeetingTokenProperties(user_name="Ada", user_id="ada", start_video_off=True)
        token = await helper.get_token(room.url, params=DailyMeetingTokenParams(properties=says))
        claims = jwt.decode(token, key, algorithms=["HS256"])
        assert (claims["r"], claims["ud"], claims["u"]) == ("helper", "ada", "Ada")
        assert (claims["o"], claims["ejt"]) == (True, False)  # what the helper forces
        with pytest.raises(Exception, match="already exists"):
            await helper.create_room(DailyRoomParams(name="helper"))
        assert await helper.delete_room_by_url(room.url)
        assert await helper.delete_room_by_url(room.url)  # 404 is fine with it
        with pytest.raises(Exception, match="Room not found"):
            await helper.get_room_from_url(room.url)
        # What Pipecat's runner does for `--transport daily`.
        monkeypatch.setenv("DAILY_API_URL", address)
        config = await configure(session, api_key=key)
        assert config.room_url.startswith("https://stand-in.daily.co/pipecat-")
        sip = await configure(session, api_key=key, sip_caller_phone="+15551234567")
        assert (sip.sip_endpoint or "").startswith("sip:")
