"""How the kernel ties processes to each other: death with a parent, adoption, process groups."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int | bytes) -> None:
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent(parent_pid: int, signal_number: signal.Signals) -> None:
    """Let the kernel send this process a signal when its parent dies. Linux only; else nothing.

    The parent may have died before the call; then this process ends at once.
    The kernel watches the *thread* that forked, which must therefore be the main one.

    Args:
        parent_pid: The process that is meant to be the parent.
        signal_number: What to send.
    """
    if sys.platform != "linux":
        return
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:
        os._exit(0)


def name_process(name: str) -> None:
    """What ``ps -o comm`` and ``top`` call this process (≤ 15 bytes). Linux only; else nothing."""
    if sys.platform == "linux":
        _prctl(_PR_SET_NAME, name.encode())


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies. Linux only; else nothing."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_group(pid: int, signal_number: signal.Signals) -> None:
    """Signal the process group that `pid` leads; `pid` alone if it has no group yet.

    A group that is already gone is no error. A stopped process dies of SIGKILL all the same.
    """
    if not signal_leftovers(pid, signal_number):
        kill_one(pid, signal_number)


def signal_leftovers(group: int, signal_number: signal.Signals) -> bool:
    """Signal what is left of a process group whose leader may be gone; False if nothing is."""
    try:
        os.killpg(group, signal_number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # macOS answers so for a group whose last member is a zombie
    return True


def kill_one(pid: int, signal_number: signal.Signals) -> None:
    """Signal one process; one that is already gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal_number)
