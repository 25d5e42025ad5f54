"""A build: what runs, what is reused, what fails and what is skipped for it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engine.project_fixture import Sandbox, put, sandbox

from whence.engine.project import Project
from whence.errors import ConfigError, GraphError, ImportFault, UnknownId, WhenceError
from whence.store.artifact import Artifact, content_digest
from whence.store.catalog.catalog import Catalog
from whence.store.catalog.records import CommitResult, LeaseResult, TaskRecord
from whence.store.leases import Owner

__all__ = ["sandbox"]

DIAMOND = """
@wh.node
def base(size=2):
    return size

@wh.node
def left(base):
    return base + 1

@wh.node
def right(base):
    return base * 10

@wh.node
def top(left, right):
    return left + right
"""


def test_values_come_back(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": DIAMOND})
    made = sandbox.build()
    assert made.status == "ok"
    assert made.ran == {"base", "left", "right", "top", "bystander"}
    assert made["top"] == 23
    assert made.build.counts == {"ran": 5, "hit": 0, "failed": 0, "skipped": 0}
    assert made.build.id == "b1"


def test_only_what_a_target_needs_is_made(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": DIAMOND})
    assert sandbox.build("left").ran == {"base", "left"}
    made = sandbox.build(["top"])
    assert (made.hit, made.ran) == ({"base", "left"}, {"right", "top"})


def test_params_make_other_values_and_come_back(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": DIAMOND})
    sandbox.build()
    made = sandbox.build(params={"size": 3})
    assert made["top"] == 34
    assert made.hit == {"bystander"}
    assert sandbox.build(params={"base.size": 3}).ran == set()
    assert sandbox.build()["top"] == 23
    assert sandbox.build().ran == set()


def test_equal_tasks_run_once(sandbox: Sandbox) -> None:
    """The name of a node is no part of what it is: two that are equal share one run."""
    sandbox.write(
        {
            "pipe.py": """
                import os

                def make(name):
                    @wh.node(name=name)
                    def made():
                        with open("../log", "a") as file:
                            file.write("x")
                        return 1
                    return made

                a = make("a")
                b = make("b")
                c = make("c")
                """
        }
    )
    made = sandbox.build(jobs=3)
    assert made.status == "ok"
    assert {made[name] for name in "abc"} == {1}
    assert (sandbox.root.parent / "log").read_text() == "x"


def test_equal_tasks_that_last_run_once(sandbox: Sandbox) -> None:
    """Also where more workers are started meanwhile, and the lease came with a commit."""
    sandbox.write(
        {
            "pipe.py": """
                import time

                def make(name):
                    @wh.node(name=name)
                    def made(base):
                        with open("../log", "a") as file:
                            file.write("x")
                        time.sleep(0.4)
                        return base
                    return made

                @wh.node
                def base():
                    return 1

                a = make("a")
                b = make("b")
                """
        }
    )
    made = sandbox.build(jobs=3)
    assert made.status == "ok"
    assert (sandbox.root.parent / "log").read_text() == "x"


def test_each_task_costs_one_transaction(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease of what a commit makes ready is taken in that commit."""
    lines = [f"@wh.node\ndef n{i}(n{i - 1}):\n    return n{i - 1} + 1\n" for i in range(1, 20)]
    sandbox.write({"pipe.py": "@wh.node\ndef n0():\n    return 0\n\n" + "\n".join(lines)})
    asked: list[str] = []
    acquire = Catalog.acquire

    def counted(catalog: Catalog, keys: Sequence[str], owner: Owner) -> dict[str, LeaseResult]:
        asked.extend(keys)
        return acquire(catalog, keys, owner)

    monkeypatch.setattr(Catalog, "acquire", counted)
    made = sandbox.build()
    assert made["n19"] == 19
    assert len(asked) == 1  # of the first task; all others came with the commit before


def test_an_overruled_value_reaches_nobody(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build commits first: what it made counts, though a lease was asked for with ours."""
    sandbox.write(
        {
            "pipe.py": """
                @wh.node
                def up():
                    return 1

                @wh.node
                def down(up):
                    return up * 10
                """
        }
    )
    commit = Catalog.commit_task
    data = b"2"
    other = Artifact(content_digest("json", data), "json", 1, 1, data, None, "json")

    def beaten(
        catalog: Catalog, build_id: int, task: TaskRecord, *rest: Any, **options: Any
    ) -> CommitResult:
        if task.node == "up":
            commit(catalog, build_id, task._replace(output=other.digest), [other])
        return commit(catalog, build_id, task, *rest, **options)

    monkeypatch.setattr(Catalog, "commit_task", beaten)
    made = sandbox.build()
    assert (made["up"], made["down"]) == (2, 20)


def test_an_equal_value_stops_the_wave(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": DIAMOND})
    sandbox.build()
    sandbox.replace("pipe.py", "return base + 1", "return 1 + base")
    made = sandbox.build()
    assert made.ran == {"left"}
    assert made.hit == {"base", "right", "top", "bystander"}


# -- failures ----------------------------------------------------------------------------------


def test_a_failure_stays_with_what_depends_on_it(sandbox: Sandbox) -> None:
    sandbox.write(
        {"pipe.py": DIAMOND.replace("return base + 1", "raise ValueError('left is wrong')")}
    )
    made = sandbox.build()
    assert made.status == "failed"
    assert made.ran == {"base", "right", "bystander"}
    assert made.failed == {"left"} and made.skipped == {"top"}
    error = made.errors["left"]
    assert "ValueError: left is wrong" in error
    assert str(sandbox.path("pipe.py")) in error and "whence/engine" not in error
    top = next(task for task in made.build.tasks if task.node == "top")
    assert top.reason == "left failed"
    with pytest.raises(UnknownId, match="left"):
        made["left"]

    sandbox.write({"pipe.py": DIAMOND})
    repaired = sandbox.build()
    assert repaired.ran == {"left", "top"}
    assert repaired["top"] == 23


def test_a_failure_is_tried_again(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                from pathlib import Path

                @wh.node
                def out():
                    return Path("late.txt").read_text()
                """
        }
    )
    assert sandbox.build().failed == {"out"}
    assert not sandbox.has_receipt()
    assert sandbox.build().failed == {"out"}
    sandbox.write({"late.txt": "here"})
    assert sandbox.build()["out"] == "here"


def test_a_node_that_kills_its_worker_fails_alone(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                import os, signal

                @wh.node
                def base():
                    return 1

                @wh.node
                def killed(base):
                    os.kill(os.getpid(), signal.SIGKILL)

                @wh.node
                def exits(base):
                    os._exit(3)

                @wh.node
                def after(killed):
                    return killed

                @wh.node
                def other(base):
                    return base + 1
                """
        }
    )
    made = sandbox.build()
    assert made.status == "failed"
    assert made.failed == {"killed", "exits"} and made.skipped == {"after"}
    assert made.ran == {"base", "other", "bystander"}
    assert "SIGKILL" in made.errors["killed"] and "out of memory" in made.errors["killed"]
    assert "exit code 3" in made.errors["exits"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "returned None"),
        ("return object()", "object"),
        ("raise SystemExit(2)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Odd(BaseException): pass\n    raise Odd('odd')", "Odd"),
        ("def f(): f()\n    f()", "RecursionError"),
        ("raise MemoryError", "memory"),
    ],
)
def test_whatever_a_node_does_is_a_failure_with_a_cause(
    sandbox: Sandbox, body: str, message: str
) -> None:
    sandbox.write({"pipe.py": f"@wh.node\ndef out():\n    {body}\n"})
    made = sandbox.build()
    assert made.failed == {"out"} and made.ran == {"bystander"}
    assert message in made.errors["out"]
    assert "\n" in made.errors["out"], "no fix"


def test_prints_and_native_output_are_kept_as_the_log(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                import os, sys

                @wh.node
                def out():
                    print("to stdout")
                    print("to stderr", file=sys.stderr)
                    os.write(1, b"raw")
                    return 1
                """
        }
    )
    made = sandbox.build()
    task = next(task for task in made.build.tasks if task.node == "out")
    assert task.run_id is not None
    run = made.build._project.stores.catalog.run(task.run_id).run
    assert {"to stdout", "to stderr", "raw"} <= set(run.log.replace("raw", "\nraw\n").split("\n"))
    assert run.duration_s > 0 and run.peak_bytes > 1_000_000


def test_a_value_written_to_by_the_consumer_stays_as_it_was(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                @wh.node
                def base():
                    return {"a": [1]}

                @wh.node
                def first(base):
                    base["a"].append(2)
                    return len(base["a"])

                @wh.node
                def second(base, first):
                    return len(base["a"])
                """
        }
    )
    made = sandbox.build()
    assert (made["first"], made["second"], made["base"]) == (2, 1, {"a": [1]})


# -- a damaged store ---------------------------------------------------------------------------

BIG = """
@wh.node
def big():
    with open("../log", "a") as file:
        file.write("x")
    return "x" * 200_000

@wh.node
def size(big):
    return len(big)
"""


@pytest.mark.parametrize("damage", ["truncated", "altered", "deleted"])
def test_a_damaged_blob_is_noticed_and_made_again(sandbox: Sandbox, damage: str) -> None:
    sandbox.write({"pipe.py": BIG})
    first = sandbox.build()
    assert first["size"] == 200_000
    blobs = [p for p in (sandbox.root / ".whence/store").rglob("*") if p.stat().st_size > 100_000]
    blobs = [p for p in blobs if p.is_file()]
    assert len(blobs) == 1
    path = blobs[0]
    path.chmod(0o644)
    if damage == "truncated":
        os.truncate(path, 1000)
    elif damage == "altered":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    assert not sandbox.has_receipt()
    second = sandbox.build()
    assert second.status in ("ok", "current")
    assert second.ran == {"big"}
    assert second["big"] == "x" * 200_000
    assert sandbox.build().ran == set()


# -- nodes that are not deterministic ----------------------------------------------------------

CLOCK = """
import time

@wh.node(deterministic=False{})
def now():
    return time.time_ns()

@wh.node
def after(now):
    return now + 1
"""


def test_a_recorded_value_stays_until_it_is_refreshed(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": CLOCK.format("")})
    first = sandbox.build()
    assert sandbox.build().status == "current"
    assert sandbox.build()["now"] == first["now"]
    refreshed = sandbox.build(refresh=["now"])
    assert refreshed.ran == {"now", "after"}
    assert refreshed["now"] > first["now"]
    assert refreshed["after"] == refreshed["now"] + 1
    kept = sandbox.build()
    assert kept.ran == set()
    assert kept["now"] == refreshed["now"], "the refreshed value is the recorded one now"
    with pytest.raises(ConfigError, match="now"):
        sandbox.build(refresh=["after"])


def test_a_recorded_value_grows_old(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": CLOCK.format(', max_age="2s"')})
    started = time.time()
    first = sandbox.build()
    again = sandbox.build()
    if time.time() - started < 1.9:  # else a loaded machine was too slow to tell
        assert again.ran == set()
    time.sleep(2.1)
    assert not sandbox.has_receipt()
    made = sandbox.build()
    assert "now" in made.ran
    assert made["now"] > first["now"]


def test_another_value_from_a_deterministic_node_is_told(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                import time

                @wh.node
                def out():
                    return time.time_ns()
                """
        }
    )
    first = sandbox.build()
    made, changes = first.build._project.rebuild("b1", from_scratch=True, jobs=1)
    assert made.status == "ok"
    assert [change.name for change in changes] == ["out"]


# -- partitions --------------------------------------------------------------------------------

PARTS = """
days = wh.files("days/*.json", partition_by="file")

@wh.node(partitioned=True)
def doubled(days, partition):
    if days == 0:
        raise ValueError(f"nothing on {partition}")
    return days * 2

@wh.node(partitioned=True)
def recent(doubled=wh.window("file", -1, 0)):
    return sum(doubled.values()) if isinstance(doubled, dict) else repr(doubled)

@wh.node
def total(doubled):
    return doubled
"""


def days(**values: int) -> dict[str, str | bytes]:
    return {f"days/{name}.json": str(value) for name, value in values.items()}


def test_one_partition_rebuilds_only_itself(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": PARTS, **days(d1=1, d2=2, d3=3)})
    first = sandbox.build()
    assert first.status == "ok", first.errors
    assert first["doubled"] == {"d1": 2, "d2": 4, "d3": 6}
    assert list(first["total"]) == ["d1", "d2", "d3"]
    assert sandbox.build().status == "current"

    sandbox.write(days(d2=5))
    changed = sandbox.build()
    assert changed.ran == {"days[d2]", "doubled[d2]", "recent[d2]", "recent[d3]", "total"}
    assert changed["total"] == {"d1": 2, "d2": 10, "d3": 6}

    sandbox.write(days(d4=4))
    added = sandbox.build()
    assert added.ran == {"days[d4]", "doubled[d4]", "recent[d4]", "total"}

    sandbox.path("days/d1.json").unlink()
    removed = sandbox.build()
    assert removed.ran == {"recent[d2]", "total"}
    assert removed["total"] == {"d2": 10, "d3": 6, "d4": 8}

    sandbox.path("days/d4.json").rename(sandbox.path("days/d9.json"))
    renamed = sandbox.build()
    # Its content is known, but `doubled` takes its own key, so it must run.
    assert renamed.ran == {"doubled[d9]", "recent[d9]", "total"} or renamed.ran == {
        "days[d9]", "doubled[d9]", "recent[d9]", "total",
    }  # fmt: skip
    assert renamed["total"] == {"d2": 10, "d3": 6, "d9": 8}


def test_a_failed_partition_stays_alone(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": PARTS, **days(d1=1, d2=0, d3=3, d4=4)})
    made = sandbox.build()
    assert made.failed == {"doubled[d2]"}
    assert made.skipped == {"recent[d2]", "recent[d3]", "total"}
    assert {"doubled[d1]", "doubled[d3]", "doubled[d4]", "recent[d1]", "recent[d4]"} <= made.ran
    assert "nothing on d2" in made.errors["doubled[d2]"]
    sandbox.write(days(d2=2))
    repaired = sandbox.build()
    assert repaired.status == "ok"
    assert repaired.ran == {"days[d2]", "doubled[d2]", "recent[d2]", "recent[d3]", "total"}


def test_a_partitioned_node_needs_a_partitioned_input(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                @wh.node
                def a():
                    return 1

                @wh.node(partitioned=True)
                def b(a):
                    return a
                """
        }
    )
    with pytest.raises(GraphError, match="'b' is partitioned"):
        sandbox.build()


# -- what cannot be built at all ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipe", "kind", "message"),
    [
        (
            "@wh.node\ndef out(bse):\n    return 1\n@wh.node\ndef base():\n    return 1\n",
            GraphError,
            "base",
        ),
        ("@wh.node\ndef a(b):\n    return b\n@wh.node\ndef b(a):\n    return a\n", GraphError, "a"),
        (
            "@wh.node\ndef a():\n    return 1\n@wh.node(name='a')\ndef other():\n    return 2\n",
            GraphError,
            "'a'",
        ),
        ("import not_a_module_here\n", ImportFault, "not_a_module_here"),
        ("1 / 0\n", ImportFault, "ZeroDivisionError"),
        ("def broken(:\n", ImportFault, "pipe.py"),
    ],
    ids=["unknown input", "cycle", "duplicate name", "missing module", "error at import", "syntax"],
)
def test_what_is_wrong_is_said(
    sandbox: Sandbox, pipe: str, kind: type[WhenceError], message: str
) -> None:
    sandbox.write({"pipe.py": pipe})
    with pytest.raises(kind) as caught:
        sandbox.build()
    assert message in caught.value.cause + caught.value.fix
    assert caught.value.fix
    sandbox.write({"pipe.py": DIAMOND})
    assert sandbox.build()["top"] == 23


def test_what_ran_is_what_was_there_when_the_build_began(sandbox: Sandbox) -> None:
    """An edit during a build neither changes what runs nor is taken for what ran."""
    sandbox.write(
        {
            "pipe.py": """
                import time, pathlib

                @wh.node
                def slow():
                    pathlib.Path("../started").touch()
                    time.sleep(0.7)
                    return 1

                @wh.node
                def late(slow):
                    import lib
                    return lib.VALUE
                """,
            "lib.py": "VALUE = 1\n",
        }
    )
    import threading

    def edit() -> None:
        while not (sandbox.root.parent / "started").exists():
            time.sleep(0.01)
        put("lib.py", "VALUE = 2\n")(sandbox)

    editor = threading.Thread(target=edit)
    editor.start()
    first = sandbox.build()
    editor.join()
    assert first["late"] == 1
    assert not sandbox.has_receipt()
    second = sandbox.build()
    assert second.ran == {"late"} and second["late"] == 2


def test_in_process_gives_the_same_values(sandbox: Sandbox, tmp_path: Path) -> None:
    """Through a process of its own: an in-process build imports the project where it runs."""
    sandbox.write({"pipe.py": DIAMOND})
    script = (
        "import sys\nfrom whence.engine.project import Project\n"
        "with Project.open(sys.argv[1]) as p:\n"
        "    made = p.build(in_process=True)\n"
        "    print(made.status, made['top'], made.artifact('top').digest)\n"
    )
    import subprocess
    import sys

    from tests.engine.project_fixture import driver_env

    done = subprocess.run(
        [sys.executable, "-c", script, str(sandbox.root)],
        capture_output=True, text=True, env=driver_env(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, value, digest = done.stdout.split()
    assert (status, value) == ("ok", "23")
    with Project.open(sandbox.root) as project:
        made = project.build(jobs=1)
        assert made.counts["ran"] == 0
        assert made.artifact("top").digest == digest
