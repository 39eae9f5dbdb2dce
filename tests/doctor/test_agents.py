"""The check-up asks Pipecat Cloud's stand-in whether agents can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.doctor.finding import Finding, Level
from greenroom.doctor.providers import agents
from greenroom.settings import read_settings
from tests.launch.cloud import AGENT, a_cloud, listening


async def found(**more: str) -> Finding:
    told = {
        "launcher": "pipecat-cloud",
        "pipecat_cloud_public_key": "pk_stand-in",
        "pipecat_cloud_private_key": "sk_stand-in",
        "pipecat_cloud_agent": AGENT,
    }
    settings = read_settings(**{**told, **more})
    (finding,) = await agents(settings)
    return finding


async def test_the_check_up_asks_whether_the_deployment_can_be_had(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    assert await agents(read_settings()) == [], "bots of this machine need nobody"
    async with a_cloud(tmp_path, max_agents=3) as cloud, listening(cloud.stand_in.app) as url:
        fine = await found(pipecat_cloud_url=url)
        assert (fine.level, "0 of 3" in fine.message) == (Level.OK, True)
        for wrong in ({"pipecat_cloud_private_key": "sk_revoked"}, {"pipecat_cloud_agent": "poll"}):
            refused = await found(pipecat_cloud_url=url, **wrong)
            assert (refused.level, "sk_" in refused.message) == (Level.PROBLEM, False)
        unstoppable = await found(pipecat_cloud_url=url, pipecat_cloud_private_key=" ")
        assert unstoppable.level is Level.WARNING
    away = await found(pipecat_cloud_url=url)
    assert (away.level, "cannot be reached" in away.message) == (Level.PROBLEM, True)
    (missing,) = await agents(read_settings(launcher="pipecat-cloud"))
    assert "GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY" in missing.message
