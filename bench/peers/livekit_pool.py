"""LiveKit Agents' own process pool, one command a line: for bench/launch.py, in `.venv-bench`.

``on_demand`` and ``warm`` launch one job and answer with milliseconds and the job's memory;
``waiting N`` answers with the memory of N processes that wait. The pools are set up as LiveKit's
`AgentServer` does: forkserver, all plugins, the agent's module and LiveKit's own warm-up preloaded.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from typing import Any

import livekit_agent
import psutil
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.agents.job import JobAcceptArguments, JobExecutorType, RunningJobInfo
from livekit.agents.plugin import Plugin
from livekit.protocol import agent, models

SETTLED_S = 0.5


def context_like_agent_server() -> Any:
    """What `AgentServer.run` does on Linux; the agent's own module on top, in its favour."""
    context = multiprocessing.get_context("forkserver")
    plugins = [plugin.package for plugin in Plugin.registered_plugins]
    framework = ["livekit.agents.ipc._preload", "livekit.agents.ipc._preload_freeze"]
    context.set_forkserver_preload([*dict.fromkeys([*plugins, "livekit_agent"]), *framework])
    return context


def a_pool(context: Any, idle: int) -> ProcPool:
    """A pool with that many processes that wait; the limits are LiveKit's defaults."""
    return ProcPool(
        initialize_process_fnc=livekit_agent.prewarm,
        job_entrypoint_fnc=livekit_agent.entrypoint,
        session_end_fnc=None,
        simulation_end_fnc=None,
        num_idle_processes=idle,
        initialize_timeout=10.0,
        close_timeout=10.0,
        session_end_timeout=300.0,
        inference_executor=None,
        job_executor_type=JobExecutorType.PROCESS,
        mp_ctx=context,
        memory_warn_mb=1000,
        memory_limit_mb=0,
        http_proxy=None,
        loop=asyncio.get_running_loop(),
    )


def a_job(number: int) -> RunningJobInfo:
    """A job in a room that nobody is in; the entrypoint does not connect to it."""
    return RunningJobInfo(
        accept_arguments=JobAcceptArguments(name="", identity="agent", metadata=""),
        job=agent.Job(id=f"job-{number}", room=models.Room(name="room", sid="RM_1")),
        url="ws://127.0.0.1:9",
        token="none",
        worker_id="worker",
        fake_job=False,
    )


def uss_mb(pid: int) -> float:
    """Memory that this process shares with nobody."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


async def idle_pids(pool: ProcPool, number: int) -> list[int]:
    """Wait until that many processes wait; their pids."""
    while pool._warmed_proc_queue.qsize() < number:
        await asyncio.sleep(0.02)
    await asyncio.sleep(SETTLED_S)
    return [process.pid for process in pool.processes if process.pid and not process.running_job]


async def launch(pool: ProcPool, number: int, reports: socket.socket) -> dict[str, float]:
    """One job from the order to the first line of its entrypoint; then it is killed."""
    began_ns = time.monotonic_ns()
    launching = asyncio.create_task(pool.launch_job(a_job(number)))
    report = await asyncio.get_running_loop().sock_recv(reports, 4096)
    pid, at_ns = map(int, report.split())
    await launching
    await asyncio.sleep(SETTLED_S)
    figures = {"ms": (at_ns - began_ns) / 1e6, "busy_mb": uss_mb(pid)}
    os.kill(pid, signal.SIGKILL)
    while psutil.pid_exists(pid):
        await asyncio.sleep(0.01)
    return figures


async def waiting(context: Any, number: int) -> dict[str, float]:
    """The private memory of each process that waits, when there are no others."""
    pool = a_pool(context, number)
    await pool.start()
    pids = await idle_pids(pool, number)
    figures = {f"pid {pid}": uss_mb(pid) for pid in pids}
    await pool.aclose()
    return figures


async def main() -> None:
    """Answer commands until there are no more."""
    logging.disable(logging.CRITICAL)  # each killed job is an error to the pool
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reports,
    ):
        os.environ["BENCH_REPORTS"] = f"{directory}/reports"
        reports.bind(os.environ["BENCH_REPORTS"])
        reports.setblocking(False)
        context = context_like_agent_server()
        pools = {"on_demand": a_pool(context, 0), "warm": a_pool(context, 1)}
        number = 0
        while command := (await asyncio.to_thread(sys.stdin.readline)).split():
            number += 1
            if command[0] == "waiting":
                figures = await waiting(context, int(command[1]))
            else:
                pool = pools[command[0]]
                await pool.start()  # no more than once
                before = {}
                if command[0] == "warm":
                    before["waiting_mb"] = uss_mb((await idle_pids(pool, 1))[0])
                figures = {**before, **await launch(pool, number, reports)}
            print(json.dumps(figures), flush=True)
        for pool in pools.values():
            await pool.aclose()
