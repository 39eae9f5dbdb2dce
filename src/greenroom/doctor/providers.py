"""Accounts at providers: whether a key is there, is taken, and is the right domain's."""

from __future__ import annotations

from greenroom.accounts import DailyAccount, daily_account
from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.errors import BadSetting, GreenroomError
from greenroom.settings import Settings

CHECK = "Daily"


async def rooms(settings: Settings) -> list[Finding]:
    """Whether the rooms can be had that are set; rooms of this machine's need nobody.

    Asks Daily one thing, which changes nothing there.
    """
    try:
        account = daily_account(settings)
    except BadSetting as error:
        return [
            problem(CHECK, error.message, "Correct it; GREENROOM_ROOMS=local needs no account.")
        ]
    if account is None:
        return []
    return [await _key(account), *_webhook(account)]


async def _key(account: DailyAccount) -> Finding:
    from greenroom.rooms.daily.client import DailyClient, domain_of

    client = DailyClient(account.api_url, account.api_key)
    try:
        domain, _ = await domain_of(client, account.domain)
    except GreenroomError as error:
        mend = "Copy the key from Daily's dashboard (Developers); no conversation can begin."
        return problem(CHECK, error.message, mend)
    finally:
        await client.close()
    return ok(CHECK, f"the key is good for {domain}.daily.co")


def _webhook(account: DailyAccount) -> list[Finding]:
    if account.webhook_secret is not None:
        return []
    return [
        warning(
            CHECK,
            "GREENROOM_DAILY_WEBHOOK_SECRET is not set: that somebody comes or goes is noticed "
            "15 to 45 seconds late.",
            "Make a webhook to https://…/daily/webhook for participant.joined and "
            "participant.left (docs/daily.md), and set its hmac.",
        )
    ]
