"""A PostgreSQL server for tests: its own folder, port and process, gone when the tests are."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from greenroom.launch.kernel import die_with_parent

_READY_WITHIN_S = 20.0
_STOPPED_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02
_DEBIAN = Path("/usr/lib/postgresql")
# Where files are memory. To make and drop a database takes a disk three times as long, and five
# times the CPU (measured); what a suite leaves there is gone with its server.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_MEMORY_ENOUGH_BYTES = 2 << 30
# A test's database is thrown away: nothing need survive a power cut.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    # Nobody replicates it, and its log is to stay small: it may be kept in memory.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "64MB",
}


class PostgresServer:
    """One server on loopback, with a password. It never runs as root, even if the tests do.

    Args:
        folder: An empty folder of its own, which its user can reach; see `a_postgres_server`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._password = secrets.token_hex(16)
        self._user = _unprivileged()
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as ``GREENROOM_DATABASE_URL`` takes it."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/{database}"

    @property
    def pid(self) -> int:
        """The process that all of its others come of."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def prepare(self) -> None:
        """Make the folder ready (``initdb``). Takes about a second."""
        password = self._folder / "password"
        password.write_text(self._password)
        if self._user is not None:
            for path in (self._folder, password):
                shutil.chown(path, self._user)
        self._run(
            "initdb",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            f"--pgdata={self._data}",
        )

    def start(self) -> None:
        """Start and wait until it takes connections."""
        settings = {**_FAST, "listen_addresses": "127.0.0.1", "port": str(self._port)}
        settings["unix_socket_directories"] = str(self._folder)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [
                    _program("postgres"),
                    "-D",
                    str(self._data),
                    *(f"--{name}={value}" for name, value in settings.items()),
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                user=self._user,
                preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGINT),
            )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop as on a restart of its machine: connections are cut, what was committed stays."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # "fast": PostgreSQL's manual, pg_ctl
        try:
            process.wait(_STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(_STOPPED_WITHIN_S)

    def new_database(self, template: str = "template0") -> str:
        """Make a database, as a copy of the template if one is named; returns its name."""
        self._made += 1
        name = f"test_{self._made}"
        self._psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Throw a database away, whoever is connected to it."""
        self._psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _psql(self, statement: str) -> None:
        self._run("psql", "--no-psqlrc", "--quiet", "--command", statement, self.url())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own command
            [_program(program), *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            user=self._user,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + _READY_WITHIN_S
        # The last line of this file tells how far the server has come ("ready", padded).
        state = self._data / "postmaster.pid"
        while time.monotonic() < deadline_s and process.poll() is None:
            with contextlib.suppress(FileNotFoundError, IndexError):
                if state.read_text().splitlines()[7].strip() == "ready":
                    return
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")


@contextlib.contextmanager
def a_postgres_server() -> Iterator[PostgresServer]:
    """A running server, for as long as the block lasts."""
    # Not below a folder of pytest's: those are for the tests' own user only.
    folder = Path(tempfile.mkdtemp(prefix="greenroom-pg-", dir=_in_memory()))
    server = PostgresServer(folder)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> Path | None:
    """Where files are memory, if there is enough of it; None: wherever temporary files are."""
    try:
        free_bytes = shutil.disk_usage(_MEMORY).free
    except OSError:
        return None
    usable = free_bytes >= _MEMORY_ENOUGH_BYTES and os.access(_MEMORY, os.W_OK)
    return _MEMORY if usable else None


def _program(name: str) -> str:
    """Where a program of PostgreSQL is; Debian keeps those of the server out of the way."""
    for version in sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True):
        if (version / "initdb").exists() and (version / name).exists():
            return str(version / name)
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name} here: run scripts/system-packages database")
    return found


def _version(folder: Path) -> float:
    with contextlib.suppress(ValueError):
        return float(folder.parent.name)
    return 0.0


def _unprivileged() -> str | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
