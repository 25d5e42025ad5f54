"""The coordinator's side of its workers: start them, give them work, notice their death."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from whence.engine.channel import Channel
from whence.engine.jobs import Job, Outcome, Setup, pack_job, unpack_outcome
from whence.errors import WhenceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from whence.engine.zygote import Forked, Zygote

#: How many threads numerical libraries use, where the user does not say.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Imported by its name, so that what it sends can be found again here.
_MAIN = "import sys; from whence.engine.worker import main; main(sys.argv[1:])"


def worker_environment(threads: int, overlay: str = "") -> dict[str, str]:
    """The environment variables of a worker whose numerical libraries may use so many threads.

    Packages in the folder `overlay` come before installed ones.
    """
    env = {**os.environ, "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")}
    # These libraries each take all cores by default; the workers share them.
    for name in THREAD_VARIABLES:
        env.setdefault(name, str(threads))
    if overlay:
        known = env.get("PYTHONPATH")
        env["PYTHONPATH"] = os.pathsep.join([overlay, *([known] if known else [])])
    return env


class WorkerDied(WhenceError):
    """A worker process ended before it answered."""


class WorkerProcess:
    """One spawned worker."""

    def __init__(
        self, setup: Setup, threads: int, zygote: Zygote | None = None, overlay: str = ""
    ) -> None:
        ours, theirs = socket.socketpair()
        handle = theirs.fileno()
        forked = zygote.fork(handle) if zygote is not None else None
        self.process: Forked | subprocess.Popen[bytes] = forked or subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, str(handle)],
            pass_fds=[handle],
            env=worker_environment(threads, overlay),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.greet(ours, setup)

    def greet(self, ours: socket.socket, setup: Setup) -> None:
        """Tell the process at the other end of `ours` what it must know."""
        self.channel = Channel(ours.detach())
        self.channel.send(setup)
        self.job: Any = None
        self.since = time.monotonic()
        self._known: set[str] = set()  # nodes whose specification is there

    def discover(self) -> dict[str, Any]:
        """Import the pipeline there; its nodes come back."""
        self.channel.send(("discover", None))
        reply = self._receive("discovery")
        if isinstance(reply, WhenceError):
            raise reply
        found: dict[str, Any] = reply
        self._known = {spec["name"] for spec in found["specs"] if not spec["options"]}
        return found

    def start(self, tag: Any, job: Job) -> None:
        """Begin a job; `tag` says which."""
        self.job, self.since = tag, time.monotonic()
        name = job.spec.name
        self.channel.send(("run", pack_job(job, None if name in self._known else job.spec)))
        self._known.add(name)

    def result(self) -> Outcome:
        """The outcome of the job begun last."""
        reply = self._receive("a task")
        self.job = None
        if isinstance(reply, WhenceError):
            return Outcome(error=reply.cause, fix=reply.fix, error_kind=type(reply).__name__)
        return unpack_outcome(reply)

    def _receive(self, what: str) -> Any:
        try:
            return self.channel.receive()
        except (EOFError, ConnectionResetError):
            code = self.process.wait()
            how = f" with exit code {code}"
            if code is None:  # a fork of another process: nobody can say
                how = ""
            elif code < 0:
                how = f" by signal {signal.Signals(-code).name}"
            hint = "; the system probably ran out of memory" if code == -signal.SIGKILL else ""
            raise WorkerDied(
                f"The worker process of {what} ended{how}{hint}.",
                "see `whence log`; run with fewer --jobs, or with --in-process to debug.",
            ) from None

    def stop(self, now: bool = False) -> None:
        """Let the worker end; `now` kills it and whatever it started in its session."""
        if now:
            self.process.kill()
        else:
            try:
                self.channel.send(None)
            except (BrokenPipeError, OSError):
                self.process.kill()
        self.channel.close()

    def join(self) -> None:
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class LocalWorker:
    """A worker inside this process, for debuggers (`--in-process`)."""

    def __init__(self, setup: Setup) -> None:
        from whence.engine.worker import Worker

        self._worker = Worker(setup)
        self.job: Any = None
        self.since = 0.0
        self._outcome = Outcome()

    def discover(self) -> dict[str, Any]:
        return self._worker.discover()

    def start(self, tag: Any, job: Job) -> None:
        self.job, self.since = tag, time.monotonic()
        self._outcome = self._worker.run(job)

    def result(self) -> Outcome:
        self.job = None
        return self._outcome

    def stop(self, now: bool = False) -> None:
        """Leave the process as it was found."""
        self._worker.close()

    def join(self) -> None: ...


class Pool:
    """Up to `jobs` workers, started one by one as work shows a need for them."""

    def __init__(
        self,
        setup: Setup,
        jobs: int,
        in_process: bool = False,
        *,
        threads: int | None = None,
        zygote: Zygote | None = None,
        overlay: str = "",
    ) -> None:
        self.setup, self.jobs, self.in_process = setup, 1 if in_process else jobs, in_process
        self.threads = threads or max(1, (os.cpu_count() or 1) // self.jobs)
        self.zygote, self.overlay = zygote, overlay
        self.workers: list[WorkerProcess | LocalWorker] = []

    def add(self) -> WorkerProcess | LocalWorker:
        """Start one more worker."""
        worker: WorkerProcess | LocalWorker
        if self.in_process:
            worker = LocalWorker(self.setup)
        else:
            worker = WorkerProcess(self.setup, self.threads, self.zygote, self.overlay)
        self.workers.append(worker)
        return worker

    def idle(self) -> WorkerProcess | LocalWorker | None:
        """A worker without a job, or None."""
        for worker in self.workers:
            if worker.job is None:
                return worker
        return None

    @property
    def busy(self) -> list[WorkerProcess | LocalWorker]:
        return [w for w in self.workers if w.job is not None]

    @property
    def can_grow(self) -> bool:
        return len(self.workers) < self.jobs

    def finished(self, timeout_s: float) -> list[WorkerProcess | LocalWorker]:
        """Busy workers whose outcome is there, waiting up to `timeout_s` for one."""
        busy = self.busy
        local = [w for w in busy if isinstance(w, LocalWorker)]
        if local:
            return list(local)
        by_handle = {w.channel.fileno(): w for w in busy if isinstance(w, WorkerProcess)}
        if not by_handle:
            time.sleep(timeout_s)
            return []
        poll = select.poll()
        for handle in by_handle:
            poll.register(handle, select.POLLIN)
        return [by_handle[handle] for handle, _ in poll.poll(timeout_s * 1000)]

    def remove(self, worker: WorkerProcess | LocalWorker) -> None:
        """Forget a worker that died."""
        worker.stop(now=True)
        worker.join()
        self.workers.remove(worker)

    def retire(self, worker: WorkerProcess | LocalWorker) -> None:
        """End an idle worker that may take no further task."""
        worker.stop()
        worker.join()
        self.workers.remove(worker)

    def close(self, now: bool = False) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.stop(now)
        for worker in self.workers:
            worker.join()
        self.workers.clear()
