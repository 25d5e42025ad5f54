"""The project's cache file, which several processes may make and use at once."""

from __future__ import annotations

import threading
from pathlib import Path

from whence.engine.localstate import LocalState

ROUNDS = 100
OPENERS = 8


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    # SQLite refuses some of those who switch one file to its log at once; a few rounds in a
    # hundred showed it.
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        barrier = threading.Barrier(OPENERS)
        refused: list[BaseException] = []

        def open_it(
            folder: Path = folder,
            barrier: threading.Barrier = barrier,
            refused: list[BaseException] = refused,
        ) -> None:
            barrier.wait()
            try:
                state = LocalState(folder)
                state.put({threading.current_thread().name: 1})
                state.close()
            except BaseException as error:
                refused.append(error)

        threads = [threading.Thread(target=open_it, name=f"t{i}") for i in range(OPENERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not refused, refused
        state = LocalState(folder)
        assert len(state.get_many("", [f"t{i}" for i in range(OPENERS)])) == OPENERS
        state.close()


def test_one_may_be_used_by_many_threads(tmp_path: Path) -> None:
    state = LocalState(tmp_path)
    failed: list[BaseException] = []

    def use(name: str) -> None:
        try:
            for number in range(200):
                state.put({f"{name} {number}": number})
                assert state.get(f"{name} {number}") == number
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    state.close()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, by far" * 100)
    state = LocalState(tmp_path)
    state.put({"a": [1]})
    assert state.get("a") == [1]
    state.close()


def test_threads_of_one_project_write_at_once(tmp_path: Path) -> None:
    state = LocalState(tmp_path)
    refused: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(200):
                state.put({f"{name}{i}": number for i in range(20)})
        except BaseException as error:
            refused.append(error)

    threads = [threading.Thread(target=write, args=(f"t{i}-",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused, refused
    assert state.get_many("", [f"t{i}-19" for i in range(4)]) == {f"t{i}-19": 199 for i in range(4)}
    state.close()
