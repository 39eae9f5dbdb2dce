"""A call to itself: a server of its own, the built-in bot, a caller, and nobody left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.doctor.peer import Peer, a_peer

CHECK = "a call to itself"
ALL_WITHIN_S = 60.0
UP_WITHIN_S = 20.0
# The first call waits until the bot's models are loaded.
HEARD_WITHIN_S = 30.0
DOWN_WITHIN_S = 20.0
NOBODY_WITHIN_S = 5.0
# Slower than this, people wonder whether anybody is there.
PLEASANT_MS = 1_500

_MARK = "DOCTOR_CALL_MARK"
_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+")
# The call must use neither this installation's database nor its secret, and what it tries is this
# machine: rooms and agents elsewhere are asked after by themselves.
_NOT_FOR_THE_CALL = (
    "GREENROOM_SECRET",
    "GREENROOM_DATABASE_URL",
    "GREENROOM_HOST",
    "GREENROOM_PORT",
    "GREENROOM_STATE_DIR",
    "GREENROOM_ROOMS",
    "GREENROOM_LAUNCHER",
)


class CallFailed(Exception):
    """The call did not come about; the message says how far it came."""


# The last line of a traceback says what was wrong; what is logged of it says less.
_RAISED = re.compile(r"[A-Za-z_][\w.]*: \S")


@dataclass(frozen=True, slots=True)
class Heard:
    """From the click to the first sound, in ms: when all is cold, and once models are loaded."""

    cold_ms: float
    warm_ms: float


async def call_itself(environment: Mapping[str, str], *, over_loopback: bool) -> list[Finding]:
    """Start a server, call its bot twice, and see that all of it ends.

    Args:
        environment: What the server is started with; its settings hold, but for where it
            listens and what it keeps.
        over_loopback: Whether audio has only 127.0.0.1 to go over.
    """
    folder = Path(tempfile.mkdtemp(prefix="greenroom-doctor-"))
    server = _Server(folder, environment, over_loopback=over_loopback)
    try:
        async with asyncio.timeout(ALL_WITHIN_S):
            address = await server.start()
            async with httpx.AsyncClient(base_url=address, timeout=40, trust_env=False) as http:
                cold_ms = await _one_call(http, over_loopback=over_loopback)
                warm_ms = await _one_call(http, over_loopback=over_loopback)
            await server.stop()
        return [_judge(Heard(cold_ms, warm_ms)), await server.leftovers()]
    except (CallFailed, TimeoutError, httpx.HTTPError) as error:
        said = str(error) or f"{type(error).__name__} after {ALL_WITHIN_S:g} s at most"
        mend = f"What the server said: {server.last_words()}"
        return [problem(CHECK, f"It failed: {said}", mend)]
    finally:
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _judge(heard: Heard) -> Finding:
    message = (
        f"heard the bot {heard.warm_ms:.0f} ms after the click "
        f"({heard.cold_ms:.0f} ms with all models to load)"
    )
    if heard.warm_ms > PLEASANT_MS:
        return warning(CHECK, message, "Is the machine busy? Faster or more cores help.")
    return ok(CHECK, message)


async def _one_call(http: httpx.AsyncClient, *, over_loopback: bool) -> float:
    """Click, hear the first sound, stop; the milliseconds from the click to the sound."""
    async with a_peer(over_loopback=over_loopback) as peer:
        clicked_s = time.monotonic()
        session_id, answer_sdp = await _start(http, peer)
        try:
            await peer.take(answer_sdp)
            async with asyncio.timeout(HEARD_WITHIN_S):
                heard_s = await peer.first_sound()
        except TimeoutError:
            raise CallFailed(f"the bot was not heard within {HEARD_WITHIN_S:g} s") from None
        finally:
            await http.delete(f"/api/voice/session/{session_id}")
    return (heard_s - clicked_s) * 1000


async def _start(http: httpx.AsyncClient, peer: Peer) -> tuple[str, str]:
    answer = await http.post("/api/voice/session", json={"offer": await peer.offer()})
    if answer.is_error:
        said = answer.json().get("message", answer.text)
        raise CallFailed(f"the session was refused: {said}")
    body = answer.json()
    return body["session"]["sessionId"], body["answer"]["sdp"]


class _Server:
    """``greenroom serve`` as users start it. All that comes of it bears a mark, and is found."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, over_loopback: bool
    ) -> None:
        self._folder = folder
        self._mark = uuid.uuid4().hex
        kept = {n: v for n, v in environment.items() if n not in _NOT_FOR_THE_CALL}
        self._environment = {**kept, _MARK: self._mark, "PYTHONUNBUFFERED": "1"}
        if over_loopback:
            self._environment["GREENROOM_ALLOW_LOOPBACK_MEDIA"] = "1"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start, and wait for the printed address."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "greenroom.cli", "serve", "--host", "127.0.0.1"),
                *("--port", "0", "--state-dir", str(self._folder)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is the doctor's to answer
            )
        try:
            async with asyncio.timeout(UP_WITHIN_S):
                return await self._printed_address(self._process)
        except TimeoutError:
            raise CallFailed(f"the server was not up within {UP_WITHIN_S:g} s") from None

    async def _printed_address(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        async for line in process.stdout:
            if found := _ADDRESS.search(line):
                return found[0].decode()
        raise CallFailed("the server ended before it was up")

    async def stop(self) -> None:
        """Stop as a service manager would."""
        assert self._process is not None
        self._process.terminate()
        try:
            async with asyncio.timeout(DOWN_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            raise CallFailed(f"the server did not end within {DOWN_WITHIN_S:g} s") from None

    async def leftovers(self) -> Finding:
        """Whether a process is left of all that the server started."""
        deadline_s = time.monotonic() + NOBODY_WITHIN_S
        while left := self._family():
            if time.monotonic() > deadline_s:
                pids = ", ".join(str(process.pid) for process in left)
                return problem("after the call", f"Processes are left: {pids}.", f"kill {pids}")
            await asyncio.sleep(0.05)  # the process table sends no event
        return ok("after the call", "no process is left")

    async def kill(self) -> None:
        """Whatever happened: leave nothing behind."""
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._process is not None:
            await self._process.wait()

    def last_words(self) -> str:
        """The last exception in the server's log; else its last line of an error, or its last."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        raised = [line for line in lines if _RAISED.match(line)]
        errors = [line for line in lines if "error" in line.lower() or line.startswith("✗")]
        return (raised or errors or lines or ["nothing"])[-1]

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _family(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get(_MARK) == self._mark
        except (psutil.Error, OSError):
            return False
