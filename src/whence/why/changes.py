"""What differs between two worlds, as things that can be flipped one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from whence.engine.environment import interpreter
from whence.graph.digest import canonical_json
from whence.graph.nodes import NodeSpec
from whence.why.environments import Environments, NotInstallable
from whence.why.sides import Side, read_statements
from whence.why.statements import LOOSE, Entry, pair

#: Params of these names choose the randomness: not a change, but what replicates vary.
SEEDS = ("seed", "random_state")


@dataclass(slots=True)
class Change:
    """One difference; `id` is "code:prep.clean", "source:flights", "param:model.depth", …

    Attributes
    ----------
    key : str
        What the mixer knows it by: an entry's key, a source, a param as it was set, a folder.
    nodes : set of str
        Nodes that it reaches directly.
    blocked : str
        Why it cannot be mixed; then the candidate's side of it holds everywhere.
    """

    id: str
    kind: str
    name: str
    key: str
    before: str = ""
    after: str = ""
    where: str = ""
    nodes: frozenset[str] = frozenset()
    blocked: str = ""
    is_installed: bool = False  # a package, laid over the installed ones where it must be


@dataclass(slots=True)
class Differences:
    """All changes between two sides, and what must flip together.

    Attributes
    ----------
    units : list of tuple of int
        Positions of changes; in topological order of what they reach first.
    entries : mapping
        Module -> its entries.
    companions : mapping
        Id of a change -> definitions that only one side has and that this change brings or drops.
    """

    changes: list[Change]
    units: list[tuple[int, ...]]
    entries: dict[str, list[Entry]]
    companions: dict[str, tuple[str, ...]]
    unreached: int


def find_changes(
    a: Side, b: Side, vendored: Iterable[str], environments: Environments
) -> Differences:
    """The changes that the metric may feel, from `a` to `b`."""
    read_statements(a, b)
    entries = {
        module: pair(module, a.statements.get(module, []), b.statements.get(module, []))
        for module in sorted({*a.statements, *b.statements})
    }
    code, unreached = _code_changes(a, b, entries)
    changes = [
        *code,
        *_source_changes(a, b),
        *_param_changes(a, b),
        *_folder_changes(a, b, vendored),
        *_file_changes(a, b, vendored),
        *_installed_changes(a, b, environments),
    ]
    found = Differences(changes, [], entries, _companions(a, b, code, entries), unreached)
    found.units = _units(a, b, found)
    return found


# -- code -------------------------------------------------------------------------------------


def _code_changes(a: Side, b: Side, entries: Mapping[str, list[Entry]]) -> tuple[list[Change], int]:
    found: list[Change] = []
    unreached = 0
    declared = {
        spec.where: spec for side in (a, b) for spec in side.session.specs if spec.kind == "source"
    }
    for module, listed in entries.items():
        for entry in listed:
            flips = entry.changed or (entry.one_sided and entry.hides_builtin)
            if not flips or entry.key in declared:
                continue  # a source's declaration flips with its data
            nodes = _reached(a, entry) | _reached(b, entry)
            if not nodes:
                unreached += 1
                continue
            found.append(_code_change(a, b, module, entry, nodes))
    return found, unreached


def _reached(side: Side, entry: Entry) -> set[str]:
    names = [f"{entry.module}.{name}" for name in entry.names]
    whole = [f"{entry.module}:<module>", "<project>", "<source>"]
    found = {n for name in [*names, *whole] for n in side.reached.get(name, ())}
    if not entry.names:  # loose statements may do anything to what the module defines
        prefix = entry.module + "."
        found |= {
            n
            for name, nodes in side.reached.items()
            if name.startswith((prefix, entry.module + ":"))
            for n in nodes
        }
    return found


def _code_change(a: Side, b: Side, module: str, entry: Entry, nodes: Iterable[str]) -> Change:
    side, statements = (b, entry.after) if entry.after else (a, entry.before)
    path = side.paths().get(module, module)
    where = f"{path}:{statements[0].first}" if statements else path
    param = next(
        (
            spec
            for spec in b.session.specs
            if spec.kind == "param" and f"{spec.module}.{spec.qualname}" == entry.key
        ),
        None,
    )
    if param is not None:
        old = next((s for s in a.session.specs if s.name == param.name), None)
        return Change(
            f"param:{param.name}",
            "param",
            param.name,
            entry.key,
            _short(old.options.get("default")) if old else "",
            _short(param.options.get("default")),
            where,
            frozenset(nodes),
        )
    name = entry.key
    return Change(f"code:{name}", "code", name, name, where=where, nodes=frozenset(nodes))


def _companions(
    a: Side, b: Side, code: Sequence[Change], entries: Mapping[str, list[Entry]]
) -> dict[str, tuple[str, ...]]:
    """Definitions that only one side has, with the changes that refer to them."""
    by_key = {entry.key: entry for listed in entries.values() for entry in listed}
    lonely = {
        entry.key
        for entry in by_key.values()
        if entry.one_sided
        and not all(s.is_import for s in (*entry.before, *entry.after))
        and (_reached(a, entry) or _reached(b, entry))
    }
    out: dict[str, tuple[str, ...]] = {}
    for change in code:
        entry = by_key[change.key]
        todo = [entry]
        found: set[str] = set()
        while todo:
            at = todo.pop()
            inputs = {
                parameter[0]
                for statement in (*at.before, *at.after)
                if statement.function is not None
                for parameter in statement.function.parameters
            }
            used = inputs.union(*(s.uses for s in (*at.before, *at.after)))
            for key in lonely - found:
                if key.rpartition(".")[2] in used:
                    found.add(key)
                    todo.append(by_key[key])
        out[change.id] = tuple(sorted(found))
    return out


# -- data, params, packages -------------------------------------------------------------------


def _source_changes(a: Side, b: Side) -> list[Change]:
    out = []
    for name in sorted({*a.world.data, *b.world.data}):
        old, new = a.world.data.get(name), b.world.data.get(name)
        if old is None or new is None or name not in {*a.selected, *b.selected}:
            continue  # of a source that only one side has, both sides' nodes get what they know
        specs = [side.session.graph.nodes[name].spec for side in (a, b)]
        if old == new and _declaration(specs[0]) == _declaration(specs[1]):
            continue
        parts = [unit for unit in {*old, *new} if old.get(unit) != new.get(unit)]
        text = f"{len(parts)} of {len({*old, *new})} partitions" if {*old, *new} != {""} else ""
        gone = [side.row.id for side in (a, b) if not side.has_kept(name)]
        blocked = f"what it held in {gone[0]} is no longer in the store" if gone else ""
        reached = frozenset([name])
        change = Change(f"source:{name}", "source", name, name, "", text, "", reached, blocked)
        out.append(change)
    return out


def _declaration(spec: NodeSpec) -> str:
    return canonical_json([spec.reader, dict(spec.options), list(spec.key), spec.partitioned])


def _param_changes(a: Side, b: Side) -> list[Change]:
    out = []
    for key in sorted({*a.world.params, *b.world.params}):
        old, new = a.world.params.get(key, _UNSET), b.world.params.get(key, _UNSET)
        if old == new and type(old) is type(new):
            continue
        if key.rpartition(".")[2] in SEEDS:
            continue
        nodes = [_takers(side, key) for side in (a, b)]
        if not (nodes[0] or nodes[1]) or not (nodes[0] and nodes[1]):
            continue  # nothing takes it, or only one side's node: then it is given to that one
        node, _, param = key.rpartition(".")
        name = key if node or len(nodes[1]) > 1 else f"{min(nodes[1])}.{param}"
        shared = any(s.kind == "param" and s.name == key for s in b.session.specs)
        name = key if shared else name
        texts = [
            _short(_value(side, value, min(takers), param))
            for side, value, takers in zip((a, b), (old, new), nodes, strict=True)
        ]
        reached = frozenset(nodes[0] | nodes[1])
        out.append(Change(f"param:{name}", "param", name, key, texts[0], texts[1], "", reached))
    return out


_UNSET = object()


def _value(side: Side, given: object, node: str, param: str) -> object:
    return side.session.graph.nodes[node].params.get(param) if given is _UNSET else given


def _takers(side: Side, key: str) -> set[str]:
    """Selected nodes that take the param that is set as `key`."""
    node, _, param = key.rpartition(".")
    return {
        name
        for name in side.selected
        if param in side.session.graph.nodes[name].params and node in ("", name)
    }


def _short(value: object) -> str:
    text = canonical_json(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _folder_changes(a: Side, b: Side, vendored: Iterable[str]) -> list[Change]:
    out = []
    for folder in vendored:
        old, new = (_inside(side, folder) for side in (a, b))
        if old == new:
            continue
        name = folder.strip("/").rpartition("/")[2]
        package = next((p for p in b.session.vendored if p.rpartition(".")[2] == name), name)
        nodes = _importers(a, package) | _importers(b, package)
        if nodes:
            versions = [_version(side, folder) for side in (a, b)]
            out.append(
                Change(
                    f"distribution:{package}",
                    "distribution",
                    package,
                    folder,
                    versions[0],
                    versions[1],
                    folder.strip("/") + "/",
                    frozenset(nodes),
                )
            )
    return out


def _inside(side: Side, folder: str) -> dict[str, str]:
    prefix = folder.strip("/") + "/"
    return {p: e.digest for p, e in side.session.tree.files.items() if p.startswith(prefix)}


def _version(side: Side, folder: str) -> str:
    """`__version__ = "1.2"` of a vendored package, where it says so."""
    path = folder.strip("/") + "/__init__.py"
    if path not in side.session.tree.files:
        return ""
    for line in side.text(path).splitlines():
        name, _, value = line.partition("=")
        if name.strip() in ("__version__", "VERSION"):
            return value.strip().strip("\"'")
    return ""


def _importers(side: Side, package: str) -> set[str]:
    return {
        name
        for name in side.selected
        if side.session.graph.nodes[name].spec.kind != "source"
        and any(
            module == package or module.startswith(package + ".")
            for module in side.session.closure(name).externals
        )
    }


def _file_changes(a: Side, b: Side, vendored: Iterable[str]) -> list[Change]:
    """Files beside the code, such as a query or a list of words."""
    out = []
    folders = tuple(folder.strip("/") + "/" for folder in vendored)
    old, new = (side.session.tree.files for side in (a, b))
    for path in sorted({*old, *new}):
        if path.endswith(".py") or path == "pyproject.toml" or path.startswith(folders):
            continue
        if path in old and path in new and old[path].digest != new[path].digest:
            reached = frozenset(b.selected)
            out.append(Change(f"file:{path}", "file", path, path, where=path, nodes=reached))
    return out


def _installed_changes(a: Side, b: Side, environments: Environments) -> list[Change]:
    """Installed packages that differ, of those that the metric's nodes reach."""
    sides: list[dict[str, str]] = []
    for side in (a, b):
        reached: dict[str, str] = {}
        for task in side.tasks:
            if task.recipe in side.recipes:
                reached.update(side.recipes[task.recipe].environment)
        sides.append({k: v for k, v in reached.items() if not k.startswith("vendored:")})
    out = []
    for name in sorted({*sides[0], *sides[1]}):
        old, new = sides[0].get(name), sides[1].get(name)
        if old is None or new is None or old == new:
            continue
        nodes = frozenset(
            task.node
            for task in b.tasks
            if task.recipe in b.recipes and name in b.recipes[task.recipe].environment
        )
        change = Change(f"distribution:{name}", "distribution", name, name, old, new, "", nodes)
        change.blocked = _why_not_installable(name, (old, new), environments)
        change.is_installed = not change.blocked
        out.append(change)
    return out


def _why_not_installable(name: str, versions: Iterable[str], environments: Environments) -> str:
    """Why a package cannot be had in one of these versions; "" where it can."""
    if name in interpreter():
        return f"a build runs on one interpreter: {name} cannot be mixed"
    for version in versions:
        try:
            environments.with_versions({name: version})
        except NotInstallable as error:
            return error.cause
    return ""


# -- units ------------------------------------------------------------------------------------


def _units(a: Side, b: Side, found: Differences) -> list[tuple[int, ...]]:
    """Changes that only make sense together, in the order in which the graph meets them."""
    changes = found.changes
    group = list(range(len(changes)))

    def root(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    places = {change.key: i for i, change in enumerate(changes) if change.kind in ("code", "param")}
    by_key = {entry.key: entry for listed in found.entries.values() for entry in listed}
    for key, i in places.items():
        entry = by_key.get(key)
        if entry is None or not _signature_differs(entry) or _is_node(a, b, key):
            continue
        for other, j in places.items():
            if other != key and other in by_key and _refers(by_key[other], entry):
                group[root(j)] = root(i)
    mixable = [i for i, change in enumerate(changes) if not change.blocked]
    units: dict[int, list[int]] = {}
    for i in mixable:
        units.setdefault(root(i), []).append(i)
    order = {name: place for place, name in enumerate(dict.fromkeys((*a.selected, *b.selected)))}

    def rank(unit: Collection[int]) -> tuple[int, int]:
        first = min((order[n] for i in unit for n in changes[i].nodes if n in order), default=0)
        return first, min(unit)

    return sorted((tuple(unit) for unit in units.values()), key=rank)


def _signature_differs(entry: Entry) -> bool:
    forms = [s.function for s in (*entry.before, *entry.after) if s.function is not None]
    if len(forms) != 2:
        return False
    old, new = ([(name, kind, bool(default)) for name, kind, default, _ in f.parameters]
                for f in forms)  # fmt: skip
    return old != new


def _is_node(a: Side, b: Side, key: str) -> bool:
    return any(spec.where == key for side in (a, b) for spec in side.session.specs)


def _refers(entry: Entry, other: Entry) -> bool:
    if entry.key.endswith(LOOSE):
        return False
    return any(name in s.uses for s in (*entry.before, *entry.after) for name in other.names)
