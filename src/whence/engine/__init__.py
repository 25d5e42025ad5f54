"""How things get made: one loop that takes what is in the store and runs the rest in workers.

Main path: `project.py` (what users call) -> `session.py` (a world, opened) -> `tasks.py` (nodes
become tasks with recipes) -> `build.py` (the loop) -> `pool.py` and `worker.py` (where code runs)
-> `receipts.py` and `noop.py` (how the next build finds that there is nothing to do).
Beside it: `snapshot.py` and `loader.py` (code runs from a stored copy), `observe*.py` (what a task
reads without declaring it), `environment.py` (distributions), `history.py`, `lineage.py`,
`status.py` (what was built, from what, and what is stale).

May import: `whence.store`, `whence.graph`, `whence.errors`.
"""
