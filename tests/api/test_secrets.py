"""Nothing secret in answers or logs, whatever is sent and whatever goes wrong."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from greenroom import assembly
from greenroom.errors import Unavailable
from greenroom.logs import configure_logs
from greenroom.ports.keys import ApiKey
from greenroom.wire.keys import Scope
from tests.api.test_keys import START, a_server, make
from tests.api.test_operators import operator
from tests.conftest import House

INSTALLATION_SECRET = secrets.token_hex(32)


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    """As a public server: whoever shows nothing is nobody."""
    return replace(plan, secret=INSTALLATION_SECRET, anonymous=False)


@dataclass
class Overheard:
    """All that was answered and logged, and all that must not be in it."""

    text: io.StringIO = field(default_factory=io.StringIO)
    secrets: dict[str, str] = field(default_factory=dict)

    def keep(self, what: str, secret: str) -> str:
        self.secrets[what] = secret
        return secret

    async def hear(self, answer: httpx.Response) -> None:
        await answer.aread()
        self.text.write(f"{answer.status_code} {answer.headers}\n{answer.text}\n")

    def leaked(self) -> list[str]:
        """What is in there: whole, or in half."""
        text = self.text.getvalue()
        halves = {what: (s[: len(s) // 2], s[len(s) // 2 :]) for what, s in self.secrets.items()}
        return [what for what, parts in halves.items() if any(part in text for part in parts)]


@pytest.fixture(params=[True, False], ids=["json", "lines"])
def overheard(request: pytest.FixtureRequest) -> Iterator[Overheard]:
    """Everything that is logged: ours at the most talkative level, the libraries' as served."""
    kept = structlog.get_config()
    heard = Overheard()
    configure_logs("debug", as_json=request.param)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(heard.text), cache_logger_on_first_use=False
    )
    handler = logging.StreamHandler(heard.text)
    logging.getLogger().addHandler(handler)
    yield heard
    logging.getLogger().removeHandler(handler)
    structlog.configure(**kept)


_PATHS = (
    ("GET", f"{START}/current"),
    ("POST", START),
    ("GET", f"{START}/ses_1"),
    ("DELETE", f"{START}/ses_1"),
    ("POST", f"{START}/ses_1/ticket"),
    ("POST", "/start"),
    ("POST", "/api/offer"),
    ("POST", "/api/tokens"),
    ("GET", "/api/voice/config"),
    ("GET", "/api/operator/sessions"),
    ("GET", "/api/operator/keys"),
    ("GET", "/api/operator/audit"),
    ("POST", "/api/emergency/resume"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/nothing-there"),
)


async def _knock_everywhere(house: House, overheard: Overheard, headers: dict[str, str]) -> None:
    async with house.client(**headers) as client:
        for method, path in _PATHS:
            wrong = {"assistant": 7, "name": 7, "userId": 7, "sdp": 7}
            body = wrong if method == "POST" else None
            await overheard.hear(await client.request(method, path, json=body))


async def _all_secrets(house: House, overheard: Overheard) -> dict[str, str]:
    """One of each kind of credential, good and bad, by its name."""
    identity = house.parts.identity
    keep = overheard.keep
    good = (await make(house, *Scope, name="everything"))["key"]
    revoked = await make(house, Scope.READ, name="revoked")
    async with operator(house) as ops:
        await ops.delete(f"/api/operator/keys/{revoked['line']['id']}")
    keep("the installation's secret", INSTALLATION_SECRET)
    return {
        "user": keep("a user's token", identity.token_for("ada", 60)),
        "old user": keep("an old token", identity.token_for("ada", -60)),
        "operator": keep("an operator's token", identity.operator_token("ops", 60)),
        "key": keep("a key", good)[:],
        "revoked": keep("a revoked key", revoked["key"]),
        "unknown": keep("an unknown key", "gr_" + secrets.token_urlsafe(32)),
        "forged": keep("a forged token", identity.token_for("eve", 60)[:-9] + "A" * 9),
        "odd": keep("something odd", "basic-" + secrets.token_urlsafe(24)),
        "installation": INSTALLATION_SECRET,
    }


def _unprefixed(overheard: Overheard) -> None:
    """What is shown of a key on purpose, its first nine characters, is no secret."""
    for what, secret in overheard.secrets.items():
        if secret.startswith("gr_"):
            overheard.secrets[what] = secret[9:]
        if secret.count(".") == 2:  # a token's header is the same in all of them
            overheard.secrets[what] = secret.partition(".")[2]


@pytest.mark.parametrize("overheard", [True], ids=["json"], indirect=True)
async def test_no_secret_is_in_any_answer_or_log(server: House, overheard: Overheard) -> None:
    credentials = await _all_secrets(server, overheard)
    _unprefixed(overheard)
    for token in credentials.values():
        named = {"x-greenroom-user": "ada"} if token.startswith("gr_") else {}
        await _knock_everywhere(server, overheard, {"authorization": f"Bearer {token}", **named})
        for headers in (
            {"authorization": f"Basic {token}"},
            {"authorization": token},
            {"cookie": f"greenroom_visitor={token}"},
            {"x-greenroom-user": token},
            {"x-greenroom-tenant": token},
        ):
            async with server.client(**headers) as client:
                await overheard.hear(await client.get(f"{START}/current?token={token}"))
        await _try_sockets(server, token)
    assert "login.refused" in overheard.text.getvalue(), "the logs were heard"
    assert overheard.leaked() == []


async def _try_sockets(house: House, token: str) -> None:
    address = house.address.replace("http", "ws", 1)
    async with connect(f"{address}/ws") as page:
        await page.send(json.dumps({"type": "subscribe", "ticket": token, "after": 0}))
        assert json.loads(await page.recv())["type"] == "refused"
        with pytest.raises(ConnectionClosed):
            await page.recv()
    headers = {"authorization": f"Bearer {token}", "x-greenroom-launch": "lau_1"}
    async with connect(f"{address}/link", additional_headers=headers) as bot:
        with pytest.raises(ConnectionClosed):
            await bot.recv()


_WHERE = {"keys.by_digest": "keys.SqlKeys.by_digest", "live_of": "sql.SqlStore.live_of"}


async def test_no_secret_is_in_a_failure_of_ours(
    server: House, overheard: Overheard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake within, and a database that is away, in the midst of looking at a key."""
    key = (await make(server, *Scope))["key"]
    token = server.parts.identity.token_for("ada", 60)
    overheard.keep("a key", key[9:])
    overheard.keep("a token", token.partition(".")[2])

    def breaks(error: Exception) -> Any:
        async def broken(*args: object, **kwargs: object) -> ApiKey | None:
            raise error

        return broken

    by_key = {"authorization": f"Bearer {key}", "x-greenroom-user": "ada"}
    for error in (RuntimeError("in the middle"), Unavailable("The database is away.")):
        for name in ("keys.by_digest", "live_of"):
            with monkeypatch.context() as patched:
                patched.setattr(f"greenroom.store.{_WHERE[name]}", breaks(error))
                for headers in (by_key, {"authorization": f"Bearer {token}"}):
                    async with server.client(**headers) as client:
                        await overheard.hear(await client.post(START, json={}))
                        await overheard.hear(await client.get(f"{START}/current"))
    assert "api.uncaught" in overheard.text.getvalue()
    assert overheard.leaked() == []


async def test_what_a_good_key_makes_is_told_to_nobody_else(
    server: House, overheard: Overheard
) -> None:
    """New keys, tokens and tickets are in the one answer that is for them, and in no log."""
    async with await a_server(server, *Scope) as app:
        minted = await app.post("/api/tokens", json={"userId": "ada"})
        overheard.keep("a minted token", minted.json()["token"].partition(".")[2])
        started = await app.post(START, json={})
        overheard.keep("a ticket", started.json()["ticket"])
        made = await app.post("/api/operator/keys", json={"name": "k", "scopes": ["metrics"]})
        overheard.keep("a new key", made.json()["key"][9:])
        for path in ("/api/operator/keys", "/api/operator/audit", "/metrics"):
            await overheard.hear(await app.get(path))
    assert "key.made" in overheard.text.getvalue()
    assert overheard.leaked() == []
