"""What Pipecat calls for every pipeline of this process, through ``PIPECAT_SETUP_FILES``.

Pipecat loads this file by its path, as a module of its own; it must keep no state.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipecat.pipeline.worker import PipelineWorker
from pipecat.workers.runner import WorkerRunner

from greenroom.bot.context import current
from greenroom.bot.observe import Reporter
from greenroom.bot.sparing import spare_observers
from greenroom.bot.usage import Listening
from greenroom.wire.link import BotLevel

_VARIABLE = "PIPECAT_SETUP_FILES"


def install() -> None:
    """Add this file to the ones that Pipecat loads. Side effect: changes the environment."""
    ours = str(Path(__file__).resolve())
    files = [file for file in os.environ.get(_VARIABLE, "").split(os.pathsep) if file]
    if ours not in files:
        os.environ[_VARIABLE] = os.pathsep.join([*files, ours])


async def setup_worker_runner(runner: WorkerRunner) -> None:
    """Nothing; Pipecat complains about a file that lacks it."""


async def setup_pipeline_worker(worker: PipelineWorker) -> None:
    """Observe the pipeline; have it meter what it uses; switch its idle clock off.

    Greenroom has a clock of its own. Called before anything of the pipeline is set up.
    """
    session = current()
    session.rise_to(BotLevel.OBSERVED)
    worker._cancel_on_idle_timeout = False
    worker.params.enable_usage_metrics = True
    spare_observers(worker)
    worker.add_observer(Reporter(session))
    worker.add_observer(Listening(worker))
