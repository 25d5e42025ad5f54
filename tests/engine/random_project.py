"""Random projects as plain data: what their files say, and what their nodes must be worth.

`Model.files` renders the project; `Model.evaluate` says, by walking the data and without running
any of the rendered code, the value of each task and its key: all that may count for it. Two tasks
with one key never both need to run. The engine must agree on the values, and may run a task only
if nothing with its key ran before.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from whence.engine.seeding import seeds_of

Expr = tuple[Any, ...]
Key = tuple[Any, ...]

LIBS = ("l0", "l1", "l2")
PIPES = ("p0", "p1")
#: Small numbers and small remainders on purpose: values meet again, so early cut-off happens.
MODULI = (2, 3, 5, 97)
ENVIRONMENT = ("WAGES", "STEPS")
LOOSE = ("loose/a.txt", "loose/b.txt")


@dataclass
class Definition:
    """A constant, function or class at the top level of a library module."""

    kind: str  # "const", "func", "class"
    module: str
    value: int = 0
    body: Expr = ("int", 0)
    base: str | None = None  # of a class: another one in the same module
    has_method: bool = True
    comment: int = 0


@dataclass
class Node:
    """A node, by an id of its own: its name may change."""

    name: str
    module: str
    inputs: list[str]  # ids of nodes and sources, in the order of the parameters
    params: dict[str, int]
    body: Expr
    shape: str = "int"  # or "dict"
    partitioned: bool = False
    comment: int = 0
    swapped: bool = False


@dataclass
class Model:
    """A whole project."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)  # in an order that never goes up
    data: dict[str, tuple[int, int]] = field(default_factory=dict)  # source -> value, spacing
    parts: dict[str, int] = field(default_factory=dict)  # partition -> value
    loose: dict[str, int] = field(default_factory=dict)
    env: dict[str, int] = field(default_factory=dict)
    overrides: dict[str, int] = field(default_factory=dict)  # "id.param" -> configured value
    order: dict[str, list[str]] = field(default_factory=dict)  # module -> names, as written
    styles: dict[str, str] = field(default_factory=dict)  # how a module imports: "module", "from"
    count: int = 0

    def copy(self) -> Model:
        return deepcopy(self)

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    # -- as files ------------------------------------------------------------------------------

    def files(self) -> dict[str, str]:
        found = {f"{lib}.py": self._library(lib) for lib in LIBS}
        found |= {f"{pipe}.py": self._pipeline(pipe) for pipe in PIPES}
        for name, (value, spacing) in self.data.items():
            found[f"data/{name}.json"] = " " * spacing + str(value)
        for name, value in self.parts.items():
            found[f"parts/{name}.json"] = str(value)
        for name, value in self.loose.items():
            found[name] = str(value)
        lines = ["[tool.whence]", f"pipeline = {json.dumps(list(PIPES))}"]
        by_node: dict[str, list[str]] = {}
        for name, value in sorted(self.overrides.items()):
            node, _, param = name.partition(".")
            by_node.setdefault(self.nodes[node].name, []).append(f"{param} = {value}")
        for node, rows in sorted(by_node.items()):
            lines += [f"[tool.whence.params.{node}]", *rows]
        found["pyproject.toml"] = "\n".join(lines) + "\n"
        return found

    def _library(self, module: str) -> str:
        lines = [f"import {lib}" for lib in LIBS if lib != module]
        lines += ["import os", ""]
        # Bases come before what is made of them; all else may stand in any order.
        names = [n for n in self.order.get(module, []) if n in self.definitions]
        names += [n for n, d in self.definitions.items() if d.module == module and n not in names]
        names.sort(key=self._depth)
        for name in names:
            made = self.definitions[name]
            if made.comment:
                lines.append(f"# Remark {made.comment}.")
            if made.kind == "const":
                lines += [f"{name} = {made.value}", ""]
                continue
            remark = [f'    """Number {made.comment}."""'] if made.comment % 2 else []
            body = self._spell(made.body, module)
            if made.kind == "func":
                lines += [f"def {name}(x):", *remark, f"    return {body}", ""]
                continue
            lines += [f"class {name}({made.base}):" if made.base else f"class {name}:", *remark]
            if made.has_method:
                lines += ["    def run(self, x):", f"        return {body}", ""]
            else:
                lines += ["    pass", ""]
        return "\n".join(lines)

    def _depth(self, name: str) -> int:
        base = self.definitions[name].base
        return 0 if base is None else 1 + self._depth(base)

    def _pipeline(self, module: str) -> str:
        lines = ["import os", "import random", "", "import whence as wh"]
        if self.styles.get(module) == "from":
            lines += [
                f"from {made.module} import {name}" for name, made in self.definitions.items()
            ]
        else:
            lines += [f"import {lib}" for lib in LIBS]
        lines.append("")
        if module == PIPES[0]:
            lines += [f'{name} = wh.files("data/{name}.json")' for name in self.data]
            lines += ['parts = wh.files("parts/*.json", partition_by="file")', ""]
        mine = [key for key, node in self.nodes.items() if node.module == module]
        wanted = [key for key in self.order.get(module, []) if key in mine]
        for key in [*wanted, *[k for k in mine if k not in wanted]]:
            lines += self._node(self.nodes[key], module)
        return "\n".join(lines)

    def _node(self, node: Node, module: str) -> list[str]:
        plain = [self.name_of(key) for key in node.inputs]
        given = [f"{name}={value}" for name, value in node.params.items()]
        if node.swapped:
            plain, given = plain[::-1], given[::-1]
        lines = [f"# About this: {node.comment}."] if node.comment else []
        lines.append("@wh.node(partitioned=True)" if node.partitioned else "@wh.node")
        lines.append(f"def {node.name}({', '.join([*plain, *given])}):")
        if node.comment % 2:
            lines.append(f'    """Node number {node.comment}."""')
        body = self._spell(node.body, module)
        if node.shape == "dict":
            lines += [f"    v = {body}", "    return {'v': v, 'text': 'of ' + str(v)}"]
        else:
            lines.append(f"    return {body}")
        return [*lines, ""]

    def name_of(self, key: str) -> str:
        return self.nodes[key].name if key in self.nodes else key

    def _spell(self, expr: Expr, module: str) -> str:
        kind, *rest = expr
        if kind == "int":
            return str(rest[0])
        if kind == "x":
            return "x"
        if kind in ("const", "call", "method"):
            name = rest[0]
            home = self.definitions[name].module
            direct = home == module or (module in PIPES and self.styles.get(module) == "from")
            spelled = name if direct else f"{home}.{name}"
            if kind == "const":
                return spelled
            inner = self._spell(rest[1], module)
            return f"{spelled}({inner})" if kind == "call" else f"{spelled}().run({inner})"
        if kind == "input":
            name = self.name_of(rest[0])
            return f"{name}['v']" if self._is_dict(rest[0]) else name
        if kind == "union":
            name = self.name_of(rest[0])
            access = "v['v']" if self._is_dict(rest[0]) else "v"
            return f"sum(i * {access} for i, v in enumerate({name}.values(), 1))"
        if kind == "param":
            return str(rest[0])
        if kind == "env":
            return f"int(os.environ.get({rest[0]!r}, '0'))"
        if kind == "loose":
            return f"(int(open({rest[0]!r}).read()) if os.path.exists({rest[0]!r}) else -1)"
        if kind == "random":
            return "random.randrange(1000)"
        if kind == "mod":
            return f"({self._spell(rest[0], module)} % {rest[1]})"
        sign = {"add": "+", "sub": "-", "mul": "*"}[kind]
        return f"({self._spell(rest[0], module)} {sign} {self._spell(rest[1], module)})"

    def _is_dict(self, key: str) -> bool:
        return key in self.nodes and self.nodes[key].shape == "dict"

    # -- what must come out --------------------------------------------------------------------

    def evaluate(self) -> dict[tuple[str, str], tuple[Any, Key]]:
        """Value and key of each task, by name of the node and partition."""
        values: dict[str, dict[str, Any]] = {}
        found: dict[tuple[str, str], tuple[Any, Key]] = {}
        for name, (value, spacing) in self.data.items():
            values[name] = {"": value}
            found[name, ""] = (value, ("source", name, value, spacing))
        values["parts"] = {part: self.parts[part] for part in sorted(self.parts)}
        for part, value in values["parts"].items():
            found["parts", part] = (value, ("source", "parts", part, value))
        for key, node in self.nodes.items():
            parts = list(values["parts"]) if node.partitioned else [""]
            values[key] = {}
            for part in parts:
                value = _Evaluation(self, values, key, part).value(node.body)
                whole = {"v": value, "text": f"of {value}"} if node.shape == "dict" else value
                values[key][part] = whole
                found[node.name, part] = (whole, self._key(key, part, values))
        return found

    def _key(self, key: str, part: str, values: dict[str, dict[str, Any]]) -> Key:
        node = self.nodes[key]
        slots: list[Any] = []
        reached: set[Any] = set()

        def slot(value: Any) -> Expr:
            if value not in slots:
                slots.append(value)
            return ("slot", slots.index(value))

        def walk(expr: Expr, inside: bool) -> Expr:
            kind, *rest = expr
            if kind in ("input", "union"):
                return (kind, slot(("input", rest[0])))
            if kind == "param" and not inside:
                return slot(("param", rest[0]))
            if kind == "random":
                reached.add(("drawn by", node.name, part))
            if kind == "env":
                reached.add(("env", rest[0], self.env.get(rest[0])))
            if kind == "loose":
                reached.add(("loose", rest[0], self.loose.get(rest[0])))
            if kind in ("const", "call", "method"):
                reach(rest[0])
            return tuple(walk(r, inside) if isinstance(r, tuple) else r for r in expr)

        def reach(name: str) -> None:
            made = self.definitions[name]
            text = (name, made.module, made.kind, made.value, made.body, made.base, made.has_method)
            if text in reached:
                return
            reached.add(text)
            if made.base is not None:
                reach(made.base)
            if made.kind == "func" or made.has_method:
                walk(made.body, True)

        body = walk(node.body, False)
        given = []
        for kind, name in slots:
            if kind == "param":
                given.append(self.overrides.get(f"{key}.{name}", node.params[name]))
            elif node.partitioned and part in values[name]:
                given.append((part, values[name][part]))
            else:
                given.append(tuple(values[name].items()))
        # What no expression uses is still given to the function, under its name.
        unused = [i for i in node.inputs if ("input", i) not in slots]
        rest = [(self.name_of(i), str(values[i])) for i in unused]
        rest += [
            (p, str(self.overrides.get(f"{key}.{p}", v)))
            for p, v in node.params.items()
            if ("param", p) not in slots
        ]
        style = self.styles.get(node.module, "module")
        home = node.module if style == "from" else ""
        shapes = tuple(self._is_dict(i) for kind, i in slots if kind == "input")
        return (
            body, node.shape, node.partitioned, style, bool(home), str(given), shapes,
            frozenset(reached), tuple(sorted(rest)),
        )  # fmt: skip


class _Evaluation:
    """One node's body, worked out."""

    def __init__(
        self, model: Model, values: dict[str, dict[str, Any]], key: str, part: str
    ) -> None:
        self.model, self.values, self.key, self.part = model, values, key, part
        node = model.nodes[key]
        self.rng = random.Random(seeds_of(0, node.name, part)[0])

    def value(self, expr: Expr, x: int = 0) -> int:
        kind, *rest = expr
        model = self.model
        if kind == "int":
            return int(rest[0])
        if kind == "x":
            return x
        if kind == "const":
            return model.definitions[rest[0]].value
        if kind == "call":
            return self.value(model.definitions[rest[0]].body, self.value(rest[1], x))
        if kind == "method":
            name = rest[0]
            while not model.definitions[name].has_method:
                name = model.definitions[name].base or ""
            return self.value(model.definitions[name].body, self.value(rest[1], x))
        if kind == "input":
            found = self.values[rest[0]]
            value = found[self.part] if self.part in found else found[""]
            return int(value["v"] if isinstance(value, dict) else value)
        if kind == "union":
            plain = [v["v"] if isinstance(v, dict) else v for v in self.values[rest[0]].values()]
            return sum(i * v for i, v in enumerate(plain, 1))
        if kind == "param":
            node = model.nodes[self.key]
            return model.overrides.get(f"{self.key}.{rest[0]}", node.params[rest[0]])
        if kind == "env":
            return model.env.get(rest[0], 0)
        if kind == "loose":
            return model.loose.get(rest[0], -1)
        if kind == "random":
            return self.rng.randrange(1000)
        if kind == "mod":
            return self.value(rest[0], x) % int(rest[1])
        left, right = self.value(rest[0], x), self.value(rest[1], x)
        return {"add": left + right, "sub": left - right, "mul": left * right}[kind]


# -- chance ------------------------------------------------------------------------------------


class Maker:
    """Makes and edits projects; every choice comes from `pick`."""

    def __init__(self, model: Model, choose: Callable[[int], int]) -> None:
        self.model, self.choose = model, choose

    def pick(self, options: Any) -> Any:
        many = list(options)
        return many[self.choose(len(many))]

    def number(self) -> int:
        return self.choose(7)

    # -- expressions ---------------------------------------------------------------------------

    def expression(self, leaves: list[Expr], names: list[str], depth: int = 2) -> Expr:
        """An expression over `leaves` that may call what `names` define."""
        kinds = ["leaf", "leaf", "add", "sub", "mul", "mod"] + ["name"] * (4 if names else 0)
        kind = self.pick(kinds) if depth else "leaf"
        if kind == "leaf":
            return self.pick(leaves) if leaves else ("int", self.number())
        if kind == "mod":
            return ("mod", self.expression(leaves, names, depth - 1), self.pick(MODULI))
        if kind == "name":
            name = self.pick(names)
            what = self.model.definitions[name].kind
            if what == "const":
                return ("const", name)
            inner = self.expression(leaves, names, depth - 1)
            return ("call" if what == "func" else "method", name, inner)
        left = self.expression(leaves, names, depth - 1)
        return (kind, left, self.expression(leaves, names, depth - 1))

    def helper_body(self, name: str) -> Expr:
        """Refers only to what was defined before, so that nothing recurses."""
        known = list(self.model.definitions)
        earlier = known[: known.index(name)] if name in known else known
        leaves: list[Expr] = [("x",), ("x",), ("int", self.number())]
        if self.choose(6) == 0:
            leaves.append(("env", self.pick(ENVIRONMENT)))
        if self.choose(6) == 0:
            leaves.append(("loose", self.pick(LOOSE)))
        return self.expression(leaves, earlier)

    def node_body(self, node: Node) -> Expr:
        leaves: list[Expr] = [("int", self.number())]
        leaves += [("param", name) for name in node.params]
        if self.choose(6) == 0:
            leaves.append(("env", self.pick(ENVIRONMENT)))
        if self.choose(6) == 0:
            leaves.append(("loose", self.pick(LOOSE)))
        if self.choose(8) == 0:
            leaves.append(("random",))
        body = self.expression(leaves, list(self.model.definitions))
        for key in node.inputs:  # each input is used at least once
            leaf = ("input", key) if self._is_single(key, node) else ("union", key)
            body = (self.pick(["add", "sub", "mul"]), leaf, body)
        return ("mod", body, self.pick(MODULI)) if self.choose(2) else body

    def _is_single(self, key: str, node: Node) -> bool:
        split = key == "parts" or (key in self.model.nodes and self.model.nodes[key].partitioned)
        return node.partitioned or not split

    # -- a first project -----------------------------------------------------------------------

    def project(self) -> None:
        model = self.model
        for pipe in PIPES:
            model.styles[pipe] = self.pick(["module", "from"])
        for _ in range(2):
            model.data[model.fresh("s")] = (self.number(), 0)
        for part in ("a", "b"):
            model.parts[part] = self.number()
        for _ in range(5 + self.choose(4)):
            self.add_definition()
        for _ in range(4 + self.choose(5)):
            self.add_node()

    # -- edits: each returns False where it has nothing to work on ------------------------------

    def add_definition(self) -> bool:
        model = self.model
        kind = self.pick(["const", "func", "func", "class"])
        name = model.fresh({"const": "K", "func": "h", "class": "C"}[kind])
        module = self.pick(LIBS)
        made = Definition(kind, module, value=self.number())
        if kind != "const":
            made.body = self.helper_body(name)
        bases = [
            n for n, d in model.definitions.items() if d.kind == "class" and d.module == module
        ]
        if kind == "class" and bases and self.choose(2):
            made.base = self.pick(bases)
            made.has_method = bool(self.choose(2))
        model.definitions[name] = made
        return True

    def add_node(self) -> bool:
        model = self.model
        name = model.fresh("n")
        partitioned = self.choose(4) == 0
        above = [*model.data, *model.nodes]
        whole = [k for k in above if k not in model.nodes or not model.nodes[k].partitioned]
        if partitioned:
            split = ["parts", *[k for k, n in model.nodes.items() if n.partitioned]]
            inputs = [self.pick(split)]
            if self.choose(2):
                inputs.append(self.pick(whole))
        else:
            inputs = []
            for _ in range(self.choose(3)):
                key = self.pick([*above, "parts"])
                if key not in inputs:
                    inputs.append(key)
        node = Node(name, self.pick(PIPES), inputs, {}, ("int", 0), partitioned=partitioned)
        node.shape = self.pick(["int", "dict"])
        for _ in range(self.choose(2)):
            node.params[model.fresh("q")] = self.number()
        node.body = self.node_body(node)
        model.nodes[name] = node
        return True

    def edit_definition(self) -> bool:
        name = self.pick(self.model.definitions)
        made = self.model.definitions[name]
        if made.kind == "const":
            made.value = (made.value + 1 + self.number()) % 11
        else:
            made.body = self.helper_body(name)
        return True

    def toggle_method(self) -> bool:
        """Override the base's method, or inherit it."""
        classes = [d for d in self.model.definitions.values() if d.base is not None]
        if not classes:
            return False
        made = self.pick(classes)
        made.has_method = not made.has_method
        return True

    def edit_node(self) -> bool:
        node = self.model.nodes[self.pick(self.model.nodes)]
        node.body = self.node_body(node)
        return True

    def edit_inputs(self) -> bool:
        model = self.model
        keys = [k for k, n in model.nodes.items() if not n.partitioned]
        if not keys:
            return False
        key = self.pick(keys)
        node = model.nodes[key]
        earlier = list(model.nodes)[: list(model.nodes).index(key)]
        wanted = self.pick([*model.data, "parts", *earlier])
        if wanted in node.inputs:
            node.inputs.remove(wanted)
        else:
            node.inputs.insert(0, wanted)
        node.body = self.node_body(node)
        return True

    def edit_default(self) -> bool:
        nodes = [n for n in self.model.nodes.values() if n.params]
        if not nodes:
            return False
        node = self.pick(nodes)
        node.params[self.pick(node.params)] = self.number()
        return True

    def edit_override(self) -> bool:
        names = [f"{k}.{p}" for k, n in self.model.nodes.items() for p in n.params]
        if not names:
            return False
        name = self.pick(names)
        if name in self.model.overrides and self.choose(2):
            del self.model.overrides[name]
        else:
            self.model.overrides[name] = self.number()
        return True

    def edit_data(self) -> bool:
        name = self.pick(self.model.data)
        value, spacing = self.model.data[name]
        if self.choose(3) == 0:
            self.model.data[name] = (value, 1 - spacing)
        else:
            self.model.data[name] = (self.number(), spacing)
        return True

    def edit_parts(self) -> bool:
        parts = self.model.parts
        name = self.pick("abcd")
        if name in parts and len(parts) > 1 and self.choose(2):
            del parts[name]
        else:
            parts[name] = self.number()
        return True

    def edit_loose(self) -> bool:
        name = self.pick(LOOSE)
        if name in self.model.loose and self.choose(3) == 0:
            del self.model.loose[name]
        else:
            self.model.loose[name] = self.number()
        return True

    def edit_env(self) -> bool:
        name = self.pick(ENVIRONMENT)
        if name in self.model.env and self.choose(3) == 0:
            del self.model.env[name]
        else:
            self.model.env[name] = self.number()
        return True

    def rename_node(self) -> bool:
        node = self.model.nodes[self.pick(self.model.nodes)]
        node.name = self.model.fresh("m")
        return True

    def rename_definition(self) -> bool:
        model = self.model
        old = self.pick(model.definitions)
        new = model.fresh(old[0])
        # In place, so that the order in which things may refer to one another stays.
        model.definitions = {new if k == old else k: v for k, v in model.definitions.items()}
        for made in model.definitions.values():
            made.body = _renamed(made.body, old, new)
            made.base = new if made.base == old else made.base
        for node in model.nodes.values():
            node.body = _renamed(node.body, old, new)
        return True

    def move_definition(self) -> bool:
        model = self.model
        tied = {d.base for d in model.definitions.values() if d.base}
        free = [n for n, d in model.definitions.items() if d.base is None and n not in tied]
        if not free:
            return False
        model.definitions[self.pick(free)].module = self.pick(LIBS)
        return True

    def move_node(self) -> bool:
        self.model.nodes[self.pick(self.model.nodes)].module = self.pick(PIPES)
        return True

    def delete_node(self) -> bool:
        model = self.model
        used = {key for node in model.nodes.values() for key in node.inputs}
        free = [key for key in model.nodes if key not in used]
        if len(model.nodes) < 3 or not free:
            return False
        key = self.pick(free)
        del model.nodes[key]
        model.overrides = {k: v for k, v in model.overrides.items() if k.partition(".")[0] != key}
        return True

    def delete_definition(self) -> bool:
        model = self.model
        used = {d.base for d in model.definitions.values()}
        for body in [d.body for d in model.definitions.values()]:
            used |= set(_names(body))
        for node in model.nodes.values():
            used |= set(_names(node.body))
        free = [name for name in model.definitions if name not in used]
        if not free or len(model.definitions) < 3:
            return False
        del model.definitions[self.pick(free)]
        return True

    def remark(self) -> bool:
        many = [*self.model.definitions.values(), *self.model.nodes.values()]
        self.pick(many).comment += 1
        return True

    def reorder(self) -> bool:
        module = self.pick([*LIBS, *PIPES])
        own: list[str] = [n for n, d in self.model.definitions.items() if d.module == module]
        own += [k for k, n in self.model.nodes.items() if n.module == module]
        order = []
        while own:
            order.append(own.pop(self.choose(len(own))))
        self.model.order[module] = order
        return True

    def swap_parameters(self) -> bool:
        node = self.model.nodes[self.pick(self.model.nodes)]
        node.swapped = not node.swapped
        return True


#: Every kind of edit, by name. "revert" is the machine's own.
EDITS = (
    "add_definition", "add_node", "edit_definition", "edit_definition", "toggle_method",
    "edit_node", "edit_node", "edit_inputs", "edit_default", "edit_override", "edit_data",
    "edit_parts", "edit_loose", "edit_env", "rename_node", "rename_definition",
    "move_definition", "move_node", "delete_node", "delete_definition", "remark", "reorder",
    "swap_parameters",
)  # fmt: skip


def _renamed(expr: Expr, old: str, new: str) -> Expr:
    if expr[0] in ("const", "call", "method"):
        expr = (expr[0], new if expr[1] == old else expr[1], *expr[2:])
    return tuple(_renamed(e, old, new) if isinstance(e, tuple) else e for e in expr)


def _names(expr: Expr) -> Iterator[str]:
    if expr[0] in ("const", "call", "method"):
        yield expr[1]
    for inner in expr:
        if isinstance(inner, tuple):
            yield from _names(inner)
