"""Collecting frees what nothing refers to, and nothing else, whoever works beside it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.store.catalog.parts import big, blob_of, key, small, start, task
from tests.store.catalog.test_leases import say, wait_ready

from whence.graph.digest import digest_bytes, digest_text
from whence.store.artifact import Artifact
from whence.store.blobs import LocalBlobs
from whence.store.catalog import (
    BuildStart,
    Catalog,
    HitRecord,
    Owner,
    PredictionRecord,
    open_catalog,
)
from whence.store.gc import GcReport, collect

Act = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def collect_all(catalog: Catalog, blobs: LocalBlobs, **known: object) -> GcReport:
    """Collect without any mercy for what is recent."""
    options: dict[str, object] = {"keep_builds": 0, "keep_days": 0, "grace_s": -1, **known}
    return collect(catalog, blobs, **options)  # type: ignore[arg-type]


def build_of(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs, name: str, status: str = "ok"
) -> int:
    """A build with a snapshot, a recipe, a tree with a big child, and a run."""
    source = f"# source of {name}\n".encode()
    content = digest_bytes(source)
    tree = json.dumps({"files": {"pipeline.py": {"digest": content, "size": len(source)}}})
    tree_digest = digest_text("tree", tree)
    world = json.dumps({"tree": tree_digest, "data": {}, "seed": None})
    world_digest = digest_text("world", world)
    catalog.put_content(content, source)
    catalog.put_text(tree_digest, tree)
    what = BuildStart(targets=(name,), world=world_digest)
    build = catalog.start_build(what, owner=owner, new_texts={world_digest: world})
    leaf = big(f"leaf of {name}", blobs)
    top = small(f"top of {name}", children=(leaf.digest,))
    record = task(name, top)
    catalog.commit_task(build, record, [top, leaf], new_texts={record.recipe: f'["{name}"]'})
    if status != "running":
        catalog.finish_build(build, status)
    return build


def assert_whole(catalog: Catalog, blobs: LocalBlobs, build: int) -> None:
    """All that a build refers to is there, down to the bytes."""
    row = catalog.get_build(build)
    world = json.loads(catalog.get_text(row.start.world))
    tree = json.loads(catalog.get_text(world["tree"]))
    for file in tree["files"].values():
        assert digest_bytes(catalog.get_content(file["digest"])) == file["digest"]
    for done in catalog.tasks_of(build):
        assert catalog.get_text(done.recipe)
        assert done.run_id is not None
        assert catalog.run(done.run_id)
        assert catalog.find_memo(done.static_key)
        assert done.output is not None
        for child in catalog.get_artifact(done.output).children:
            blob = catalog.get_artifact(child).blob
            assert blob is not None
            assert blobs.get_bytes(blob)


def test_what_goes_and_what_stays(catalog: Catalog, owner: Owner, blobs: LocalBlobs) -> None:
    accepted = build_of(catalog, owner, blobs, "accepted")
    served = build_of(catalog, owner, blobs, "served")
    dropped = build_of(catalog, owner, blobs, "dropped")
    recent = build_of(catalog, owner, blobs, "recent")
    failed = build_of(catalog, owner, blobs, "failed", status="failed")
    running = build_of(catalog, owner, blobs, "running", status="running")
    catalog.accept(accepted)
    catalog.add_predictions([PredictionRecord("4f" * 16, "delay", served, time.time(), "{}", "{}")])
    planned = collect_all(catalog, blobs, keep_builds=1, dry_run=True)
    report = collect_all(catalog, blobs, keep_builds=1)
    assert replace(planned, dry_run=False) == report
    assert planned.dry_run
    assert report.builds == (f"b{dropped}",)
    assert report.kept == {
        f"b{accepted}": "accepted",
        f"b{served}": "predictions",
        f"b{recent}": "recent",
        f"b{failed}": "recent",
        f"b{running}": "running",
    }
    assert report.blobs == 1
    assert report.blob_bytes == len("leaf of dropped")
    assert report.rows["artifacts"] == 2
    assert report.rows["texts"] == 4  # world, tree, source file, recipe
    assert report.rows["memo"] == report.rows["runs"] == report.rows["build_tasks"] == 1
    assert report.bytes == report.blob_bytes + report.catalog_bytes
    assert not blobs.exists(blob_of("leaf of dropped"))
    for build in (accepted, served, recent, failed, running):
        assert_whole(catalog, blobs, build)
    again = collect_all(catalog, blobs, keep_builds=1)
    assert (again.rows, again.blobs, again.builds) == ({}, 0, ())


def test_a_plan_changes_nothing(catalog: Catalog, owner: Owner, blobs: LocalBlobs) -> None:
    build = build_of(catalog, owner, blobs, "a")
    generation = catalog.generation
    report = collect_all(catalog, blobs, dry_run=True)
    assert report.builds == (f"b{build}",)
    assert_whole(catalog, blobs, build)
    assert catalog.generation == generation


def test_what_was_deleted_voids_plans(catalog: Catalog, owner: Owner, blobs: LocalBlobs) -> None:
    build_of(catalog, owner, blobs, "a")
    generation = catalog.generation
    collect_all(catalog, blobs)
    assert catalog.generation == generation + 1
    collect_all(catalog, blobs)
    assert catalog.generation == generation + 1


def test_a_hit_keeps_what_an_older_build_made(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs
) -> None:
    build_of(catalog, owner, blobs, "shared")
    new = start(catalog, owner)
    (memo,) = catalog.find_memo(key("shared"))
    recipe = digest_text("recipe", "shared")
    hit = HitRecord("shared", "", memo.static_key, memo.observed_key, memo.output, recipe)
    assert catalog.record_hits(new, [hit], blob_exists=blobs.exists) == []
    catalog.finish_build(new, "ok")
    report = collect_all(catalog, blobs, keep_builds=1)
    assert len(report.builds) == 1
    assert report.blobs == 0
    (row,) = catalog.tasks_of(new)
    assert row.run_id is not None
    assert catalog.run(row.run_id).build_id != new  # the run that made it outlives its build
    assert blobs.exists(blob_of("leaf of shared"))


def test_builds_of_the_last_days_stay(catalog: Catalog, owner: Owner, blobs: LocalBlobs) -> None:
    old, new = (build_of(catalog, owner, blobs, name) for name in ("old", "new"))
    catalog.database.write(
        "UPDATE builds SET started = ? WHERE build_id = ?", (time.time() - 20 * 86400, old)
    )
    report = collect_all(catalog, blobs, keep_days=14)
    assert (report.builds, report.kept) == ((f"b{old}",), {f"b{new}": "recent"})


def test_failures_do_not_push_good_builds_out(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs
) -> None:
    good = build_of(catalog, owner, blobs, "good")
    for number in range(3):
        build_of(catalog, owner, blobs, f"bad {number}", status="failed")
    assert f"b{good}" in collect_all(catalog, blobs, keep_builds=1).kept


def test_a_running_build_of_the_dead_is_collected(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs
) -> None:
    build = build_of(catalog, owner._replace(pid=2**22 + 7), blobs, "dead", status="running")
    remote = Owner.current()._replace(host="elsewhere")
    other = build_of(catalog, remote, blobs, "remote", status="running")
    report = collect_all(catalog, blobs)
    assert report.builds == (f"b{build}",)
    assert report.kept == {f"b{other}": "running"}  # it may come back


def test_what_is_young_waits_for_its_commit(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs
) -> None:
    leaf = big("leaf", blobs)
    top = small("top", children=(leaf.digest,))
    catalog.put_artifacts([top, leaf])
    catalog.put_texts({"sha256:" + "1" * 64: "{}", "sha256:" + "2" * 64: "x"})
    orphan = blobs.put_bytes(b"orphan")
    report = collect_all(catalog, blobs, grace_s=3600)
    assert (report.rows, report.blobs) == ({}, 0)
    report = collect_all(catalog, blobs)
    assert report.rows == {"artifacts": 2, "texts": 2}
    assert report.blobs == 2
    assert not blobs.exists(orphan)


def test_what_is_put_again_is_young_again(catalog: Catalog, blobs: LocalBlobs) -> None:
    value = small("value")
    text = "sha256:" + "1" * 64
    for _ in range(2):
        catalog.put_artifacts([value])
        catalog.put_text(text, "x")
        collect_all(catalog, blobs, grace_s=3600)
        for table in ("artifacts", "texts"):
            catalog.database.write(f"UPDATE {table} SET created = created - 7200")
    catalog.put_artifacts([value])
    catalog.put_text(text, "x")
    assert collect_all(catalog, blobs, grace_s=3600).rows == {}


def test_a_blob_that_was_needed_again_stays(
    catalog: Catalog, owner: Owner, blobs: LocalBlobs
) -> None:
    build_of(catalog, owner, blobs, "a")

    leaf = blob_of("leaf of a")
    original = catalog.database.transact
    calls = []

    def transact(work, **known):  # type: ignore[no-untyped-def]
        calls.append(known)
        if len(calls) == 2:  # the rows are gone, the blobs are next
            value = Artifact(
                digest=key("again"), format="text", version=1, size_bytes=1, inline=None,
                blob=leaf, encoding="utf-8",
            )  # fmt: skip
            catalog.database.transact = original  # type: ignore[method-assign]
            build = start(catalog, owner)
            catalog.commit_task(build, task("again", value), [value], blob_exists=blobs.exists)
        return original(work, **known)

    catalog.database.transact = transact  # type: ignore[method-assign]
    report = collect_all(catalog, blobs)
    assert report.blobs == 0
    assert blobs.exists(leaf)


def test_leftovers_of_dead_writers_are_swept(
    catalog: Catalog, blobs: LocalBlobs, tmp_path: Path
) -> None:
    leftover = blobs.root / "tmp" / "leftover"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"12345")
    assert collect_all(catalog, blobs).swept == ()
    os.utime(leftover, (1, 1))
    planned = collect_all(catalog, blobs, dry_run=True)
    assert leftover.exists()
    assert planned.swept == collect_all(catalog, blobs).swept == ((str(leftover), 5),)
    assert not leftover.exists()


@pytest.mark.system
def test_collecting_beside_builders_never_leaves_a_row_without_its_blob(
    url: str, act: Act, tmp_path: Path
) -> None:
    folder = tmp_path / "blobs"
    LocalBlobs(folder)
    open_catalog(url).close()
    collector = act("collect_for_ever", url, folder)
    builders = [act("build_for", url, folder, 4) for _ in range(2)]
    for process in (collector, *builders):
        wait_ready(process)
    counts = [[int(word) for word in say(builder)] for builder in builders]
    assert [builder.wait() for builder in builders] == [0, 0]
    collector.kill()
    collector.wait()
    for builds, ran, _, _ in counts:
        assert builds > 3
        assert ran > 3  # the collector did take things away
    blobs = LocalBlobs(folder)
    with open_catalog(url) as catalog:
        assert catalog.check() == []
        rows = catalog.database.query("SELECT blob FROM artifacts WHERE blob IS NOT NULL")
        assert all(blobs.exists(blob) for (blob,) in rows)
        memo = catalog.database.query("SELECT output FROM memo")
        assert catalog.get_artifacts(output for (output,) in memo).keys() == {m for (m,) in memo}
        collect_all(catalog, blobs)
        assert list(blobs.iterate()) == []
        assert catalog.database.query("SELECT digest FROM artifacts") == []
        assert catalog.database.query("SELECT digest FROM texts") == []
