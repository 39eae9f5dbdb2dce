"""Who is asking: a signed token, or on loopback a signed anonymous visitor."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request, Response

from greenroom.errors import Unauthorized
from greenroom.session.model import DEFAULT_TENANT

COOKIE = "greenroom_visitor"
_ALGORITHM = "HS256"
_AUDIENCE = "greenroom"
# A user's token is no operator's, and an operator's no user's.
_OPERATORS = "greenroom-operators"
_GUEST = "guest-"
_COOKIE_LIFETIME_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Identity:
    """Issues and reads the signed names of users.

    Args:
        secret: The installation's secret; signs cookies and user tokens (JWT, HS256).
        anonymous: Whether a visitor without a token gets a name of their own (loopback only).
        secure: Whether the cookie travels over HTTPS only.
    """

    secret: str
    anonymous: bool
    secure: bool = False

    def tenant_of(self, request: Request) -> str:
        """The tenant that the bearer token names (claim ``tenant``); visitors have none.

        Raises:
            Unauthorized: The token is not good.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return DEFAULT_TENANT
        tenant = self._claims(token).get("tenant", DEFAULT_TENANT)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= 128:
            raise Unauthorized("The user token names a tenant that cannot be one.")
        return tenant

    def user_of(self, request: Request, response: Response) -> str:
        """The user's id: the subject of the bearer token, or of the visitor's cookie.

        Raises:
            Unauthorized: Neither is there, or one is not good.
        """
        known = self.known_user(request)
        if known is not None:
            return known
        user_id = self._greet(response)
        # A refusal is an answer of its own and must greet too: see `greenroom.api.errors`.
        request.state.greeting = response.headers["set-cookie"]
        return user_id

    def known_user(self, request: Request) -> str | None:
        """As `user_of`, but a visitor who has no name yet is given none.

        Raises:
            Unauthorized: The bearer token is not good, or visitors need one.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return self._subject(token)
        if not self.anonymous:
            raise Unauthorized("Say who you are: a user token is needed here.")
        cookie = request.cookies.get(COOKIE)
        if cookie:
            try:
                return self._subject(cookie)
            except Unauthorized:
                pass  # an old or foreign cookie: the visitor is simply new
        return None

    def is_visitor(self, user_id: str) -> bool:
        """Whether this name was given to a visitor, and not by a token."""
        return self.anonymous and user_id.startswith(_GUEST)

    def token_for(self, user_id: str, lifetime_s: float, tenant: str | None = None) -> str:
        """A signed token whose subject is this user, in this tenant."""
        now = int(time.time())
        claims = {"sub": user_id, "aud": _AUDIENCE, "iat": now, "exp": now + int(lifetime_s)}
        if tenant is not None:
            claims["tenant"] = tenant
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)

    def operator_token(self, name: str, lifetime_s: float) -> str:
        """A signed token of an operator."""
        now = int(time.time())
        claims = {"sub": name, "aud": _OPERATORS, "iat": now, "exp": now + int(lifetime_s)}
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)

    def operator_of(self, token: str) -> str:
        """The operator's name.

        Raises:
            Unauthorized: The token is not good, or a user's.
        """
        name = self._claims(token, _OPERATORS)["sub"]
        return name[:128] if isinstance(name, str) else ""

    def _greet(self, response: Response) -> str:
        user_id = f"{_GUEST}{secrets.token_hex(8)}"
        response.set_cookie(
            COOKIE,
            self.token_for(user_id, _COOKIE_LIFETIME_S),
            max_age=_COOKIE_LIFETIME_S,
            httponly=True,
            samesite="strict",
            secure=self.secure,
        )
        return user_id

    def _claims(self, token: str, audience: str = _AUDIENCE) -> dict[str, Any]:
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

    def _subject(self, token: str) -> str:
        subject = self._claims(token)["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise Unauthorized("The user token names no user.")
        return subject


def current_user(request: Request, response: Response) -> str:
    """Dependency: the id of the user who is asking."""
    identity: Identity = request.app.state.identity
    return identity.user_of(request, response)


def current_tenant(request: Request) -> str:
    """Dependency: the tenant of the user who is asking."""
    identity: Identity = request.app.state.identity
    return identity.tenant_of(request)


def is_guest(request: Request, user: Annotated[str, Depends(current_user)]) -> bool:
    """Dependency: whether a nameless visitor of one's own machine is asking."""
    identity: Identity = request.app.state.identity
    return identity.is_visitor(user)


User = Annotated[str, Depends(current_user)]
Tenant = Annotated[str, Depends(current_tenant)]
Guest = Annotated[bool, Depends(is_guest)]
