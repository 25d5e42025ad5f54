"""The same store on S3, against a real HTTP server that speaks its protocol."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from whence.errors import CorruptBlob, StoreError, StoreTooNew
from whence.store.artifact import blob_digest
from whence.store.formats import decode, encode
from whence.store.opening import open_blobs
from whence.store.s3 import S3Blobs

pytestmark = pytest.mark.system
DATA = b"0123456789" * 5_000


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 0.1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def make(
    endpoint: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[object]:
    import urllib.request

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    bucket = f"b{abs(hash(request.node.name)) % 10**9}-{os.getpid()}"
    put = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    urllib.request.urlopen(put).close()

    def opened(cache: str = "cache") -> S3Blobs:
        options = {"endpoint": endpoint, "region": "us-east-1"}
        found = open_blobs(f"s3://{bucket}/some/prefix", tmp_path / cache, options=options)
        assert isinstance(found, S3Blobs)
        return found

    yield opened


def test_what_is_put_is_got_elsewhere(make) -> None:  # type: ignore[no-untyped-def]
    one, two = make("one"), make("two")
    digest = one.put_bytes(DATA)
    assert two.exists(digest) and two.get_bytes(digest) == DATA
    assert two.local_path(digest).read_bytes() == DATA
    assert [(d, size) for d, size, _ in two.iterate()] == [(digest, len(DATA))]
    two.delete(digest)
    assert not one.exists(digest)
    two.delete(digest)


def test_artifacts_pass_through_a_bucket(make) -> None:  # type: ignore[no-untyped-def]
    from tests.store.test_tables import big_table

    table = big_table(50_000)
    artifact, _ = encode(table, make("one"), node="n")
    assert artifact.blob is not None
    assert decode(artifact, make("two"), "pyarrow.Table") == table


def test_missing_and_damaged_objects(make) -> None:  # type: ignore[no-untyped-def]
    blobs = make()
    with pytest.raises(CorruptBlob, match="is missing"):
        blobs.get_bytes(blob_digest(b"never stored"))
    for damaged in (DATA[:-1], b"x" + DATA[1:]):
        digest = blobs.put_bytes(DATA)
        name = digest.removeprefix("blake3:")
        blobs.store.put(f"blobs/{name[:2]}/{name}", damaged)
        assert blobs.get_bytes(digest) == DATA  # from the checked cache
        with pytest.raises(CorruptBlob, match="does not match its digest"):
            make("other").get_bytes(digest)
        assert not blobs.exists(digest)
    assert len(blobs.sweep(-60.0)) == 2


def test_a_damaged_cache_is_downloaded_again(make) -> None:  # type: ignore[no-untyped-def]
    blobs = make()
    digest = blobs.put_bytes(DATA)
    path = blobs.local_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"?")
    assert blobs.get_bytes(digest) == DATA


def test_a_truncated_object_is_replaced_when_put_again(make) -> None:  # type: ignore[no-untyped-def]
    blobs = make()
    digest = blobs.put_bytes(DATA)
    name = digest.removeprefix("blake3:")
    blobs.store.put(f"blobs/{name[:2]}/{name}", DATA[:7])
    blobs.put_bytes(DATA)
    assert make("other").get_bytes(digest) == DATA


def test_an_object_is_put_only_where_it_is_absent(make) -> None:  # type: ignore[no-untyped-def]
    from obstore.exceptions import AlreadyExistsError

    blobs = make()
    blobs.store.put("x", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        blobs.store.put("x", b"second", mode="create")
    assert bytes(blobs.store.get("x").bytes()) == b"first"


def test_writers_race(make) -> None:  # type: ignore[no-untyped-def]
    stores = [make(f"c{i}") for i in range(4)]
    digests: list[str] = []
    threads = [
        threading.Thread(target=lambda s=store: digests.append(s.put_bytes(DATA)))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [blob_digest(DATA)] * 4
    assert make("fresh").get_bytes(blob_digest(DATA)) == DATA


def test_generations_are_counted_by_compare_and_swap(make) -> None:  # type: ignore[no-untyped-def]
    stores = [make(f"c{i}") for i in range(3)]
    first = {store.marker().store_id for store in stores}
    assert len(first) == 1
    seen: list[int] = []
    threads = [
        threading.Thread(
            target=lambda s=store: seen.extend(s.next_generation().generation for _ in range(3))
        )
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 10))  # none lost, none twice
    stores[0].store.put("marker", b'{"store_id": "x", "version": 99, "generation": 0}')
    with pytest.raises(StoreTooNew, match="version 99"):
        stores[0].marker()


def test_a_bucket_that_is_not_there(endpoint: str, tmp_path: Path) -> None:
    options = {
        "endpoint": endpoint,
        "region": "us-east-1",
        "access_key_id": "a",
        "secret_access_key": "b",
    }
    blobs = open_blobs("s3://no-such-bucket/x", tmp_path, options=options)
    with pytest.raises(StoreError, match="no-such-bucket"):
        blobs.put_bytes(DATA)
