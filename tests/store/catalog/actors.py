"""Parts that real processes play in the catalog's tests: `actors.py PART URL ARGUMENT...`.

Each says "ready" when it is in position, and then acts until it is done or killed.
"""

import random
import sys
import threading
import time
from pathlib import Path

from tests.store.catalog.parts import big, key, small, start, task

from whence.store import gc
from whence.store.blobs import LocalBlobs
from whence.store.catalog import (
    BlobVanished,
    Catalog,
    HitRecord,
    Owner,
    heartbeat_s,
    open_catalog,
)


def ready() -> None:
    print("ready", flush=True)


def beat(url: str, owner: Owner) -> None:
    """Heartbeats from a connection of their own, as the engine gives them."""

    def run() -> None:
        with open_catalog(url) as catalog:
            while True:
                catalog.heartbeat(owner)
                time.sleep(heartbeat_s())

    threading.Thread(target=run, daemon=True).start()


def hold(catalog: Catalog, url: str, name: str) -> None:
    """Take a lease and keep it, alive."""
    owner = Owner.current()
    assert catalog.acquire([key(name)], owner)[key(name)].held
    beat(url, owner)
    ready()
    time.sleep(600)


def late(catalog: Catalog, url: str, name: str, text: str, deterministic: str) -> None:
    """Take a lease, be told to go on, and commit whoever has the lease by then."""
    owner = Owner.current()
    assert catalog.acquire([key(name)], owner)[key(name)].held
    build = start(catalog, owner)
    ready()
    time.sleep(0.3)  # the test stops us here
    value = small(text)
    record = task(name, value, deterministic=deterministic == "True")
    result = catalog.commit_task(build, record, [value], owner=owner)
    print(result.output, result.won, flush=True)


def commit_for_ever(catalog: Catalog, url: str, folder: str) -> None:
    """Store a blob, commit it, and so on until killed."""
    blobs = LocalBlobs(Path(folder))
    owner = Owner.current()
    build = start(catalog, owner)
    for number in range(1_000_000):
        name = f"{build}.{number}"
        value = big(f"value {name}", blobs)
        catalog.commit_task(
            build, task(name, value), [value], owner=owner, blob_exists=blobs.exists,
            next_keys=[key(f"{build}.{number + 1}")],
        )  # fmt: skip
        if number == 20:
            ready()


def share(catalog: Catalog, url: str, count: str) -> None:
    """Build `count` keys together with others: each is run by whoever has its lease."""
    owner = Owner.current()
    beat(url, owner)
    build = start(catalog, owner)
    names = [f"shared {number}" for number in range(int(count))]
    random.Random(owner.token).shuffle(names)
    ready()
    ran = 0
    while names:
        waiting = []
        for name in names:
            if catalog.find_memo(key(name)):
                continue
            lease = catalog.acquire([key(name)], owner)[key(name)]
            if not lease.held:
                waiting.append(name)
                continue
            if lease.memo:  # another finished it between our two looks
                catalog.release([key(name)], owner)
                continue
            value = small(name)
            catalog.commit_task(build, task(name, value), [value], owner=owner)
            ran += 1
        names = waiting
    catalog.finish_build(build, "ok", {"ran": ran})
    catalog.leave(owner)
    print(ran, flush=True)


def build_for(catalog: Catalog, url: str, folder: str, duration_s: str) -> None:
    """Builds of a few tasks, most of them hits, beside a gc that keeps next to nothing."""
    blobs = LocalBlobs(Path(folder))
    owner = Owner.current()
    beat(url, owner)
    ready()
    deadline = time.monotonic() + float(duration_s)
    counts = {"ran": 0, "hit": 0, "again": 0, "builds": 0}
    draw = random.Random(owner.token)
    while time.monotonic() < deadline:
        build = start(catalog, owner, f'{{"seed":{draw.random()}}}')
        for number in draw.sample(range(12), 6):
            build_one(catalog, blobs, owner, build, f"n{number}", counts)
        for row in catalog.tasks_of(build):  # a running build keeps all it has
            assert row.output is not None
            value = catalog.get_artifact(row.output)
            for child in value.children:
                blob = catalog.get_artifact(child).blob
                assert blob is not None
                blobs.get_bytes(blob)
        catalog.finish_build(build, "ok")
        counts["builds"] += 1
    print(counts["builds"], counts["ran"], counts["hit"], counts["again"], flush=True)


def build_one(
    catalog: Catalog,
    blobs: LocalBlobs,
    owner: Owner,
    build: int,
    name: str,
    counts: dict[str, int],
) -> None:
    record = task(name, None)
    for row in catalog.find_memo(record.static_key):
        hit = HitRecord(name, "", row.static_key, row.observed_key, row.output, record.recipe)
        texts = {record.recipe: "{}"}
        if not catalog.record_hits(build, [hit], new_texts=texts, blob_exists=blobs.exists):
            counts["hit"] += 1
            return
    while True:
        leaf = big(f"leaf of {name}", blobs)
        tree = small(f"tree {name}", children=(leaf.digest,))
        try:
            catalog.commit_task(
                build, task(name, tree), [tree, leaf], blob_exists=blobs.exists,
                new_texts={record.recipe: "{}"},
            )  # fmt: skip
        except BlobVanished:
            counts["again"] += 1
            continue
        counts["ran"] += 1
        return


def collect_for_ever(catalog: Catalog, url: str, folder: str) -> None:
    """Collect all that may be collected, again and again."""
    blobs = LocalBlobs(Path(folder))
    ready()
    while True:
        gc.collect(catalog, blobs, keep_builds=0, keep_days=0, grace_s=-1)


PARTS = {
    part.__name__: part
    for part in (hold, late, commit_for_ever, share, build_for, collect_for_ever)
}

if __name__ == "__main__":
    _, name, url, *arguments = sys.argv
    with open_catalog(url) as opened:
        PARTS[name](opened, url, *arguments)  # type: ignore[operator]
