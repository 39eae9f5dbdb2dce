"""Bot processes on this machine: a supervisor with its own lifetime, and zygotes that fork.

::

    server ── LocalLauncher ──(Unix socket)── supervisor ── zygote (one per bot module) ── bot
                                                        └── zygote ── bot, bot, …, spare

The server asks, the supervisor watches and kills, the zygote has imported everything and only
forks, the bot runs one session and is thrown away. ``ps -o comm`` tells them apart: ``gr-zygote``,
``gr-spare``, ``gr-bot``.

**Spares.** A spare is a bot without a launch: forked ahead, it has made its event loop and gone
through the beginning of a session once, with nobody, and waits, blocking. It has no identity and
no secret; the supervisor counts it apart and never as a bot. A launch is handed over to it with
the line on which its spec will come, and becomes its own when it has answered. One that does not
answer in half a second is killed, and its death awaited, before the launch gets a fork: there are
never two. It is replaced a second after the last start, so that no call that begins pays for it.

**Who outlives whom.** The supervisor runs in a session of its own (``setsid``), so neither
Ctrl-C in the server's terminal nor ``kill -9`` of the server reaches it: calls go on, and the
next server finds it by the socket in the state directory. It ends by itself when no server is
connected and no bot lives for ``idle_exit_s``. Nothing outlives the supervisor: a zygote that
loses its control socket kills the process group of every bot and exits, and on Linux the kernel
does the same by ``PR_SET_PDEATHSIG``. What a bot starts (a speech synthesiser, say) is killed with
its process group; what daemonises itself is adopted by the supervisor and killed with its bot.

**systemd.** ``systemctl stop`` kills every process of the unit's control group, whatever its
session. One way out is a unit of its own for the supervisor, which the server then finds::

    ExecStart=/…/python -m greenroom.launch.supervisor --state-dir=/… --idle-exit-s=inf
    Restart=always
    KillMode=mixed

Restart that unit when Greenroom or the environment of its bots has changed (a supervisor that the
server has started is replaced by itself, once no bot lives). The other way is ``KillMode=process``
in the server's unit: only the server is stopped, calls go on. With the default,
``control-group``, a restart of the server ends every call, politely: the supervisor answers
SIGTERM by SIGTERM to all bots, and SIGKILL ``STOP_TERM_S`` seconds later.

**Containers.** When process 1 of a container ends, the kernel kills all others in it; calls then
last as long as the container. To restart the server without them, run the supervisor as a container
of its own that shares the state directory (a Unix socket works across containers on one host) and
sees the bots' code, or run both under an init. If the server itself is process 1, use an init
(``docker run --init``), so that an ended supervisor is reaped.

**Other systems.** ``fork`` after threads have started is safe only on Linux. Elsewhere every bot is
a fresh interpreter (``method="spawn"``), which costs seconds and about 100 MB each. Windows has
neither process groups nor the sockets used here: `LocalLauncher` refuses to start there and names
WSL 2, which is Linux.
"""
