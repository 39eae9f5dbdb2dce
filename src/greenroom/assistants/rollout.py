"""For whom Greenroom speaks: by a stable hash, the same on every machine. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from greenroom.wire.assistants import Rollout


class Side(StrEnum):
    """Who serves a conversation. Part of the interface."""

    GREENROOM = "greenroom"
    VAPI = "vapi"


class Reason(StrEnum):
    """Why it is that side. Part of the interface."""

    NO_RECORD = "no_record"
    """The assistant has no record, so nothing is rolled out: it is Greenroom's."""
    DISABLED = "disabled"
    """Its record says ``enabled: false``, or names a bot that this server does not have."""
    KILLED = "killed"
    """An operator has switched it off."""
    HALTED = "halted"
    """Everything was stopped."""
    TESTER = "tester"
    """The user is one of its testers."""
    TENANT = "tenant"
    """By the percentage of the user's tenant."""
    PERCENTAGE = "percentage"
    """By the percentage of all."""
    FLAG = "flag"
    """The flag system of the house says so."""
    FLAG_FAILED = "flag_failed"
    """That system did not answer well; it is as it would be without it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which side, and why.

    Attributes:
        percentage: How many come to Greenroom, where a percentage decided.
    """

    side: Side
    reason: Reason
    percentage: float | None = None


def bucket(salt: str, key: str) -> float:
    """Where somebody stands between 0 and 100: always there, on any machine, in any version.

    The first 64 bits of SHA-256 over ``greenroom rollout``, the salt and the key, with a zero byte
    between them. Whoever stands below a percentage is in, so raising it puts nobody out.
    """
    digest = hashlib.sha256(
        "\0".join(("greenroom rollout", salt, key)).encode(errors="surrogatepass")
    ).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * 100


def decide(rollout: Rollout, assistant: str, user_id: str, tenant: str) -> Decision:
    """Which side a user's next conversation with an assistant is on, by its record alone."""
    if user_id in rollout.testers:
        return Decision(Side.GREENROOM, Reason.TESTER)
    of_tenant = rollout.tenants.get(tenant)
    percentage = rollout.percentage if of_tenant is None else of_tenant
    reason = Reason.PERCENTAGE if of_tenant is None else Reason.TENANT
    at = _place(rollout, assistant, user_id, tenant)
    return Decision(Side.GREENROOM if at < percentage else Side.VAPI, reason, percentage)


def _place(rollout: Rollout, assistant: str, user_id: str, tenant: str) -> float:
    if rollout.by == "assistant":
        # All assistants draw from one urn: at 10 % it is a tenth of them.
        return bucket(rollout.salt or "assistants", assistant)
    # Each assistant draws its own users, unless a common salt says otherwise.
    return bucket(rollout.salt or f"users of {assistant}", f"{tenant}\0{user_id}")
