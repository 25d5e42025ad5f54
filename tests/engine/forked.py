"""Workers forked from a process that has imported the engine: the same workers, started sooner.

A spawned worker spends most of a tiny build on importing. The zygote imports once; each worker is
a fork of it with the environment that a spawned one would get. All else is what users run.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from tests.engine.project_fixture import driver_env

from whence.engine.jobs import Setup
from whence.engine.pool import WorkerProcess

_ZYGOTE = """\
import array, json, os, signal, socket, sys
import whence.engine.worker, whence.data.reader, whence.store.formats, random
from whence.engine.worker import main

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
sock = socket.socket(fileno=int(sys.argv[1]))
while True:
    data, rights, _, _ = sock.recvmsg(1 << 20, socket.CMSG_LEN(4))
    if not data:
        os._exit(0)
    handle = array.array("i", rights[0][2])[0]
    pid = os.fork()
    if pid == 0:
        sock.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(json.loads(data))
        main([str(handle)])
    os.close(handle)
    sock.send(str(pid).encode())
"""


class Zygote:
    """The process that workers are forks of."""

    def __init__(self) -> None:
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _ZYGOTE, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**driver_env(), "PYTHONHASHSEED": "0"},
        )
        theirs.close()

    def fork(self, handle: int, env: dict[str, str]) -> int:
        """Start a worker on the connection `handle`; its process id."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))]
        self._sock.sendmsg([json.dumps(env).encode()], rights)
        return int(self._sock.recv(64))

    def close(self) -> None:
        self._sock.close()
        self._process.wait(10)


class _Process:
    """As much of `Popen` as the pool uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, timeout: float = 10.0) -> int:
        deadline = time.monotonic() + timeout
        while True:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return 0
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.001)


def forked_worker(zygote: Zygote) -> type[WorkerProcess]:
    """What to put in the place of `whence.engine.pool.WorkerProcess`."""

    class ForkedWorker(WorkerProcess):
        def __init__(self, setup: Setup, threads: int, *others: object) -> None:
            ours, theirs = socket.socketpair()
            pid = zygote.fork(theirs.fileno(), {**os.environ, "PYTHONHASHSEED": "0"})
            theirs.close()
            self.process: Any = _Process(pid)
            self.greet(ours, setup)

    return ForkedWorker
