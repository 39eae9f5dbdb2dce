"""Users whom an application's own sign-in has signed: tokens checked by its public keys.

Only asymmetric algorithms, and each key by its own: a public key is known to everybody, and must
never be taken for a shared secret. The keys are read anew now and then, and when a token names one
that is not known yet; whoever invents names of keys causes no more reading than once in ten
seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import jwt
import structlog

from greenroom.errors import IssuerUnavailable, Unauthorized, Unavailable
from greenroom.ports.keyset import KeySet
from greenroom.service.policies import Outside, outside

log = structlog.get_logger("greenroom.issuer")

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
# Keys older than this are read again: a key that was taken back is good for no longer.
FRESH_S = 300.0
# While they cannot be read, the known ones are believed this long.
STALE_S = 3_600.0
AGAIN_S = 10.0
AGAIN_WITHOUT_KEYS_S = 5.0
# How far the issuer's clock and ours may be apart.
LEEWAY_S = 10.0
_LEAST_RSA_BITS = 2_048


class Issuer:
    """Whose tokens are believed, and for whom they must be meant.

    Args:
        keys: The public keys.
        issuer: What a token's ``iss`` must be.
        audience: What its ``aud`` must hold.
        monotonic: Seconds that only go forward.
    """

    def __init__(
        self,
        keys: KeySet,
        issuer: str,
        audience: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = PublicKeys(keys, monotonic)
        self._issuer = issuer
        self._audience = audience

    async def claims(self, token: str) -> dict[str, Any]:
        """What a token says that is good.

        Raises:
            Unauthorized: It is not.
            IssuerUnavailable: The issuer's keys cannot be read, so that nobody knows.
        """
        key = await self._keys.get(_key_id(token))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["sub", "exp", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized("The token is not valid (any more).") from error
        return claims


def is_signed_by_a_key(token: str) -> bool:
    """Whether a token says that a private key has signed it; nothing of it is checked."""
    try:
        algorithm = jwt.get_unverified_header(token).get("alg")
    except jwt.InvalidTokenError:
        return False
    return isinstance(algorithm, str) and algorithm in ALGORITHMS


def _key_id(token: str) -> str:
    key_id = jwt.get_unverified_header(token).get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise Unauthorized("The token does not say which key has signed it (kid).")
    return key_id


class PublicKeys:
    """An issuer's keys by their ids, read when they are old or one is missing."""

    def __init__(self, source: KeySet, monotonic: Callable[[], float]) -> None:
        self._source = source
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._turn = asyncio.Lock()

    async def get(self, key_id: str) -> jwt.PyJWK:
        """A key.

        Raises:
            Unauthorized: The issuer has no such key.
            IssuerUnavailable: Nobody knows, because the keys cannot be read.
        """
        known = key_id in self._keys
        # One request waits for old keys to be renewed; the others meanwhile go by the old ones.
        if self._age_s() >= FRESH_S and not (known and self._turn.locked()):
            await self._renew(AGAIN_S if self._age_s() < STALE_S else AGAIN_WITHOUT_KEYS_S)
        if key_id not in self._keys:
            await self._renew(AGAIN_S if self._keys else AGAIN_WITHOUT_KEYS_S)
        if self._age_s() < STALE_S:
            if key_id in self._keys:
                return self._keys[key_id]
            if self._read_at == self._tried_at:
                raise Unauthorized("The token was signed by a key that its issuer does not have.")
        raise IssuerUnavailable(
            "Whoever signs the users of this server cannot be asked for the keys right now.",
            retry_after_s=AGAIN_WITHOUT_KEYS_S,
        )

    def _age_s(self) -> float:
        return float("inf") if self._read_at is None else self._monotonic() - self._read_at

    async def _renew(self, at_least_s: float) -> None:
        """Read the keys, unless that was tried less than so long ago."""
        async with self._turn:
            now = self._monotonic()
            if self._tried_at is not None and now - self._tried_at < at_least_s:
                return
            self._tried_at = now
            try:
                keys = await read_keys(self._source)
            except Unavailable as error:
                log.warning("issuer.unavailable", place=self._source.place, error=error.message)
                return
            self._keys, self._read_at = keys, now
            log.info("issuer.keys_read", place=self._source.place, keys=sorted(keys))


async def read_keys(source: KeySet) -> dict[str, jwt.PyJWK]:
    """The keys that may check signatures, by their ids, as they are now.

    Raises:
        Unavailable: They cannot be read, or there is none.
    """
    return _keys_in(await outside(Outside.KEY_SET, source.read))


def _keys_in(text: str) -> dict[str, jwt.PyJWK]:
    """The keys of a set that may check signatures; what else it holds is left alone."""
    try:
        found = jwt.PyJWKSet.from_json(text).keys
    except (jwt.PyJWTError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise Unavailable("What was read is no set of public keys (JWKS).") from error
    keys = {str(key.key_id): key for key in found if _may_check(key)}
    if not keys:
        raise Unavailable("The set holds no public key with an id that may check signatures.")
    return keys


def _may_check(key: jwt.PyJWK) -> bool:
    long_enough = key.key_type != "RSA" or key.key.key_size >= _LEAST_RSA_BITS
    usable = key.algorithm_name in ALGORITHMS and key.public_key_use in ("sig", None)
    return bool(key.key_id) and usable and long_enough
