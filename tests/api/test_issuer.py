"""Users whom somebody else's sign-in has signed: a real key set over HTTP, and its rotation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.types import Receive, Scope, Send

from greenroom import assembly
from greenroom.errors import IssuerUnavailable, Unauthorized, Unavailable
from greenroom.outbound.keyset import MAX_BYTES, FileKeySet, HttpKeySet
from greenroom.service import policies
from greenroom.service.issuer import AGAIN_S, FRESH_S, STALE_S, Issuer
from greenroom.service.policies import Outside, Policy
from tests.conftest import SECRET, House
from tests.listening import listening

ISSUER, AUDIENCE = "https://signin.example", "greenroom"
CURRENT = "/api/voice/session/current"


@cache
def private_key(kind: str) -> Any:
    """A key pair; made once, because RSA takes its time."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(public_exponent=65_537, key_size=int(kind[3:]))
    return ec.generate_private_key(ec.SECP256R1()) if kind[:2] == "EC" else _edwards()


def _edwards() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


def public_jwk(kind: str, key_id: str, **more: str) -> dict[str, Any]:
    public = private_key(kind).public_key()
    algorithm: Any = {"RS": RSAAlgorithm, "EC": ECAlgorithm, "Ed": OKPAlgorithm}[kind[:2]]
    return {**algorithm.to_jwk(public, as_dict=True), "kid": key_id, **more}


def claims(**changed: Any) -> dict[str, Any]:
    """What the sign-in says of Ada; None takes a claim out."""
    now = int(time.time())
    said = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": now + 60, "tenant": "acme"}
    return {name: value for name, value in {**said, **changed}.items() if value is not None}


def signed(
    kind: str = "EC", algorithm: str = "ES256", key_id: str | None = "one", **changed: Any
) -> str:
    headers = {"kid": key_id} if key_id is not None else {}
    return jwt.encode(claims(**changed), private_key(kind), algorithm, headers)


_HEADER = b'{"alg": "ES256", "kid": "one"}'


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], secret: bytes = b"") -> str:
    """A token that no library would sign."""
    body = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims()))
    signature = hmac.new(secret, body.encode(), hashlib.sha256).digest() if secret else b""
    return f"{body}.{_encoded(signature)}"


@dataclass
class SignIn:
    """An application's sign-in, which publishes its keys."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    asked: int = 0
    port: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.answers.wait()
        headers = [(b"location", b"/elsewhere")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        await send({"type": "http.response.body", "body": body})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/.well-known/jwks.json"


@dataclass
class Watch:
    at_s: float = 1_000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
async def sign_in() -> AsyncIterator[SignIn]:
    made = SignIn([public_jwk("EC", "one")])
    async with listening(made) as port:
        made.port = port
        made.answers.set()
        yield made
        made.answers.set()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def plan(plan: assembly.Plan, sign_in: SignIn, watch: Watch) -> assembly.Plan:
    """A house that believes this sign-in."""
    keys = HttpKeySet(sign_in.url)
    return replace(plan, issuer=Issuer(keys, ISSUER, AUDIENCE, monotonic=watch))


@pytest.fixture(autouse=True)
def _no_pause_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Policy(2.0, attempts=2, first_wait_s=0.01, jitter_s=0)
    monkeypatch.setitem(policies.POLICIES, Outside.KEY_SET, quick)


async def ask(house: House, token: str, path: str = CURRENT) -> tuple[int, str]:
    """What this token is answered: its status, and its code if it is refused."""
    async with house.client(authorization=f"Bearer {token}") as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()["code"] if answer.is_error else ""


OK, REFUSED, UNKNOWN = (204, ""), (401, "unauthorized"), (503, "issuer_unavailable")


async def test_a_user_whom_the_sign_in_has_signed_is_that_user(
    server: House, sign_in: SignIn
) -> None:
    async with server.client(authorization=f"Bearer {signed()}") as page:
        started = await page.post("/api/voice/session", json={})
        session = await server.session(started.json()["session"]["sessionId"])
    assert (session.user_id, session.tenant) == ("ada", "acme")
    assert await ask(server, server.parts.identity.token_for("bob", 60)) == OK, "ours hold too"
    assert sign_in.asked == 1, "the keys are kept"


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("RSA2048", "RS256"), ("RSA2048", "PS512"), ("EC", "ES256"), ("Ed", "EdDSA")],
)
async def test_each_algorithm(server: House, sign_in: SignIn, kind: str, algorithm: str) -> None:
    sign_in.keys = [public_jwk(kind, "one", alg=algorithm, use="sig")]
    assert await ask(server, signed(kind, algorithm)) == OK


def _pem(kind: str) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public: bytes = private_key(kind).public_key().public_bytes(serialization.Encoding.PEM, form)
    return public


_FORGED: dict[str, Callable[[], str]] = {
    "another issuer": lambda: signed(iss="https://other.example"),
    "no issuer": lambda: signed(iss=None),
    "for somebody else": lambda: signed(aud="billing"),
    "for nobody": lambda: signed(aud=None),
    "too old": lambda: signed(exp=int(time.time()) - 60),
    "good for ever": lambda: signed(exp=None),
    "not yet": lambda: signed(nbf=int(time.time()) + 60),
    "no user": lambda: signed(sub=None),
    "an empty user": lambda: signed(sub=""),
    "a number for a user": lambda: signed(sub=7),
    "an endless user": lambda: signed(sub="x" * 256),
    "a list for a tenant": lambda: signed(tenant=["acme"]),
    "an empty tenant": lambda: signed(tenant=""),
    "another's key of the same id": lambda: signed("EC-eve"),
    "no key id": lambda: signed(key_id=None),
    "another algorithm of the same key": lambda: signed("RSA2048", "PS256", "rsa"),
    "a short key": lambda: signed("RSA1024", "RS256", "short"),
    "a key for encryption": lambda: signed("Ed", "EdDSA", "enc"),
    "alg none": lambda: by_hand({"alg": "none", "kid": "one"}),
    "alg nOnE": lambda: by_hand({"alg": "nOnE", "kid": "one"}),
    "alg missing": lambda: by_hand({"kid": "one"}),
    "the public key as a shared secret": lambda: by_hand(
        {"alg": "HS256", "kid": "one"}, _pem("EC")
    ),
    "the same with RSA": lambda: by_hand({"alg": "HS256", "kid": "rsa"}, _pem("RSA2048")),
    "a shared secret from the set": lambda: by_hand({"alg": "HS256", "kid": "oct"}, b"hunter2"),
    "an empty shared secret": lambda: by_hand({"alg": "HS256", "kid": "one"}),
    "ours, but with another algorithm": lambda: by_hand(
        {"alg": "ES256", "kid": "one"}, SECRET.encode()
    ),
    "a key by its own address": lambda: by_hand({"alg": "ES256", "jku": "http://127.0.0.1:1"}, b""),
    "an algorithm that is a list": lambda: by_hand({"alg": ["ES256"], "kid": "one"}),
    "a key id that is a number": lambda: by_hand({"alg": "ES256", "kid": 1}, b""),
    "a header without an end": lambda: _encoded(b"[" * 6_000) + ".e30.",
    "claims without an end": lambda: f"{_encoded(_HEADER)}.{_encoded(b'[' * 6_000)}.",
    "half a token": lambda: signed()[:-20],
    "no token": lambda: "e30.e30.",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_what_is_not_signed_so_is_nobody(server: House, sign_in: SignIn) -> None:
    sign_in.keys += [
        public_jwk("RSA2048", "rsa", alg="RS256"),
        public_jwk("RSA1024", "short"),
        public_jwk("Ed", "enc", use="enc"),
        {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"hunter2").decode()},
        {"kty": "magic", "kid": "unheard-of"},
    ]
    assert await ask(server, signed()) == OK
    answers = {what: await ask(server, forge()) for what, forge in _FORGED.items()}
    assert answers == dict.fromkeys(_FORGED, REFUSED)
    operator = signed(aud="greenroom-operators")
    assert await ask(server, operator, "/api/operator/sessions") == REFUSED
    assert await ask(server, signed(), "/api/operator/sessions") == REFUSED
    assert sign_in.asked == 1


async def test_keys_are_rotated(server: House, sign_in: SignIn, watch: Watch) -> None:
    old, new = signed(), signed("EC-new", key_id="two")
    assert await ask(server, old) == OK
    assert await ask(server, new) == REFUSED
    sign_in.keys = [public_jwk("EC", "one"), public_jwk("EC-new", "two")]
    watch.at_s += AGAIN_S
    assert await ask(server, new) == OK, "a key that is not known is looked for"
    assert await ask(server, old) == OK
    assert sign_in.asked == 2
    sign_in.keys = [public_jwk("EC-new", "two")]
    watch.at_s += FRESH_S
    assert await ask(server, old) == REFUSED, "and one that was taken back is forgotten"
    assert await ask(server, new) == OK


async def test_invented_keys_cause_no_storm(sign_in: SignIn, watch: Watch) -> None:
    issuer = Issuer(HttpKeySet(sign_in.url), ISSUER, AUDIENCE, monotonic=watch)

    async def is_refused(number: int) -> bool:
        try:
            await issuer.claims(signed(key_id=f"invented-{number}"))
        except Unauthorized:
            return True
        return False

    for round_ in range(3):
        assert all(await asyncio.gather(*map(is_refused, range(200))))
        assert sign_in.asked == round_ + 1
        watch.at_s += AGAIN_S


async def test_a_sign_in_that_is_away_is_said_and_then_back(
    server: House, sign_in: SignIn, watch: Watch
) -> None:
    sign_in.status = 500
    async with server.client(authorization=f"Bearer {signed()}") as client:
        answers = await asyncio.gather(*(client.get(CURRENT) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}
    body = answers[0].json()
    assert (body["code"], body["retryable"]) == ("issuer_unavailable", True)
    assert int(answers[0].headers["retry-after"]) == 5
    assert str(sign_in.port) not in answers[0].text, "where it is, is the operators' business"
    assert sign_in.asked == 2, "one try, and one more"
    assert await ask(server, server.parts.identity.token_for("bob", 60)) == OK
    sign_in.status = 200
    watch.at_s += 5
    assert await ask(server, signed()) == OK


async def test_known_keys_hold_while_the_sign_in_is_away_but_not_for_ever(
    server: House, sign_in: SignIn, watch: Watch
) -> None:
    assert await ask(server, signed()) == OK
    sign_in.status = 503
    for _ in range(2):
        watch.at_s += FRESH_S
        assert await ask(server, signed()) == OK
        assert await ask(server, signed("EC-new", key_id="two")) == UNKNOWN
    watch.at_s += STALE_S
    assert await ask(server, signed()) == UNKNOWN
    sign_in.status = 200
    watch.at_s += AGAIN_S
    assert await ask(server, signed()) == OK


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"[]"),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": {"kty": "EC"}}'),
        (200, b'{"keys": [null, 1, {"kty": "oct", "k": "aGk", "kid": "x"}]}'),
        (200, b"[" * 100_000),
        (200, b" " * (MAX_BYTES + 1)),
        (302, b""),
        (404, b"{}"),
    ],
)
async def test_what_is_no_key_set_is_as_good_as_none(
    sign_in: SignIn, status: int, body: bytes
) -> None:
    sign_in.status, sign_in.body = status, body
    with pytest.raises(IssuerUnavailable):
        await Issuer(HttpKeySet(sign_in.url), ISSUER, AUDIENCE).claims(signed())


async def test_a_sign_in_that_hangs_keeps_nobody_waiting_who_is_known(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(policies.POLICIES, Outside.KEY_SET, Policy(0.5))
    watch = Watch()
    issuer = Issuer(HttpKeySet(sign_in.url), ISSUER, AUDIENCE, monotonic=watch)
    assert (await issuer.claims(signed()))["sub"] == "ada"
    sign_in.answers.clear()
    watch.at_s += FRESH_S
    renewing = asyncio.create_task(issuer.claims(signed()))
    await asyncio.sleep(0)  # it has begun to ask for the keys
    assert (await issuer.claims(signed()))["sub"] == "ada"
    assert not renewing.done(), "only the first who came waits for old keys to be renewed"
    assert (await renewing)["sub"] == "ada"
    with pytest.raises(IssuerUnavailable):
        await issuer.claims(signed(key_id="two"))


async def test_keys_in_a_file(tmp_path: Path) -> None:
    path, watch = tmp_path / "jwks.json", Watch()
    issuer = Issuer(FileKeySet(path), ISSUER, AUDIENCE, monotonic=watch)
    with pytest.raises(IssuerUnavailable):
        await issuer.claims(signed())
    path.write_text(json.dumps({"keys": [public_jwk("EC", "one")]}))
    watch.at_s += AGAIN_S
    assert (await issuer.claims(signed()))["sub"] == "ada"


async def test_where_nobody_listens() -> None:
    async with listening(SignIn()) as port:
        pass
    with pytest.raises(Unavailable):
        await HttpKeySet(f"http://127.0.0.1:{port}/").read()
