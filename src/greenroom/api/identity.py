"""Who is asking: a signed token, or on loopback a signed anonymous visitor."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt
from fastapi import Request, Response

from greenroom.errors import Unauthorized
from greenroom.ports.audit import Actor, ActorKind
from greenroom.ports.keys import ApiKey
from greenroom.service.issuer import Issuer, is_signed_by_a_key
from greenroom.session.model import DEFAULT_TENANT

COOKIE = "greenroom_visitor"
_ALGORITHM = "HS256"
# A user's token is no operator's, an operator's no user's, and a visitor's cookie no token: on a
# public address of the same secret it would be somebody whom nobody has signed in.
_USERS = "greenroom"
_OPERATORS = "greenroom-operators"
_VISITORS = "greenroom-visitors"
_GUEST = "guest-"
_COOKIE_LIFETIME_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Asking:
    """Whose sessions are asked for.

    Attributes:
        user_id: Who it is, within the tenant.
        tenant: Whose application it is.
        guest: A nameless visitor of one's own machine.
        is_new: A visitor who was given a name only now.
        key: With which a server asks in their name; None: they ask themselves.
    """

    user_id: str
    tenant: str = DEFAULT_TENANT
    guest: bool = False
    is_new: bool = False
    key: ApiKey | None = None


def bearer_of(request: Request) -> str:
    """The bearer token of a request; empty if it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def expiry_of(token: str) -> float:
    """Until when a token of ours is good; seconds since the epoch."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return float(claims["exp"])


@dataclass(frozen=True, slots=True)
class Identity:
    """Issues and reads the signed names of users.

    Args:
        secret: The installation's secret; signs cookies and user tokens (JWT, HS256).
        anonymous: Whether a visitor without a token gets a name of their own (loopback only).
        secure: Whether the cookie travels over HTTPS only.
        issuer: Who else signs users, by keys of their own.
    """

    secret: str
    anonymous: bool
    secure: bool = False
    issuer: Issuer | None = None

    def greet(self, request: Request, response: Response) -> Asking:
        """Give a new visitor a name, by a cookie that no script can read."""
        visitor = self._greet(response)
        # A refusal is an answer of its own and must greet too: see `greenroom.api.errors`.
        request.state.greeting = response.headers["set-cookie"]
        return visitor

    async def known(self, request: Request) -> Asking | None:
        """The user that the bearer token names, or the visitor of the cookie; None: a new visitor.

        Raises:
            Unauthorized: The bearer token is not good, or visitors need one.
        """
        token = bearer_of(request)
        if token:
            return await self.user_of(token)
        if not self.anonymous:
            raise Unauthorized("Say who you are: a user token is needed here.")
        cookie = request.cookies.get(COOKIE)
        if cookie:
            try:
                return Asking(self._subject(self._claims(cookie, _VISITORS)), guest=True)
            except Unauthorized:
                pass  # an old or foreign cookie: the visitor is simply new
        return None

    async def user_of(self, token: str) -> Asking:
        """The user that a token names: its subject, in the tenant of its claim ``tenant``.

        Raises:
            Unauthorized: The token is not good.
            IssuerUnavailable: Nobody knows; the keys of whoever signs users cannot be read.
        """
        claims = await self._user_claims(token)
        tenant = claims.get("tenant", DEFAULT_TENANT)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= 128:
            raise Unauthorized("The user token names a tenant that cannot be one.")
        return Asking(self._subject(claims), tenant)

    def is_visitor(self, user_id: str) -> bool:
        """Whether this name was given to a visitor, and not by a token."""
        return self.anonymous and user_id.startswith(_GUEST)

    def token_for(self, user_id: str, lifetime_s: float, tenant: str | None = None) -> str:
        """A signed token whose subject is this user, in this tenant."""
        return self._signed(user_id, _USERS, lifetime_s, **({"tenant": tenant} if tenant else {}))

    def operator_token(
        self, name: str, lifetime_s: float, kind: ActorKind = ActorKind.OPERATOR
    ) -> str:
        """A signed token of an operator, or of a command that asks the server for one."""
        return self._signed(name, _OPERATORS, lifetime_s, kind=kind.value)

    def operator_of(self, token: str, address: str | None) -> Actor:
        """The operator whose token this is, who asks from this address.

        Raises:
            Unauthorized: The token is not good, or a user's.
        """
        claims = self._claims(token, _OPERATORS)
        by_command = claims.get("kind") == ActorKind.COMMAND
        kind = ActorKind.COMMAND if by_command else ActorKind.OPERATOR
        return Actor(kind, str(claims["sub"])[:128], address)

    def _signed(self, subject: str, audience: str, lifetime_s: float, **more: str) -> str:
        now = int(time.time())
        claims = {"sub": subject, "aud": audience, "iat": now, "exp": now + int(lifetime_s), **more}
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)

    def _greet(self, response: Response) -> Asking:
        user_id = f"{_GUEST}{secrets.token_hex(8)}"
        response.set_cookie(
            COOKIE,
            self._signed(user_id, _VISITORS, _COOKIE_LIFETIME_S),
            max_age=_COOKIE_LIFETIME_S,
            httponly=True,
            samesite="strict",
            secure=self.secure,
        )
        return Asking(user_id, guest=True, is_new=True)

    async def _user_claims(self, token: str) -> dict[str, Any]:
        if self.issuer is not None and is_signed_by_a_key(token):
            return await self.issuer.claims(token)
        return self._claims(token, _USERS)

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.secret,
                algorithms=[_ALGORITHM],
                audience=audience,
                options={"require": ["sub", "exp"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized("The token is not valid (any more).") from error
        return claims

    def _subject(self, claims: dict[str, Any]) -> str:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise Unauthorized("The user token names no user.")
        return subject
