"""A file is read again when, and only when, its stat cannot vouch for what was read before."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from whence.engine import stats
from whence.engine.stats import StatCache, file_blake3, file_sha256, stat_of


def settle(path: Path) -> None:
    """Make the file look as if it had last changed long ago (ctime as far as the clock goes)."""
    os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    real = stats.file_sha256

    def reading(path: str | Path) -> str:
        done.append(str(path))
        return real(path)

    monkeypatch.setattr(stats, "file_sha256", reading)
    return done


def test_digests_name_their_algorithm(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"abc" * 2_000_000)
    assert file_sha256(file) == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    assert file_blake3(file).startswith("blake3:")
    assert StatCache().blake3(file) == file_blake3(file)


def test_a_file_changed_just_now_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    cache = StatCache()
    cache.sha256(file)
    cache.sha256(file)
    assert len(reads) == 2
    assert not cache.is_settled(file)


def test_a_settled_file_is_read_once(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    monkeypatch.setattr(stats, "RACY_NS", -10_000_000_000)  # the two seconds are over
    cache = StatCache()
    first = cache.sha256(file)
    again = StatCache.from_json(json.loads(json.dumps(cache.to_json())))
    assert again.sha256(file) == first
    assert len(reads) == 1
    assert again.is_settled(file)
    assert not again.changed


def test_same_size_and_mtime_is_not_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    settle(file)
    monkeypatch.setattr(stats, "RACY_NS", -10_000_000_000)
    cache = StatCache()
    before = cache.sha256(file)
    file.write_text("two")
    settle(file)  # size and mtime as before: the ctime tells
    assert cache.sha256(file) != before


def test_what_is_not_there(tmp_path: Path) -> None:
    assert stat_of(tmp_path / "none") is None
    with pytest.raises(FileNotFoundError):
        StatCache().sha256(tmp_path / "none")


def test_keep_forgets_the_others(tmp_path: Path) -> None:
    cache = StatCache()
    for name in "ab":
        (tmp_path / name).write_text(name)
        cache.sha256(tmp_path / name)
    cache.keep({str(tmp_path / "a")})
    assert list(cache.to_json()["sha256"]) == [str(tmp_path / "a")]
