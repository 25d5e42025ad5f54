"""Where things live: artifacts by the digest of their content, and the catalog that lists them.

Main path: `artifact.py` (what is known of a value) -> `formats/` (values to bytes and back)
-> `blobs.py` (bytes by digest, local or S3) -> `catalog/` (builds, memo, artifacts, leases)
-> `gc.py` (what may go).

May import: `whence.graph`, `whence.errors`, and heavy libraries only inside functions.
"""
