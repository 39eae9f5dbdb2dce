"""Every launcher keeps the same contract: bots on this machine, and agents on Pipecat Cloud."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.launch.pipecat_cloud.launcher import PipecatCloudLauncher
from greenroom.testing.launcher_contract import LauncherContract, MakeOrder
from tests.launch.cloud import Cloud, a_cloud, a_cloud_order
from tests.launch.helpers import an_order


class TestLocalLauncher(LauncherContract):
    @pytest.fixture
    def order(self) -> MakeOrder:
        return an_order


class TestPipecatCloudLauncher(LauncherContract):
    @pytest.fixture
    async def cloud(self, tmp_path: Path) -> AsyncIterator[Cloud]:
        async with a_cloud(tmp_path) as cloud:
            yield cloud

    @pytest.fixture
    def launcher(self, cloud: Cloud) -> PipecatCloudLauncher:
        return cloud.launcher

    @pytest.fixture
    def order(self) -> MakeOrder:
        return a_cloud_order
