"""The synthetic graph as a whence project: the same layers, and whatever else a test needs."""

import json
import subprocess
import sys
from pathlib import Path

from shape import FILE_DOC, Node, Shape, body

#: The installed command of this environment, with its default settings.
WHENCE = str(Path(sys.executable).parent / "whence")

TICK = '''\
"""Counts executions by their effect, and makes a node last."""

import os
import time


def tick(name: str) -> None:
    sink = os.open("ticks.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(sink, (name + "\\n").encode())
    os.close(sink)
    time.sleep({seconds})
'''


def _function(node: Node, ticks: bool) -> str:
    inputs = [*node.inputs, *node.files]
    arguments = [f"{name}: dict" for name in inputs]
    if node.param:
        arguments.append(f"{node.param}: int = 1")
    tick = f'    tick("{node.name}")\n' if ticks else ""
    return (
        f"\n\n@wh.node\ndef {node.name}({', '.join(arguments)}) -> dict:\n"
        f"{tick}    return {body(node, inputs)}\n"
    )


def write_project(where: Path, shape: Shape, tick_s: float | None = None) -> None:
    """Write the project; with `tick_s` each node writes a line to ticks.log and then sleeps."""
    package = where / "layers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""The graph, a module a layer."""\n')
    # Each node's own param, set for the project: 50 params are 50 values to check.
    params = [node for node in shape.nodes if node.param]
    lines = ['[project]\nname = "layers"\nversion = "0"\n', '[tool.whence]\npipeline = "layers"\n']
    lines += [f"[tool.whence.params.{node.name}]\n{node.param} = 2\n" for node in params]
    (where / "pyproject.toml").write_text("\n".join(lines))
    if tick_s is not None:
        (package / "ticks.py").write_text(TICK.format(seconds=tick_s))
    for module, nodes in shape.modules.items():
        head = FILE_DOC + "import whence as wh\n"
        if tick_s is not None:
            head += "from layers.ticks import tick\n"
        names = [name for node in nodes for name in node.files]
        head += "".join(f'\n{name} = wh.files("data/{name}.json", format="json")' for name in names)
        text = head + "".join(_function(node, tick_s is not None) for node in nodes)
        (package / f"{module}.py").write_text(text)
    if shape.n_files:
        (where / "data").mkdir()
        for index in range(shape.n_files):
            (where / "data" / f"s_{index}.json").write_text(json.dumps({"value": index}))


def first_module(where: Path) -> Path:
    return where / "layers" / "layer_00.py"


def edit_same_value(where: Path) -> None:
    """Another body for the first node, with the same value."""
    file = first_module(where)
    text = file.read_text()
    assert "0) % 97" in text
    file.write_text(text.replace("0) % 97", "97) % 97", 1))


def edit_comment(where: Path) -> None:
    """A comment inside the first node's body."""
    file = first_module(where)
    file.write_text(file.read_text().replace("    return", "    # Nothing to see.\n    return", 1))


def build_counts(where: Path, *arguments: str) -> dict[str, int]:
    """Build, and say how many tasks ran, failed and were skipped."""
    done = subprocess.run(
        [WHENCE, "build", "--json", *arguments],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"whence build ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    build = json.loads(done.stdout)["build"]
    return {name: int(build[name]) for name in ("ran", "failed", "skipped")}
