"""A bot in a fresh interpreter: where fork is not safe, it imports, runs one session and exits.

Started by the supervisor as ``python -m greenroom.launch.spawned``, in a session of its own. It
dies with its supervisor: by the kernel on Linux, elsewhere because its line is cut.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading

from greenroom.launch import child, kernel

AWAKE, READY = b"a", b"r"


def _die_when_cut(line: child.Line) -> None:
    line.wait_until_cut()
    kernel.kill_group(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Import, take the spec, live. What an import raises ends this process with its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--bot", required=True)
    parser.add_argument("--line", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--supervisor", type=int, required=True)
    args = parser.parse_args()

    kernel.die_with_parent(args.supervisor, signal.SIGKILL)
    child.explain_on_request()
    os.set_inheritable(args.ready, False)
    connection = socket.socket(fileno=args.line)
    connection.set_inheritable(False)
    line = child.Line(connection)
    os.write(args.ready, AWAKE)
    host = child.import_host(args.host)
    host.preload(args.bot)
    os.write(args.ready, READY)
    os.close(args.ready)
    spec = line.spec()
    if spec is None:
        child.leave(0)
    threading.Thread(target=_die_when_cut, args=(line,), daemon=True).start()
    child.live(host, line, spec)


if __name__ == "__main__":
    main()
