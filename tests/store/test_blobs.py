"""Blobs survive kills, full disks and damage: a read gives the very bytes, or an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whence.errors import CorruptBlob, StoreError, StoreFull, StoreUnwritable
from whence.graph.digest import Digest
from whence.store.artifact import blob_digest
from whence.store.blobs import LocalBlobs, Stat
from whence.store.opening import open_blobs

DATA = b"0123456789" * 5_000


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def test_what_is_put_is_got(blobs: LocalBlobs, tmp_path: Path) -> None:
    digest = blobs.put_bytes(DATA)
    assert digest == blob_digest(DATA)
    assert blobs.get_bytes(digest) == DATA == blobs.local_path(digest).read_bytes()
    assert blobs.exists(digest) and blobs.put_bytes(DATA) == digest
    source = tmp_path / "file"
    source.write_bytes(DATA)
    assert blobs.put_file(source, move=True) == digest and not source.exists()
    assert [(d, size) for d, size, _ in blobs.iterate()] == [(digest, len(DATA))]
    blobs.delete(digest)
    assert not blobs.exists(digest) and blobs.stat(digest) is None
    assert blobs.sweep(0.0) == []


def test_empty_blobs(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(b"")
    assert blobs.get_bytes(digest) == b""
    blobs.verify(digest)


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_damage_is_noticed_and_set_aside(blobs: LocalBlobs, damage: str) -> None:
    digest = blobs.put_bytes(DATA)
    path = blobs.path_of(digest)
    path.chmod(0o644)
    if damage == "truncated":
        path.write_bytes(DATA[:-1])
    else:
        path.write_bytes(b"x" + DATA[1:])
    with pytest.raises(CorruptBlob, match="does not match its digest") as caught:
        blobs.local_path(digest)
    assert str(digest) in caught.value.cause and "whence build" in caught.value.fix
    assert not blobs.exists(digest)  # so it is rebuilt
    assert blobs.put_bytes(DATA) == digest and blobs.get_bytes(digest) == DATA
    assert len(blobs.sweep(0.0, dry_run=True)) == len(blobs.sweep(0.0)) == 1


def test_a_truncated_blob_is_replaced_when_it_is_put_again(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(DATA)
    path = blobs.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(DATA[:9])
    assert blobs.put_bytes(DATA) == digest
    assert blobs.get_bytes(digest) == DATA


def test_missing_blobs_say_so(blobs: LocalBlobs) -> None:
    for read in (blobs.get_bytes, blobs.local_path, blobs.verify):
        with pytest.raises(CorruptBlob, match="is missing"):
            read(blob_digest(b"never stored"))
    with pytest.raises(StoreError, match="not a blob's digest"):
        blobs.get_bytes(Digest("sha256:00"))


def test_unchanged_files_are_not_hashed_again(tmp_path: Path) -> None:
    verified: dict[str, Stat] = {}
    blobs = LocalBlobs(tmp_path, verified=verified)
    digest = blobs.put_bytes(DATA)
    assert verified[digest] == blobs.stat(digest)
    path = blobs.path_of(digest)
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"x" + DATA[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CorruptBlob):  # same size and mtime, but the ctime gives it away
        blobs.local_path(digest)
    assert digest not in verified


def test_verify_reads_again_whatever_was_seen(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(DATA)
    path = blobs.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(b"x" + DATA[1:])
    seen = blobs.stat(digest)
    assert seen is not None
    blobs.verified[digest] = seen
    assert blobs.local_path(digest) == path
    with pytest.raises(CorruptBlob):
        blobs.verify(digest)


def test_an_error_while_writing_leaves_nothing(blobs: LocalBlobs) -> None:
    with pytest.raises(ZeroDivisionError), blobs.writer() as out:
        out.write(DATA)
        raise ZeroDivisionError
    assert list(blobs.iterate()) == [] and blobs.sweep(0.0) == []


def test_small_streams_stay_in_memory(blobs: LocalBlobs) -> None:
    with blobs.writer(inline_limit=10) as out:
        out.write(b"01234")
        out.write(b"56789")
    assert out.inline == b"0123456789" and out.blob is None and not blobs.root.exists()
    with blobs.writer(inline_limit=10) as out:
        out.write(b"01234")
        out.write(b"567890")
    assert out.inline is None and out.blob == blob_digest(b"01234567890")


def test_a_kill_leaves_only_a_temporary_file(blobs: LocalBlobs) -> None:
    code = f"""
from whence.store.blobs import LocalBlobs
with LocalBlobs({str(blobs.root)!r}).writer() as out:
    out.write(b"x" * 100_000)
    print("ready", flush=True)
    import time; time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert list(blobs.iterate()) == []
    assert blobs.sweep(86_400.0) == []
    assert [size for _, size in blobs.sweep(0.0)] == [100_000]


def test_a_full_disk_is_an_error_with_numbers(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("LOUD SKIP: a full disk is made with a small tmpfs, which needs root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("LOUD SKIP: this system does not let us mount a small tmpfs")
    try:
        blobs = LocalBlobs(small)
        kept = blobs.put_bytes(DATA)
        with pytest.raises(StoreFull, match=r"1000000 bytes are needed, .* are free") as caught:
            blobs.put_bytes(b"x" * 1_000_000)
        assert str(small) in caught.value.cause and "whence gc" in caught.value.fix
        assert blobs.sweep(0.0) == []  # the temporary file is gone
        assert blobs.get_bytes(kept) == DATA
        from tests.store.test_tables import big_table

        from whence.store.formats import encode

        with pytest.raises(StoreFull):  # through Arrow's writer, too
            encode(big_table(), blobs, node="n")
        assert blobs.sweep(0.0) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_unwritable_directory(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    with pytest.raises(StoreUnwritable, match="cannot be written"):
        LocalBlobs(occupied).put_bytes(DATA)
    if os.geteuid() != 0:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o555)
        with pytest.raises(StoreUnwritable, match="Permission denied"):
            LocalBlobs(folder / "store").put_bytes(DATA)


def test_addresses(tmp_path: Path) -> None:
    assert isinstance(open_blobs(tmp_path), LocalBlobs)
    assert isinstance(open_blobs(f"file://{tmp_path}"), LocalBlobs)
    with pytest.raises(StoreError, match="unknown kind of address"):
        open_blobs("gs://bucket")
    with pytest.raises(StoreError, match="local directory"):
        open_blobs("s3://bucket/prefix")


def test_two_writers_of_the_same_content(blobs: LocalBlobs) -> None:
    with blobs.writer() as one, blobs.writer() as two:
        one.write(DATA)
        two.write(DATA)
    assert one.blob == two.blob == blob_digest(DATA)
    assert len(list(blobs.iterate())) == 1 and blobs.sweep(0.0) == []


def test_sweeping_spares_what_is_young(blobs: LocalBlobs) -> None:
    with blobs.writer() as out:
        out.write(DATA)
        assert blobs.sweep(60.0) == []
    assert time.time() > 0 and blobs.exists(blob_digest(DATA))
