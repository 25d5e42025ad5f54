"""The same graph in the words of other engines, each in its own environment under bench/.cache.

Every peer's project holds real functions in 20 modules. A node that runs appends its name to the
file named by BENCH_TICKS, so what an engine executed is counted by its effect and never taken
from what it says. Peers get the bare graph: no declared files, no params.
"""

import subprocess
import sys
from pathlib import Path

from shape import FILE_DOC, Node, Shape, body

CACHE = Path(__file__).parent.parent / ".cache"

TICK = '''\
"""Counts executions: one line a run of a node, when BENCH_TICKS names a file."""

import os

PATH = os.environ.get("BENCH_TICKS")


def tick(name: str) -> None:
    if PATH:
        with open(PATH, "a") as sink:
            sink.write(name + "\\n")
'''


class Peer:
    """An engine: how to install it, write the project for it, and run it."""

    name = ""
    package = ""
    #: A smaller graph for engines that would take many minutes: measured there, never scaled up.
    most_nodes = 1000
    note = ""

    @property
    def venv(self) -> Path:
        return CACHE / f"{self.name}-venv"

    @property
    def python(self) -> str:
        return str(self.venv / "bin" / "python")

    def install(self) -> str:
        """Make the environment unless it is there; why not, or the empty text."""
        log = CACHE / f"{self.name}.log"
        if (self.venv / ".ready").exists():
            return ""
        CACHE.mkdir(exist_ok=True)
        steps = [
            [sys.executable, "-m", "venv", str(self.venv)],
            [self.python, "-m", "pip", "install", "--quiet", self.package],
        ]
        for step in steps:
            with log.open("ab") as sink:
                if subprocess.run(step, stdout=sink, stderr=sink, check=False).returncode:
                    return f"{self.package} does not install here (see {log})"
        (self.venv / ".ready").touch()
        return ""

    def version(self) -> str:
        ask = f"from importlib.metadata import version; print(version({self.package!r}))"
        done = subprocess.run([self.python, "-c", ask], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def head(self) -> str:
        return FILE_DOC + "from ticks import tick\n"

    def function(self, node: Node) -> str:
        arguments = ", ".join(f"{name}: dict" for name in node.inputs)
        return (
            f"\n\ndef {node.name}({arguments}) -> dict:\n"
            f'    tick("{node.name}")\n'
            f"    return {body(node, list(node.inputs))}\n"
        )

    def write(self, where: Path, shape: Shape) -> None:
        (where / "ticks.py").write_text(TICK)
        for module, nodes in shape.modules.items():
            text = self.head() + "".join(self.function(node) for node in nodes)
            (where / f"{module}.py").write_text(text)
        (where / "main.py").write_text(self.main(shape))

    def main(self, shape: Shape) -> str:
        return ""

    def command(self, shape: Shape) -> list[str]:
        return [self.python, "main.py"]

    def edited(self, where: Path) -> Path:
        """The file that an edit of the first node touches."""
        return where / "layer_00.py"

    def edit_same_value(self, where: Path) -> None:
        """Another body for the first node, with the same value."""
        file = self.edited(where)
        text = file.read_text()
        file.write_text(text.replace("(0) % 97", "(97) % 97", 1))

    def edit_comment(self, where: Path) -> None:
        """A comment inside the first node's body."""
        file = self.edited(where)
        text = file.read_text()
        file.write_text(text.replace("    return", "    # Nothing to see here.\n    return", 1))


class Hamilton(Peer):
    name, package = "hamilton", "sf-hamilton"
    note = "with_cache(), default settings"

    def main(self, shape: Shape) -> str:
        names = list(shape.modules)
        return (
            "from hamilton import driver\n"
            + "".join(f"import {name}\n" for name in names)
            + f"dr = driver.Builder().with_modules({', '.join(names)}).with_cache(path='.cache').build()\n"
            + f"print(len(dr.execute({shape.last!r})))\n"
        )


class Joblib(Peer):
    name, package = "joblib", "joblib"
    note = "Memory.cache on each function, called in order"

    def head(self) -> str:
        return (
            FILE_DOC
            + "from joblib import Memory\nfrom ticks import tick\nmemory = Memory('.cache', verbose=0)\n"
        )

    def function(self, node: Node) -> str:
        return super().function(node).replace("\n\ndef", "\n\n@memory.cache\ndef")

    def main(self, shape: Shape) -> str:
        calls = (
            f"v['{n.name}'] = {n.module}.{n.name}({', '.join(f'v[{i!r}]' for i in n.inputs)})\n"
            for n in shape.nodes
        )
        imports = "".join(f"import {name}\n" for name in shape.modules)
        return imports + "v = {}\n" + "".join(calls) + f"print(len({shape.last!r}))\n"


class Redun(Peer):
    name, package = "redun", "redun"
    # Nested calls of this graph take exponential time in redun (40 nodes: 35 s), so each layer is
    # a task over the values of the layer above.
    note = "redun run, SQLite repository, threads executor; one more task a layer"

    def head(self) -> str:
        return (
            FILE_DOC + "from redun import task\nfrom ticks import tick\nredun_namespace = 'bench'\n"
        )

    def function(self, node: Node) -> str:
        return super().function(node).replace("\n\ndef", "\n\n@task()\ndef")

    def main(self, shape: Shape) -> str:
        lines = ["from redun import task", *(f"import {name}" for name in shape.modules)]
        lines += ["redun_namespace = 'bench'", ""]
        for module, nodes in shape.modules.items():
            lines += ["@task()", f"def of_{module}(above):", "    return ["]
            for node in nodes:
                at = [int(name[2:]) % shape.width for name in node.inputs]
                lines.append(
                    f"        {module}.{node.name}({', '.join(f'above[{i}]' for i in at)}),"
                )
            lines += ["    ]", ""]
        lines += ["@task()", "def main():", "    values = []"]
        lines += [f"    values = of_{module}(values)" for module in shape.modules]
        return "\n".join([*lines, "    return values", ""])

    def command(self, shape: Shape) -> list[str]:
        return [str(self.venv / "bin" / "redun"), "run", "main.py", "main"]


class Dagster(Peer):
    name, package = "dagster", "dagster"
    most_nodes = 200
    note = "materialize() of assets in one process: it has no no-op and runs everything again"

    def head(self) -> str:
        return FILE_DOC + "from dagster import asset\nfrom ticks import tick\n"

    def function(self, node: Node) -> str:
        return super().function(node).replace("\n\ndef", "\n\n@asset\ndef")

    def main(self, shape: Shape) -> str:
        names = list(shape.modules)
        return (
            "from dagster import DagsterInstance, FilesystemIOManager, load_assets_from_modules, materialize\n"
            + "".join(f"import {name}\n" for name in names)
            + f"assets = load_assets_from_modules([{', '.join(names)}])\n"
            + "import os, pathlib\nhome = pathlib.Path('.dagster').resolve(); home.mkdir(exist_ok=True)\n"
            + "os.environ['DAGSTER_HOME'] = str(home)\n"
            + "(home / 'dagster.yaml').write_text('telemetry:\\n  enabled: false\\n')\n"
            + "with DagsterInstance.get() as instance:\n"
            + "    done = materialize(assets, instance=instance,"
            + " resources={'io_manager': FilesystemIOManager(base_dir='.values')})\n"
            + "    print(done.success)\n"
        )


class ByProcess(Peer):
    """Engines whose nodes are commands over files: one script runs one function."""

    most_nodes = 100

    def write(self, where: Path, shape: Shape) -> None:
        super().write(where, shape)
        (where / "values").mkdir(exist_ok=True)
        (where / "node.py").write_text(
            '"""Run one node over files: node.py MODULE NAME INPUT..."""\n'
            "import importlib, json, sys\n"
            "module, name, *inputs = sys.argv[1:]\n"
            "values = [json.load(open(f'values/{i}.json')) for i in inputs]\n"
            "result = getattr(importlib.import_module(module), name)(*values)\n"
            "json.dump(result, open(f'values/{name}.json', 'w'))\n"
        )

    def run_node(self, node: Node) -> str:
        return f"{self.python} node.py {node.module} {node.name} {' '.join(node.inputs)}".strip()


class Snakemake(ByProcess):
    name, package = "snakemake", "snakemake"
    note = "a rule and a process a node; the module's file is an input of its rules"

    def write(self, where: Path, shape: Shape) -> None:
        super().write(where, shape)
        rules = [f"rule all:\n    input: {[f'values/{n}.json' for n in shape.last]!r}\n"]
        for node in shape.nodes:
            needs = [f"{node.module}.py", *(f"values/{i}.json" for i in node.inputs)]
            rules.append(
                f"rule {node.name}:\n    input: {needs!r}\n    output: 'values/{node.name}.json'\n"
                f"    shell: {self.run_node(node)!r}\n"
            )
        (where / "Snakefile").write_text("\n".join(rules))

    def command(self, shape: Shape) -> list[str]:
        return [str(self.venv / "bin" / "snakemake"), "--cores", "1", "--quiet", "all"]


class Dvc(ByProcess):
    name, package = "dvc", "dvc"
    note = "a stage and a process a node; the module's file is a dependency of its stages"

    def write(self, where: Path, shape: Shape) -> None:
        super().write(where, shape)
        lines = ["stages:"]
        for node in shape.nodes:
            lines += [f"  {node.name}:", f"    cmd: {self.run_node(node)}", "    deps:"]
            lines += [
                f"      - {node.module}.py",
                *(f"      - values/{i}.json" for i in node.inputs),
            ]
            lines += ["    outs:", f"      - values/{node.name}.json"]
        (where / "dvc.yaml").write_text("\n".join(lines) + "\n")
        dvc = str(self.venv / "bin" / "dvc")
        subprocess.run([dvc, "init", "--no-scm", "-q"], cwd=where, check=True)
        subprocess.run([dvc, "config", "core.analytics", "false"], cwd=where, check=True)

    def command(self, shape: Shape) -> list[str]:
        return [str(self.venv / "bin" / "dvc"), "repro", "-q"]


PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (Hamilton(), Joblib(), Redun(), Dagster(), Snakemake(), Dvc())
}
