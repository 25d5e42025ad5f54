"""What a running node was seen to depend on, beyond what it declares.

Observations are the second level of the lookup: the recipe gives the past sets of them, and a hit
needs one set whose current digests all match.
"""

from __future__ import annotations

from typing import NamedTuple


class Observation(NamedTuple):
    """One undeclared dependency and the digest it had.

    Parameters
    ----------
    kind : str
        "file", "listing", "env", "distribution", "seed".
    name : str
        Which one: a path, a variable, a distribution.
    digest : str
        Its digest when seen, or "absent".
    """

    kind: str
    name: str
    digest: str
