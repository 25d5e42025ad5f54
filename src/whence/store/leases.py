"""Who holds a lease, and whether that process is still there.

A lease gives one builder the right to run one static key. It is a promise, not a lock: a builder
that died is replaced at once where that can be seen (same machine), otherwise after it has missed
`MISSED_HEARTBEATS` heartbeats by the database's clock.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

_LINUX = sys.platform.startswith("linux")

#: How many heartbeats a holder may miss before others take its leases.
MISSED_HEARTBEATS = 3


def heartbeat_s() -> float:
    """Seconds between two heartbeats: 2, or what WHENCE_HEARTBEAT_S says."""
    return float(os.environ.get("WHENCE_HEARTBEAT_S") or 2.0)


class Owner(NamedTuple):
    """A process that holds leases.

    Parameters
    ----------
    host : str
        Name of the machine.
    pid : int
    process_start : str
        When the process started, so a reused process id is not taken for it. Begins with the
        machine's identity ("boot/namespace:"), as two machines may have one name.
    token : str
        Random: two owners in one process differ.
    """

    host: str
    pid: int
    process_start: str
    token: str

    @classmethod
    def current(cls) -> Owner:
        """An owner for this process, with a token of its own."""
        pid = os.getpid()
        start = _process_start(pid) or "unknown"
        return cls(os.uname().nodename, pid, f"{_machine()}:{start}", os.urandom(8).hex())

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def is_alive(owner: Owner) -> bool | None:
    """Whether the owner's process still runs; None where that cannot be seen from here."""
    machine, _, start = owner.process_start.partition(":")
    if owner.host != os.uname().nodename or machine != _machine():
        return None
    if start == "unknown":
        return None
    return _process_start(owner.pid) == start


def _machine() -> str:
    """Tells machines, boots and process-id namespaces apart where the system can say."""
    if not _LINUX:
        return sys.platform
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read(8)
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "linux"


def _process_start(pid: int) -> str | None:
    """When process `pid` started, in the system's own words; None where it does not run."""
    return _start_on_linux(pid) if _LINUX else _start_by_ps(pid)


def _start_on_linux(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may itself hold spaces and parentheses.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    # A zombie runs no more; its parent has only not looked yet.
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _start_by_ps(pid: int) -> str | None:
    import subprocess

    answer = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, start = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()
