"""Runs an example application and a Greenroom beside it: `python examples/run.py minimum`.

The two know what your application and your Greenroom have to know of each other: where the other
one is, and two secrets. One signs users' tokens, the other the webhooks. Here they are made anew at
each start. Ctrl-C ends both.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parent
UP_WITHIN_S = 60.0  # the first start of all loads and unpacks a good deal
LOOK_EVERY_S = 0.1
GONE_WITHIN_S = 15.0

Environment = dict[str, str]


def environment(folder: Path) -> Environment:
    """What both processes are told. What is set already stays as it is."""
    states = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    port = os.environ.get("PORT", "3051")
    greenroom_port = os.environ.get("GREENROOM_PORT", "8642")
    app = f"http://127.0.0.1:{port}"
    return {
        # what Greenroom has to know
        "GREENROOM_PORT": greenroom_port,
        "GREENROOM_ORIGINS": f"{app},http://localhost:{port}",
        **(webhooks(app) if is_python(folder) else {}),
        # what the application has to know
        "PORT": port,
        "GREENROOM_URL": f"http://127.0.0.1:{greenroom_port}",
        "SESSION_SECRET": secrets.token_hex(32),
        "NEXT_TELEMETRY_DISABLED": "1",
        # what both know, and nobody else
        "GREENROOM_SECRET": secrets.token_hex(32),
        # An example is tried many times in a row.
        "GREENROOM_STATE_DIR": str(states / f"greenroom-{folder.name}"),
        "GREENROOM_USER_COOLDOWN_S": "0",
        "GREENROOM_USER_DAY_LIMIT": "none",
        **os.environ,
        # Where the system has no recent Node.js, there is one beside this Python.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def webhooks(app: str) -> Environment:
    """Where the application takes what happened, and how it knows that Greenroom says it."""
    return {
        "GREENROOM_WEBHOOK_URL": f"{app}/webhook",
        "GREENROOM_WEBHOOK_ALLOW": "127.0.0.1",
        "GREENROOM_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def is_python(folder: Path) -> bool:
    """Whether the application is Python's, and takes webhooks."""
    return (folder / "app.py").is_file()


def is_nextjs(folder: Path) -> bool:
    """Whether the application is Next.js's, and built."""
    return (folder / ".next" / "BUILD_ID").is_file()


def application(folder: Path, port: str) -> list[str]:
    """How the application in this folder is started."""
    if is_python(folder):
        module = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(folder)]
        # A page that stays connected to be told of news must not hold up the end.
        return [
            *module,
            "--port",
            port,
            "--log-level",
            "warning",
            "--timeout-graceful-shutdown",
            "1",
        ]
    return ["node", "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", port]


@asynccontextmanager
async def running(
    command: list[str], folder: Path, env: Environment
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process while the block lasts; then it is told to end, as by Ctrl-C, or else killed."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=env)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), GONE_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def until_up(address: str, process: asyncio.subprocess.Process) -> None:
    """Wait until something answers well at this address; exits if its process has ended."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(UP_WITHIN_S):
        while process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(address)).is_success:
                    return
            await asyncio.sleep(LOOK_EVERY_S)
    sys.exit(process.returncode or 1)


async def run(folder: Path) -> None:
    """Run both until one of them ends, and exit with its code."""
    env = environment(folder)
    greenroom_command = [sys.executable, "-m", "greenroom.cli", "serve"]
    # Where Greenroom is only others have to know; it would call that a misspelt setting.
    greenroom_env = {name: value for name, value in env.items() if name != "GREENROOM_URL"}
    # The application ends last: until then it is told by webhook how everything ended.
    async with (
        running(application(folder, env["PORT"]), folder, env) as app,
        running(greenroom_command, folder, greenroom_env) as greenroom,
    ):
        await until_up(f"{env['GREENROOM_URL']}/readyz", greenroom)
        await until_up(f"http://127.0.0.1:{env['PORT']}/", app)
        print(f"\n  ● The example is up: http://127.0.0.1:{env['PORT']}\n", flush=True)
        ends = [asyncio.create_task(each.wait()) for each in (greenroom, app)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        sys.exit(greenroom.returncode or app.returncode or 0)


async def until_told(folder: Path) -> None:
    """`run`, ended by SIGINT or SIGTERM; the terminal's Ctrl-C reaches both processes as well."""
    running_example = asyncio.create_task(run(folder))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running_example.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running_example


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description="Run an example application and a Greenroom beside it.",
        epilog="example: python examples/run.py minimum (PORT and GREENROOM_… may be set)",
    )
    parser.add_argument("name", help="minimum, flashcards or nextjs; or a folder")
    folder = (EXAMPLES / parser.parse_args().name).resolve()
    if not is_python(folder) and not is_nextjs(folder):
        parser.error(f"{folder.name} is no application, or not built: see `make help`")
    asyncio.run(until_told(folder))


if __name__ == "__main__":
    main()
