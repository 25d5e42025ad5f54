"""The pure heart of whence: nodes, their dependencies, and their fingerprints.

Main path: `nodes.py` (what a node is) -> `binding.py` (which node each parameter stands for)
-> `code/` (what a node's function reaches) -> `recipe.py` (when two tasks are the same)
-> `world.py` (what a build is a function of) -> `diff.py` (what differs, by name).

May import: the standard library and `whence.errors`. Nothing else.
Never here: files, clocks, randomness, network, dataframes, environment variables. Whatever the
graph must know about those comes in as a plain value.
"""
