"""What a running build shows on standard error: a live line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import threading
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
        self._room = 12  # what the bar, the counts and the time leave of the line
        self._live = sys.stderr.isatty()
        # Before the first event the project is read, which takes long where its imports do.
        self._timer = threading.Timer(PATIENCE_S, self._open)
        self._timer.daemon = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._live and not self._quiet:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._quiet = True
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

    def _open(self) -> None:
        """Put the bar on the terminal, without an end in sight yet."""
        with self._lock:
            if self._bar is not None or self._quiet:
                return
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            from whence.cli.output import console

            out = console(sys.stderr)
            self._room = max(12, out.width - (56 if out.width < 100 else 68))
            self._bar = Bar(
                BarColumn(
                    12 if out.width < 100 else 24,
                    complete_style="ok",
                    finished_style="ok",
                    pulse_style="ok",
                ),
                MofNCompleteColumn(),
                TextColumn("{task.fields[hits]}", style="quiet", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=out,
                transient=True,
            )
            self._task = self._bar.add_task("reading the project", total=None, hits="")
            self._bar.start()

    def _show(self, event: Event) -> None:
        from whence.cli.words import shortened

        self._open()
        names = ", ".join(event.running[:3])
        more = f" +{len(event.running) - 3}" if len(event.running) > 3 else ""
        self._bar.update(
            self._task,
            total=event.total,
            completed=event.done,
            hits=f"{event.hits} from the store",
            description=shortened(names + more, self._room),
        )
