"""What is put into the catalog comes out of it, on either database."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.catalog.parts import ENV, FILE, big, key, small, start, task

import whence
from whence.errors import UnknownId
from whence.graph.digest import digest_text
from whence.graph.observation import Observation
from whence.store.blobs import LocalBlobs
from whence.store.catalog import (
    BlobVanished,
    BuildStart,
    Catalog,
    HitRecord,
    Match,
    Owner,
    PredictionRecord,
    TaskRecord,
    open_catalog,
)


def hit_of(name: str, output: str, observed_key: str = "none") -> HitRecord:
    return HitRecord(name, "", key(name), observed_key, output, digest_text("recipe", name))  # type: ignore[arg-type]


def test_a_store_keeps_its_name(url: str) -> None:
    with open_catalog(url) as one, open_catalog(url) as two:
        assert one.store_id == two.store_id
        assert len(one.store_id) == 32
        assert one.generation == 1


def test_texts_and_contents(catalog: Catalog) -> None:
    catalog.put_texts({"sha256:1": "Größe \ud800", "sha256:2": ""})
    catalog.put_content("sha256:3", b"\x00\xff")
    catalog.put_text("sha256:1", "another text under the same digest")
    assert catalog.get_text("sha256:1") == "Größe \ud800"
    assert catalog.get_content("sha256:3") == b"\x00\xff"
    assert catalog.get_texts(["sha256:2", "sha256:9"]) == {"sha256:2": ""}
    assert catalog.has_contents(["sha256:3", "sha256:9"]) == {"sha256:3"}
    with pytest.raises(UnknownId, match="no text sha256:9"):
        catalog.get_text("sha256:9")


def test_artifacts(catalog: Catalog, tmp_path: Path) -> None:
    leaf = big("leaf", LocalBlobs(tmp_path / "blobs"))
    tree = small("tree", children=(leaf.digest,))._replace(unsafe=True)
    catalog.put_artifacts([tree, leaf])
    assert catalog.get_artifact(leaf.digest) == leaf
    assert catalog.get_artifacts([tree.digest, "blake3:00"]) == {tree.digest: tree}
    with pytest.raises(UnknownId, match="no artifact"):
        catalog.get_artifact("blake3:00")


def test_an_artifact_stored_anew_has_its_new_bytes(catalog: Catalog) -> None:
    arrow = small("rows")._replace(inline=None, blob=key("arrow"), encoding="arrow")
    parquet = arrow._replace(blob=key("parquet"), encoding="parquet")
    catalog.put_artifacts([arrow])
    catalog.put_artifacts([parquet])
    assert catalog.get_artifact(arrow.digest) == parquet


def test_a_committed_task_is_remembered(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    value = small("value")
    record = task("auc", value, observed=(FILE, ENV), reason="new")
    result = catalog.commit_task(
        build, record, [value], owner=owner, new_texts={record.recipe: '{"code":1}'}
    )
    assert (result.output, result.won) == (value.digest, True)
    (row,) = catalog.find_memo(record.static_key)
    assert set(row.observed) == {FILE, ENV}
    assert (row.output, row.run_id) == (value.digest, result.run_id)
    assert catalog.get_artifact(value.digest) == value
    assert catalog.get_text(record.recipe) == '{"code":1}'
    (done,) = catalog.tasks_of(build)
    assert (done.node, done.status, done.reason, done.output) == ("auc", "ran", "new", value.digest)
    assert done.observed_key == row.observed_key
    assert catalog.last_task("auc") == done == catalog.last_tasks()["auc", ""]
    assert catalog.tasks_with_output(value.digest) == [done]
    assert result.run_id is not None
    assert catalog.run(result.run_id).run == record.run
    assert catalog.runs([result.run_id, 999]).keys() == {result.run_id}


def test_the_order_of_observations_does_not_count(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    value = small("value")
    catalog.commit_task(build, task("a", value, observed=(FILE, ENV)), [value])
    catalog.commit_task(build, task("a", value, observed=(ENV, FILE, ENV)), [value])
    assert len(catalog.find_memo(key("a"))) == 1


def test_one_static_key_keeps_every_observed_set_newest_first(
    catalog: Catalog, owner: Owner
) -> None:
    build = start(catalog, owner)
    for letter in "abc":
        value = small(letter)
        seen = Observation("env", "REGION", letter)
        catalog.commit_task(build, task("a", value, observed=(seen,)), [value])
    rows = catalog.find_memos([key("a"), key("unknown")])[key("a")]
    assert [row.observed[0].digest for row in rows] == ["c", "b", "a"]


def test_a_failed_task_is_not_remembered(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    record = task("auc", None, status="failed", reason="ZeroDivisionError")
    catalog.acquire([record.static_key], owner)
    result = catalog.commit_task(build, record, owner=owner)
    assert result.output is None
    assert catalog.find_memo(record.static_key) == []
    assert catalog.last_task("auc") is None
    assert catalog.held_keys(owner) == set()
    assert catalog.tasks_of(build)[0].status == "failed"


def test_partitions_are_tasks_of_their_own(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    for month in ("2013-02", "2013-01"):
        value = small(month)
        record = task("flights", value, partition=month, static_key=key(month))
        catalog.commit_task(build, record, [value])
    assert [row.partition for row in catalog.tasks_of(build)] == ["2013-01", "2013-02"]


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_first_commit_wins(catalog: Catalog, owner: Owner, deterministic: bool) -> None:
    build = start(catalog, owner)
    first, late = small("first"), small("late")
    record = task("draw", first, deterministic=deterministic)
    catalog.commit_task(build, record, [first])
    result = catalog.commit_task(build, record._replace(output=late.digest), [late])
    assert (result.output, result.won) == (first.digest, False)
    assert [row.output for row in catalog.find_memo(record.static_key)] == [first.digest]
    assert catalog.tasks_of(build)[0].output == first.digest


def test_a_refresh_takes_over_and_voids_plans(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    old, new = small("old"), small("new")
    catalog.commit_task(build, task("rates", old, observed=(ENV,)), [old])
    generation = catalog.generation
    result = catalog.commit_task(build, task("rates", new, replace=True), [new])
    assert result.won
    assert [row.output for row in catalog.find_memo(key("rates"))] == [new.digest, old.digest]
    assert catalog.generation > generation
    newest = small("newest")
    catalog.commit_task(build, task("rates", newest, replace=True), [newest])
    rows = catalog.find_memo(key("rates"))
    assert [row.output for row in rows] == [newest.digest, old.digest]


def test_a_damaged_winner_is_replaced(catalog: Catalog, owner: Owner, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    build = start(catalog, owner)
    first, second = big("first", blobs), big("second", blobs)
    catalog.commit_task(build, task("draw", first), [first], blob_exists=blobs.exists)
    assert first.blob is not None
    blobs.delete(first.blob)
    result = catalog.commit_task(build, task("draw", second), [second], blob_exists=blobs.exists)
    assert (result.output, result.won) == (second.digest, True)


def test_a_commit_without_its_blob_leaves_nothing(
    catalog: Catalog, owner: Owner, tmp_path: Path
) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    build = start(catalog, owner)
    value = big("value", blobs)
    catalog.acquire([key("a")], owner)
    assert value.blob is not None
    blobs.delete(value.blob)
    with pytest.raises(BlobVanished, match="left the store before it was committed"):
        catalog.commit_task(build, task("a", value), [value], owner=owner, blob_exists=blobs.exists)
    assert catalog.find_memo(key("a")) == []
    assert catalog.tasks_of(build) == []
    assert catalog.held_keys(owner) == {key("a")}


def test_an_output_that_nobody_stored_cannot_be_committed(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    tree = small("tree", children=(small("leaf").digest,))
    with pytest.raises(BlobVanished):
        catalog.commit_task(build, task("a", small("never put")))
    with pytest.raises(BlobVanished):
        catalog.commit_task(build, task("a", tree), [tree])


def test_hits_are_recorded_unless_they_vanished(
    catalog: Catalog, owner: Owner, tmp_path: Path
) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    build = start(catalog, owner)
    kept, damaged, dropped = big("kept", blobs), big("damaged", blobs), small("dropped")
    for name, value in [("kept", kept), ("damaged", damaged), ("dropped", dropped)]:
        catalog.commit_task(build, task(name, value), [value])
    assert damaged.blob is not None
    blobs.delete(damaged.blob)
    catalog.forget_memo(key("dropped"), "none")
    again = start(catalog, owner)
    values = [("kept", kept), ("damaged", damaged), ("dropped", dropped)]
    hits = [hit_of(name, value.digest) for name, value in values]
    catalog.acquire([key("kept")], owner)
    vanished = catalog.record_hits(again, hits, owner=owner, blob_exists=blobs.exists)
    assert [hit.node for hit in vanished] == ["damaged", "dropped"]
    (row,) = catalog.tasks_of(again)
    assert (row.node, row.status) == ("kept", "hit")
    assert row.run_id == catalog.tasks_of(build)[2].run_id  # kept is third by name
    assert catalog.held_keys(owner) == set()


def test_skipped_tasks(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    skipped = TaskRecord("auc", "", key("auc"), "", status="skipped", reason="model failed")
    catalog.record_tasks(build, [skipped])
    (row,) = catalog.tasks_of(build)
    assert (row.status, row.reason, row.run_id) == ("skipped", "model failed", None)


def test_builds(catalog: Catalog, owner: Owner) -> None:
    what = BuildStart(
        targets=("auc", "brier"),
        world=digest_text("world", "w"),
        params={"model.rate": 0.1},
        git_commit="4f",
        dirty=True,
        argv=("whence", "build"),
        python="3.11",
        host="here",
        user="ann",
    )
    build = catalog.start_build(what, owner=owner)
    row = catalog.get_build(f"b{build}")
    assert (row.start, row.status, row.finished) == (what, "running", None)
    assert catalog.latest_build() is None
    catalog.finish_build(build, "ok", {"ran": 3})
    row = catalog.get_build(build)
    assert (row.status, row.counts, row.id) == ("ok", {"ran": 3}, f"b{build}")
    assert row.finished is not None
    other = start(catalog, owner)
    assert [row.build_id for row in catalog.list_builds()] == [other, build]
    assert [row.build_id for row in catalog.list_builds(before=other)] == [build]
    assert catalog.latest_build() == row
    assert catalog.accepted() is None
    catalog.accept(row.id, "good enough")
    assert catalog.accepted() == row
    assert [item.note for item in catalog.acceptances()] == ["good enough"]


def test_unknown_builds_say_what_there_is(catalog: Catalog, owner: Owner) -> None:
    with pytest.raises(UnknownId, match="nothing was built"):
        catalog.get_build("b1")
    build = start(catalog, owner)
    with pytest.raises(UnknownId, match=rf"no build 'b99'(.|\n)*newest: b{build}"):
        catalog.get_build("b99")
    with pytest.raises(UnknownId, match="no build 'latest'"):
        catalog.accept("latest")


def test_predictions_and_ids(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    one = PredictionRecord("4f" * 16, "delay", build, 10.0, '{"a":1}', '{"b":"\\u0000\0"}', 1.5)
    two = one._replace(id="5f" * 16, time=11.0, answer="{}")
    catalog.add_predictions([one, two])
    catalog.add_predictions([one._replace(answer="later")])
    assert catalog.get_prediction(two.id) == two
    assert catalog.get_prediction(one.id).answer != "later"
    assert (catalog.count_predictions(), catalog.count_predictions("other")) == (2, 0)
    assert [row.id for row in catalog.list_predictions("delay")] == [two.id, one.id]
    with pytest.raises(UnknownId, match="no prediction 'x'"):
        catalog.get_prediction("x")
    value = small("value")
    catalog.put_artifacts([value])
    digits = value.digest.removeprefix("blake3:")
    artifact = Match("artifact", value.digest)
    assert catalog.resolve(f"b{build}") == [Match("build", f"b{build}")]
    assert catalog.resolve(value.digest[:16]) == [artifact]
    assert catalog.resolve(digits[:8]) == [artifact]
    assert catalog.resolve("4F4f4f") == [Match("prediction", one.id)]
    for nothing in ("b99", "4f", "zz" * 4, "", "50%5"):
        assert catalog.resolve(nothing) == []


def test_logs_may_hold_any_character(catalog: Catalog, owner: Owner) -> None:
    build = start(catalog, owner)
    record = task("a", None, status="failed", reason="\0\ud800é")
    assert record.run is not None
    run = record.run._replace(log="\0 \udcff ✓", warnings=("socket \0",))
    result = catalog.commit_task(build, record._replace(run=run))
    assert result.run_id is not None
    kept = catalog.run(result.run_id).run
    assert kept.log.endswith("✓")
    assert kept.warnings == run.warnings


def test_importing_the_catalog_stays_light() -> None:
    heavy = "{'pyarrow', 'psycopg', 'numpy', 'pandas', 'click', 'rich'}"
    code = (
        "import sys, whence.store.catalog, whence.store.gc;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_peeking_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "import whence.store.catalog.peek;"
        "heavy = {'dataclasses', 'sqlite3', 'json', 're', 'inspect', 'enum', 'typing'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(next(iter(whence.__path__))).parent)},
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported() -> None:
    from whence.store import catalog as package

    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018
