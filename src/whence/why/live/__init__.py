"""Live drops: nothing changed but the world, and a deployed model's metric fell.

Main path: `diagnose.py` (two windows of logged rows -> a verdict) -> `replay.py` (served features
against replayed ones) -> `study.py` (what each explanation would do to the metric) -> `kinds.py`
(which of them agrees with the rows); `windows.py` takes both windows from a project.
"""

from whence.why.live.diagnose import diagnose
from whence.why.live.metrics import LiveError
from whence.why.live.verdict import LiveVerdict
from whence.why.live.windows import explain_live

__all__ = ["LiveError", "LiveVerdict", "diagnose", "explain_live"]
