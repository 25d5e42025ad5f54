"""What a running build shows on standard error: a live line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from whence.engine.results import Event

#: Nothing is shown of a build that ends sooner.
PATIENCE_S = 0.3
#: Without a terminal: one line at most this often.
LINE_S = 5.0


class Progress:
    """Called with each event of a build; a context manager around it."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if self._quiet or now - self._began < PATIENCE_S:
            return
        if self._live:
            self._show(event)
        elif event.kind == "failed" or now - self._said >= LINE_S:
            self._said = now
            running = ", ".join(event.running[:4])
            sys.stderr.write(
                f"{event.done}/{event.total} done, {event.hits} from the store"
                f"{'; running ' + running if running else ''}\n"
            )

    def _show(self, event: Event) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            from whence.cli.output import console

            self._bar = Bar(
                BarColumn(28),
                MofNCompleteColumn(),
                TextColumn("{task.fields[hits]} from the store", style="quiet"),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=console(sys.stderr),
                transient=True,
            )
            self._task = self._bar.add_task("", total=event.total, hits=0)
            self._bar.start()
        names = ", ".join(event.running[:3])
        more = f" +{len(event.running) - 3}" if len(event.running) > 3 else ""
        self._bar.update(
            self._task,
            total=event.total,
            completed=event.done,
            hits=event.hits,
            description=names + more,
        )
