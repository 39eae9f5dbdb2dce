"""Addresses and who may listen on them: derived from the relay's secret, so that none is kept."""

from __future__ import annotations

import hashlib
import hmac
import re

from greenroom.errors import BadSetting, NotFound, Unauthorized

MIN_SECRET_CHARS = 32
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_UNGUESSABLE_CHARS = 20  # 80 bits
_TOKEN_CHARS = 40
_TOKEN_PREFIX = "grl"  # noqa: S105 - what a token begins with


class Addresses:
    """All addresses of one relay.

    Args:
        secret: The relay's. Who has it can listen everywhere; another one makes other addresses.

    Raises:
        BadSetting: The secret is too short.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_SECRET_CHARS:
            raise BadSetting(
                f"GREENROOM_RELAY_SECRET needs {MIN_SECRET_CHARS} characters or more. Make one: "
                "python3 -c 'import secrets; print(secrets.token_hex(32))'"
            )
        self._key = secret.encode()

    def address_of(self, name: str) -> str:
        """The last part of the address: the name, and what nobody can guess.

        Raises:
            BadSetting: It cannot be a name.
        """
        if not _NAME.fullmatch(name):
            raise BadSetting("A name is 1 to 32 of a-z, 0-9 and -, with no - at either end.")
        return f"{name}-{self._digest('address', name)[:_UNGUESSABLE_CHARS]}"

    def token_of(self, name: str) -> str:
        """What lets a machine listen on the address of this name."""
        self.address_of(name)
        return f"{_TOKEN_PREFIX}_{name}_{self._digest('listen', name)[:_TOKEN_CHARS]}"

    def name_at(self, address: str) -> str:
        """The name of an address.

        Raises:
            NotFound: It is none of this relay's.
        """
        name = address.rpartition("-")[0]
        known = _NAME.fullmatch(name) and _is_same(self.address_of(name), address)
        if not known:
            raise NotFound("There is no such address.")
        return name

    def name_for(self, token: str) -> str:
        """The name on whose address the token's bearer may listen.

        Raises:
            Unauthorized: The token is not of this relay.
        """
        parts = token.split("_")
        name = parts[1] if len(parts) == 3 else ""
        known = _NAME.fullmatch(name) and _is_same(self.token_of(name), token)
        if not known:
            raise Unauthorized("This token is not known here.")
        return name

    def _digest(self, *parts: str) -> str:
        message = "\0".join(("relay", *parts)).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _is_same(known: str, offered: str) -> bool:
    # As bytes: of text it compares only ASCII, and what is offered may be anything.
    return hmac.compare_digest(known.encode(), offered.encode())
