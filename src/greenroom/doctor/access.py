"""Who gets in: API keys that should not be around any more, and the keys of whoever signs users."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.errors import GreenroomError
from greenroom.ports.keys import ApiKey
from greenroom.ports.keyset import KeySet
from greenroom.service.issuer import read_keys
from greenroom.store.database import Database
from greenroom.store.migrate import Standing

FORGOTTEN_AFTER_S = 90 * 86_400.0


async def keys(database: Database, now: float) -> list[Finding]:
    """Keys that nobody has used for long, and that never expire.

    Args:
        database: Where they are; one that is not there, or of another version, has none for us.
        now: Seconds since the epoch.
    """
    try:
        if (await database.schema()).standing is not Standing.CURRENT:
            return []
        store = await database.open()
        try:
            known = await store.keys.listed()
        finally:
            await store.close()
    except GreenroomError:  # said by the check of the database itself
        return []
    return judged(known, now)


def judged(known: Sequence[ApiKey], now: float) -> list[Finding]:
    """What is to be said of these keys."""
    good = [key for key in known if key.is_good(now)]
    found = [
        warning(
            "API keys",
            f"“{key.name}” ({key.begins}…) never expires, and nobody has used it for 90 days.",
            f"If nobody needs it: greenroom keys revoke {key.id}",
        )
        for key in good
        if key.expires_at is None and now - (key.last_used_at or key.created_at) > FORGOTTEN_AFTER_S
    ]
    return found or ([ok("API keys", f"{len(good)} good, none of them forgotten")] if good else [])


async def sign_in(keys: KeySet) -> Finding:
    """Whether the public keys can be read by which users are signed."""
    try:
        found = await read_keys(keys)
    except GreenroomError as error:
        mend = "Correct GREENROOM_JWKS_URL, or let this machine reach it; tokens cannot be checked."
        return problem("sign-in", error.message, mend)
    return ok("sign-in", f"{len(found)} public key(s) at {keys.place}")
