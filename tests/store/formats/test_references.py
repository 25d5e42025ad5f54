"""Stored values name the classes that they need; several threads may look for one at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from whence.store.formats.codec import resolve


def test_a_thread_waits_for_an_import_that_another_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import time\ntime.sleep(0.2)\nclass Kind: pass\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    together = Barrier(2)

    def ask(late: bool) -> object:
        together.wait()
        if late:
            import time

            time.sleep(0.05)
        return resolve("slow_to_import:Kind")

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(ask, [False, True])
    assert first is second
    assert isinstance(first, type)
