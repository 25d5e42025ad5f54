"""Workers forked from a process that has imported the libraries already.

Many short builds, such as the mixes of `whence why`, would each pay again for importing pandas and
the like. The zygote imports them once, with nothing of the project, and each worker is a fork of
it. Only where forking is safe: on Linux, and while the zygote has a single thread.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

_MAIN = "import sys; from whence.engine.zygote import main; main(sys.argv[1:])"
_REFUSED = -1
#: jemalloc, which comes with pyarrow, stops its thread before a fork and starts it again after.
_SURVIVING = ("jemalloc_bg_thd",)


class Zygote:
    """The process that workers are forks of; it is started with the first of them.

    Parameters
    ----------
    modules : iterable of str
        What to import; those that cannot be are left to the workers.
    env : mapping
        The environment of all workers.
    """

    def __init__(self, modules: Iterable[str], env: Mapping[str, str]) -> None:
        self._modules, self._env = list(modules), dict(env)
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> socket.socket:
        sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), *self._modules],
            pass_fds=[theirs.fileno()],
            env=self._env,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        return sock

    @staticmethod
    def is_possible() -> bool:
        """Whether this system forks processes safely after libraries were imported."""
        return sys.platform.startswith("linux")

    def fork(self, handle: int) -> Forked | None:
        """A worker on the connection `handle`; None where it must be started in another way."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))]
        with self._lock:
            if self._sock is None:  # not before the first worker is needed
                self._sock = self._start()
            try:
                self._sock.sendmsg([b"fork"], rights)
                pid = int(self._sock.recv(64) or _REFUSED)
            except OSError:  # it died, of a library that does so when it is imported
                return None
        return None if pid == _REFUSED else Forked(pid)

    @property
    def cpu_s(self) -> float:
        """CPU seconds that importing has cost so far."""
        if self._process is None:
            return 0.0
        try:
            with open(f"/proc/{self._process.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the zygote; its workers go on."""
        if self._sock is not None and self._process is not None:
            self._sock.close()
            self._process.kill()  # it may be in the middle of an import
            self._process.wait()


class Forked:
    """As much of `subprocess.Popen` as the pool uses, for a process that is nobody's child here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def wait(self, timeout: float = 10.0) -> None:
        """Wait until the process is gone; its exit code cannot be known."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.002)


def _is_alone() -> bool:
    """Whether no thread but the first runs, apart from those that survive a fork."""
    others = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/comm") as file:
            others += file.read().strip() not in _SURVIVING
    return others <= 1


def main(argv: list[str]) -> None:
    """Import the modules, then fork a worker for each connection that is sent."""
    from importlib import import_module

    import whence.engine.worker
    import whence.store.formats

    del whence.store.formats
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in argv[1:]:
        try:
            import_module(name)
        except Exception:  # noqa: BLE001 - a worker that needs it will say what is wrong
            continue
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are nobody's to wait for
    sock = socket.socket(fileno=int(argv[0]))
    alone = _is_alone()
    while True:
        data, rights, _, _ = sock.recvmsg(16, socket.CMSG_LEN(4))
        if not data:
            os._exit(0)
        handle = array.array("i", rights[0][2])[0]
        pid: Any = os.fork() if alone else _REFUSED
        if pid == 0:
            sock.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            whence.engine.worker.main([str(handle)])
        os.close(handle)
        sock.send(str(pid).encode())
