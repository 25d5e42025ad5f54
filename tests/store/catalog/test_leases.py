"""A lease is held by one living process; the dead and the silent are replaced."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from tests.store.catalog.parts import key, small, start, task

from whence.store import leases
from whence.store.catalog import Catalog, LeaseResult, Owner, heartbeat_s, is_alive, open_catalog

Act = Callable[..., subprocess.Popen[str]]
A, B = key("a"), key("b")


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def say(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def seconds_until_held(catalog: Catalog, owner: Owner, wanted: str, limit_s: float) -> float:
    started = time.monotonic()
    while time.monotonic() - started < limit_s:
        if catalog.acquire([wanted], owner)[wanted].held:
            return time.monotonic() - started
        time.sleep(0.02)
    pytest.fail(f"no lease within {limit_s} s")


def test_one_holder_at_a_time(catalog: Catalog, owner: Owner) -> None:
    other = Owner.current()
    assert catalog.acquire([A, B], owner) == {A: LeaseResult(True), B: LeaseResult(True)}
    assert catalog.acquire([A], owner)[A].held  # asking twice does no harm
    refused = catalog.acquire([A], other)[A]
    assert (refused.held, refused.holder) == (False, f"{owner.host}:{os.getpid()}")
    catalog.release([A], other)  # not theirs to give
    assert catalog.held_keys(owner) == {A, B}
    catalog.release([A], owner)
    assert catalog.acquire([A, B], other)[A].held
    catalog.leave(owner)
    assert catalog.acquire([B], other)[B].held


def test_a_commit_gives_the_lease_back_and_takes_the_next(catalog: Catalog, owner: Owner) -> None:
    other = Owner.current()
    build = start(catalog, owner)
    value = small("value")
    catalog.acquire([A], owner)
    catalog.acquire([B], other)
    result = catalog.commit_task(
        build, task("a", value), [value], owner=owner, next_keys=[B, key("c")]
    )
    assert {name: lease.held for name, lease in result.leases.items()} == {B: False, key("c"): True}
    lease = catalog.acquire([A], other)[A]
    assert lease.held
    assert [row.output for row in lease.memo] == [value.digest]  # so it need not run again


def test_owners_know_their_own_process() -> None:
    me = Owner.current()
    assert is_alive(me) is True
    assert is_alive(me._replace(pid=2**22 + 7)) is False
    assert is_alive(me._replace(process_start=me.process_start + "1")) is False  # pid used again
    assert is_alive(me._replace(host="elsewhere")) is None
    assert is_alive(me._replace(process_start="other/boot:5")) is None
    assert Owner.current().token != me.token


def test_process_starts_by_ps_tell_processes_apart() -> None:
    mine = leases._start_by_ps(os.getpid())
    assert mine
    assert mine == leases._start_by_ps(os.getpid())
    assert leases._start_by_ps(2**22 + 7) is None


def test_heartbeats_follow_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heartbeat_s() == 2.0
    monkeypatch.setenv("WHENCE_HEARTBEAT_S", "0.25")
    assert heartbeat_s() == 0.25


def test_a_remote_owner_is_replaced_only_after_three_missed_heartbeats(
    catalog: Catalog, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHENCE_HEARTBEAT_S", "0.2")
    remote = Owner.current()._replace(host="elsewhere", pid=1)
    assert catalog.acquire([A], remote)[A].held
    assert not catalog.acquire([A], owner)[A].held
    waited = seconds_until_held(catalog, owner, A, 5)
    assert 0.3 < waited < 2
    catalog.heartbeat(remote)
    assert catalog.held_keys(remote) == set()
    assert not catalog.acquire([A], remote)[A].held


@pytest.mark.system
def test_kill_9_of_the_owner_frees_its_leases_at_once(url: str, act: Act, owner: Owner) -> None:
    holder = act("hold", url, "a")
    wait_ready(holder)
    with open_catalog(url) as catalog:
        assert not catalog.acquire([A], owner)[A].held
        holder.kill()  # and nobody waits for it: it stays a zombie
        assert seconds_until_held(catalog, owner, A, 5) < 1.0  # heartbeats would take 6 s


@pytest.mark.system
def test_a_stopped_owner_is_replaced_after_three_heartbeats(
    url: str, act: Act, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHENCE_HEARTBEAT_S", "0.4")
    holder = act("hold", url, "a")
    wait_ready(holder)
    with open_catalog(url) as catalog:
        time.sleep(1.6)
        assert not catalog.acquire([A], owner)[A].held  # it beats: it may take its time
        holder.send_signal(signal.SIGSTOP)
        assert 0.6 < seconds_until_held(catalog, owner, A, 6) < 3


@pytest.mark.system
@pytest.mark.parametrize(
    ("deterministic", "text", "won"),
    [(True, "same", True), (False, "other", False)],
)
def test_a_late_owner_may_commit_but_the_first_commit_wins(
    url: str, act: Act, owner: Owner, monkeypatch: pytest.MonkeyPatch,
    deterministic: bool, text: str, won: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("WHENCE_HEARTBEAT_S", "0.1")
    sleeper = act("late", url, "a", text, deterministic)
    wait_ready(sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    value = small("same")
    with open_catalog(url) as catalog:
        seconds_until_held(catalog, owner, A, 5)
        build = start(catalog, owner)
        record = task("a", value, deterministic=deterministic)
        catalog.commit_task(build, record, [value], owner=owner)
        catalog.acquire([A], owner)
        sleeper.send_signal(signal.SIGCONT)
        assert say(sleeper) == [value.digest, str(won)]
        assert catalog.held_keys(owner) == {A}  # the late one gave back only its own
        assert [row.output for row in catalog.find_memo(A)] == [value.digest]


@pytest.mark.system
def test_builders_share_the_work_and_none_of_it_runs_twice(url: str, act: Act) -> None:
    open_catalog(url).close()
    builders = [act("share", url, 150) for _ in range(3)]
    for builder in builders:
        wait_ready(builder)
    ran = [int(say(builder)[0]) for builder in builders]
    assert sum(ran) == 150
    assert [builder.wait() for builder in builders] == [0, 0, 0]
