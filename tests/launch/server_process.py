"""A server that launches one bot, says its pid, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from greenroom.launch.local import LocalLauncher
from tests.launch.helpers import HOST, PRELOAD_WITHIN_S, an_order, joined


async def main(state_dir: Path, launch_id: str) -> None:
    launcher = LocalLauncher(state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
    order = an_order(launch_id=launch_id)
    await launcher.start(order)
    process = await joined(launcher, order)
    print(process.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
