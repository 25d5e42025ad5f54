"""Services: an accepted build answers requests over HTTP, and each answer can be traced.

Main path: `declare.py` (what a user writes) -> `runtime.py` (an accepted build, loaded)
-> `app.py` (HTTP around it).

May import: `whence.models`, `whence.data`, `whence.engine` and what lies below; Starlette, uvicorn
and pydantic inside functions only.
"""

from whence.serve.declare import service

__all__ = ["service"]
