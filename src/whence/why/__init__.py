"""Which change moved a metric: mixed worlds between two builds, made and compared.

Main path: `explain.py` opens two builds (`sides.py`), lists what differs (`changes.py`), and lets
the search (`search.py`) ask for the metric in mixed worlds, which `mixing.py` writes and
`laboratory.py` builds. `inside.py` looks into the guilty changes, `account.py` tells the result
(`verdict.py`). `live` is for a metric that moved while nothing changed but the world.
"""

from whence.why.commits import build_commit
from whence.why.explain import build_without, explain
from whence.why.verdict import Explanation

__all__ = ["Explanation", "build_commit", "build_without", "explain"]
