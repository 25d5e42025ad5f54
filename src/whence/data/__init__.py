"""What comes into the graph and what it is made of: sources and tables.

Main path: `declare.py` (what a user writes) -> `locate.py` (which files, in which partitions)
-> `reader.py` (how the engine reads them) -> `tabular.py` and `csvfile.py` (bytes to tables).

May import: `whence.engine`, `whence.store`, `whence.graph`, `whence.errors`; pyarrow and the like
inside functions only. Never here: models, services.
"""

from whence.data.declare import files, table

__all__ = ["files", "table"]
