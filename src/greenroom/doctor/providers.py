"""Accounts at providers: whether a key is there, is taken, and is the right domain's."""

from __future__ import annotations

from greenroom.accounts import DailyAccount, daily_account
from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.elsewhere import CloudSettings
from greenroom.errors import BadSetting, GreenroomError
from greenroom.settings import Settings

CHECK = "Daily"
AGENTS = "Pipecat Cloud"


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


async def agents(settings: Settings) -> list[Finding]:
    """Whether agents can be had where they are set to be elsewhere, and how full it is there.

    Asks Pipecat Cloud one thing, which changes nothing there. Whether the public key is good only a
    start can tell.
    """
    try:
        cloud = settings.pipecat_cloud()
    except BadSetting as error:
        return [problem(AGENTS, error.message, "Correct it; GREENROOM_LAUNCHER=local needs none.")]
    if cloud is None:
        return []
    if cloud.private_key is None:
        mend = "Set it, or each agent costs until it ends by itself (docs/pipecat-cloud.md)."
        what = "GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY is not set: no agent can be listed or stopped."
        return [warning(AGENTS, what, mend)]
    if cloud.agent is None:
        return [ok(AGENTS, "the deployment is called as the bot that is served")]
    return [await _pool(cloud, cloud.agent)]


async def _pool(cloud: CloudSettings, agent: str) -> Finding:
    from greenroom.launch.pipecat_cloud.client import CannotTell, CloudClient

    client = CloudClient(agent, cloud.public_key, cloud.private_key, cloud.url)
    try:
        pool = await client.pool()
    except CannotTell:
        what = f"The private key does not open the deployment “{agent}”, or there is none."
        return problem(AGENTS, what, "See: pipecat cloud agent list")
    except GreenroomError as error:
        return problem(AGENTS, error.message, "Try again; no conversation can begin meanwhile.")
    finally:
        await client.close()
    busy = f": {pool.active} of {pool.most} agents are busy" if pool else ""
    return ok(AGENTS, f"the private key is good for “{agent}”{busy}")


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
