"""Read what installed distributions say of themselves: name, version, modules, requirements.

Stands in for `importlib.metadata`, which parses every file as an e-mail and costs seconds where
this costs a tenth of one.
"""

from __future__ import annotations

import json
import os
import re

from whence.engine.markers import Markers, normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_TOP = re.compile(rb'"?([^/,\n"]+)')
_WANTED = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA_ONLY = re.compile(r"""^\s*extra\s*==\s*['"]([^'"]+)['"]\s*$""")
_EXTRA = re.compile(r"""extra\s*[=!]=\s*['"]([^'"]+)['"]""")
_MAPPING = re.compile(r"^MAPPING[^=\n]*=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)

#: Parts of a wheel's RECORD that are no modules.
_NO_MODULES = {"..", ".", "__pycache__", "bin", "share", "include", "etc", "man"}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def module_of_file(name: str) -> str | None:
    """The module that a file or folder of this name would be, None where it would be none."""
    stem, dot, rest = name.partition(".")
    if not stem.isidentifier():
        return None
    if not dot:
        return stem
    return stem if rest in ("py", "pyd", "so") or rest.endswith((".so", ".pyd")) else None


def tops_of_record(record: bytes) -> list[str]:
    """Top-level modules among the installed files."""
    found: set[bytes] = set()
    lead = b""
    for line in record.split(b"\n"):
        # Files of one folder follow each other, thousands of them in all.
        if not (lead and line.startswith(lead)) and (match := _TOP.match(line)):
            found.add(match[1])
            lead = line[: match.end()] + b"/"
    tops = set()
    for name in map(os.fsdecode, found):
        if name not in _NO_MODULES and (top := module_of_file(name)):
            tops.add(top)
    return sorted(tops)


def packages_of_record(record: bytes, top: str) -> list[str]:
    """Dotted prefixes under `top` that this distribution alone provides.

    Used where several distributions share one top-level (namespace packages): the shallowest
    folders with an `__init__.py`, and modules that lie beside none.
    """
    paths = [
        line.split(",", 1)[0].strip('"')
        for line in os.fsdecode(record).splitlines()
        if line.startswith((top + "/", '"' + top + "/"))
    ]
    regular = {path.rsplit("/", 1)[0] for path in paths if path.endswith("/__init__.py")}
    prefixes = set()
    for path in paths:
        folder, _, file = path.rpartition("/")
        parts = folder.split("/")
        within = next(
            (at for n in range(1, len(parts) + 1) if (at := "/".join(parts[:n])) in regular), None
        )
        if within is not None:
            prefixes.add(within.replace("/", "."))
        elif "__pycache__" not in parts and (module := module_of_file(file)) and "." in file:
            prefixes.add(f"{folder}/{module}".replace("/", "."))
    return sorted(prefixes)


def requirements(lines: Iterable[str], markers: Markers) -> dict[str, list[list[Any]]]:
    """Extra ("" for none) -> [[name, [extras asked for]], ...]."""
    out: dict[str, list[list[Any]]] = {}
    for line in lines:
        spec, _, marker = line.partition(";")
        wanted = _WANTED.match(spec)
        if wanted is None:
            continue
        asked = sorted(normalise(x.strip()) for x in (wanted[2] or "").split(",") if x.strip())
        entry = [normalise(wanted[1]), asked]
        if not marker.strip():
            out.setdefault("", []).append(entry)
        elif only := _EXTRA_ONLY.match(marker):
            out.setdefault(normalise(only[1]), []).append(entry)
        else:
            for extra in ["", *sorted(set(_EXTRA.findall(marker)))]:
                if markers.holds(marker.strip(), extra):
                    out.setdefault(normalise(extra) if extra else "", []).append(entry)
    return out


def _header(data: bytes) -> dict[str, list[str]]:
    """The fields that count of what a distribution says of itself; what follows is its README."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    fields: dict[str, list[str]] = {"name": [], "version": [], "requires-dist": []}
    for line in data.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(":")
        if (found := fields.get(key.lower())) is not None and (value := value.strip()):
            found.append(value)
    return fields


def read_distribution(folder: str, entry: str, markers: Markers) -> dict[str, Any] | None:
    """One `*.dist-info` or `*.egg-info` as plain values, None where it names nothing.

    Keys: name, version, tops, requires; for installs from a path also `roots`, the files and
    folders by whose content it counts.
    """
    path = os.path.join(folder, entry)
    is_wheel = entry.endswith(".dist-info")
    if is_wheel:
        about = os.path.join(path, "METADATA")
    else:
        about = os.path.join(path, "PKG-INFO") if os.path.isdir(path) else path
    fields = _header(_bytes(about))
    if not fields["name"]:
        return None
    record = _bytes(os.path.join(path, "RECORD")) if is_wheel else b""
    tops = tops_of_record(record)
    if not tops:
        tops = [t for t in _text(os.path.join(path, "top_level.txt")).split() if t.isidentifier()]
    out: dict[str, Any] = {
        "name": normalise(fields["name"][0]),
        "version": fields["version"][0] if fields["version"] else "",
        "tops": tops,
        "requires": requirements(fields["requires-dist"], markers),
        "info": path,
    }
    origin = _text(os.path.join(path, "direct_url.json")) if is_wheel else ""
    if origin:
        _add_origin(out, folder, record, json.loads(origin))
    elif not is_wheel and not folder.endswith(("site-packages", "dist-packages")):
        # `setup.py develop`: the egg-info lies beside the sources.
        out["roots"] = importable_roots([folder], tops)
    return out


def _add_origin(out: dict[str, Any], folder: str, record: bytes, origin: dict[str, Any]) -> None:
    url = str(origin.get("url", ""))
    vcs, archive = origin.get("vcs_info"), origin.get("archive_info")
    if vcs:
        # Two commits of one version differ in code: only the commit tells them apart.
        out["version"] += f" ({vcs.get('vcs', 'vcs')} {vcs.get('commit_id', url)})"
    elif archive is not None and not url.startswith("file:"):
        out["version"] += f" ({archive.get('hash') or archive.get('hashes') or url})"
    elif url.startswith("file:"):
        from urllib.parse import unquote, urlparse

        source = unquote(urlparse(url).path)
        out["source"] = source
        if (origin.get("dir_info") or {}).get("editable"):
            out["roots"] = _editable_roots(out, folder, record, source)
        else:
            out["roots"] = [
                os.path.join(folder, line.split(",", 1)[0].strip('"'))
                for line in os.fsdecode(record).splitlines()
                if ".dist-info/" not in line and not line.startswith("..") and ".pyc," not in line
            ]


def _editable_roots(out: dict[str, Any], folder: str, record: bytes, source: str) -> list[str]:
    files = [line.split(",", 1)[0].strip('"') for line in os.fsdecode(record).splitlines()]
    search: list[str] = []
    roots: list[str] = []
    tops: set[str] = set()
    for file in files:
        if file.endswith(".pth"):
            for line in _text(os.path.join(folder, file)).splitlines():
                where = os.path.join(folder, line.strip())
                if line.strip() and not line.startswith(("import ", "import\t", "#")):
                    search.append(where)
        elif re.search(r"_?_editable_.*\.py$", file):
            # setuptools writes the map of its finder as a literal.
            for literal in _MAPPING.findall(_text(os.path.join(folder, file))):
                import ast

                try:
                    mapping = ast.literal_eval(literal)
                except (ValueError, SyntaxError):
                    continue
                for module, where in mapping.items():
                    tops.add(str(module).partition(".")[0])
                    found = [str(where)] if os.path.exists(str(where)) else [f"{where}.py"]
                    roots.extend(found)
    if not search and not roots:
        inner = os.path.join(source, "src")
        search = [inner if os.path.isdir(inner) else source]
    named = [top for top in out["tops"] if not top.startswith("__editable__")]
    named = [top for top in named if "editable" not in top]
    wanted = named or None
    roots.extend(importable_roots(search, wanted))
    tops.update(named)
    if not named:
        tops.update(top for root in roots if (top := module_of_file(os.path.basename(root))))
    out["tops"] = sorted(tops)
    return sorted(set(roots))


def importable_roots(folders: Iterable[str], tops: list[str] | None) -> list[str]:
    """Files and folders in `folders` that are modules, or those of them named in `tops`."""
    roots = []
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            top, path = module_of_file(name), os.path.join(folder, name)
            if top is None or top == "__pycache__" or (tops is not None and top not in tops):
                continue
            if "." not in name and not os.path.isdir(path):
                continue
            roots.append(path)
    return roots
