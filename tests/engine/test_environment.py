"""Which distributions a set of imports reaches, and when that has to be looked up again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from whence.engine.environment import Environment, interpreter
from whence.engine.stats import StatCache


class Site:
    """A folder of `sys.path` with distributions made up for a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        name: str,
        version: str = "1.0",
        files: tuple[str, ...] = (),
        requires: tuple[str, ...] = (),
        origin: dict[str, object] | None = None,
    ) -> Path:
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
        (info / "METADATA").write_text("\n".join(lines) + "\n\nName: not-a-header\n")
        for file in files:
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            if not (self.path / file).exists():
                (self.path / file).write_text("")
        records = [*files, f"{info.name}/METADATA", "../../bin/tool"]
        (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in records))
        if origin is not None:
            (info / "direct_url.json").write_text(json.dumps(origin))
        return info


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site-packages")


def scan(*paths: Path, root: Path | None = None) -> Environment:
    roots = [str(root)] if root else []
    return Environment.scan([str(p) for p in paths], project_root=root, project_roots=roots)


def test_requirements_count_transitively_where_they_hold(site: Site) -> None:
    site.add("Top_Level", files=("top/__init__.py",), requires=(
        "middle[fast] (>=1)", "Nowhere", "old; python_version < '3'", "dev ; extra == 'dev'",
        "both; python_version > '3' and extra == 'dev'",
    ))  # fmt: skip
    site.add("middle", "2.0", ("middle.py",), ("deep", "speed; extra == 'fast'"))
    for name in ("deep", "speed", "old", "dev", "both"):
        site.add(name, files=(f"{name}.py",))
    assert scan(site.path).distributions_of(["top.sub"]) == {
        "top-level": "1.0", "middle": "2.0", "deep": "1.0", "speed": "1.0",
    }  # fmt: skip


def test_stdlib_whence_and_absent_modules(site: Site) -> None:
    environment = scan(site.path)
    assert environment.distributions_of(["os.path", "json", "whence.errors", "nope.x"]) == {
        "absent:nope": "absent"
    }
    assert environment.version_of("absent:nope") == "absent"
    site.add("nope", files=("nope.py",))
    assert scan(site.path).version_of("absent:nope") == "present"


def test_a_shared_top_level_is_told_apart_by_prefix(site: Site) -> None:
    site.add("ns-a", files=("ns/a/__init__.py", "ns/a/x.py"))
    site.add("ns-b", files=("ns/b/__init__.py", "ns/single.py"))
    environment = scan(site.path)
    assert set(environment.distributions_of(["ns.a.x"])) == {"ns-a"}
    assert set(environment.distributions_of(["ns.single"])) == {"ns-b"}
    assert set(environment.distributions_of(["ns"])) == {"ns-a", "ns-b"}
    assert set(environment.distributions_of(["ns.unknown"])) == {"ns-a", "ns-b"}


@pytest.mark.parametrize("layout", ["pth", "finder", "source"])
def test_an_editable_install_counts_by_content(site: Site, tmp_path: Path, layout: str) -> None:
    source = tmp_path / "mylib"
    package = source / ("src" if layout != "source" else "") / "mylib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("X = 1")
    origin: dict[str, object] = {"url": source.as_uri(), "dir_info": {"editable": True}}
    files: tuple[str, ...] = ()
    if layout == "pth":
        (site.path / "__editable__.mylib-1.0.pth").write_text(str(package.parent) + "\n")
        files = ("__editable__.mylib-1.0.pth",)
    elif layout == "finder":
        (site.path / "__editable___mylib_1_0_finder.py").write_text(
            f"from x import y\nMAPPING: dict[str, str] = {{'mylib': {str(package)!r}}}\n"
        )
        files = ("__editable___mylib_1_0_finder.py",)
    site.add("mylib", files=files, origin=origin)
    first = scan(site.path)
    before = first.distributions_of(["mylib"])["mylib"]
    assert before.startswith("1.0 content sha256:")
    assert str(package / "__init__.py") in first.watched_paths()
    (package / "__init__.py").write_text("X = 2")
    assert scan(site.path).distributions_of(["mylib"])["mylib"] != before


def test_a_path_install_counts_by_content(site: Site, tmp_path: Path) -> None:
    origin: dict[str, object] = {"url": (tmp_path / "lib").as_uri(), "dir_info": {}}
    site.add("lib", files=("lib/__init__.py",), origin=origin)
    before = scan(site.path).version_of("lib")
    (site.path / "lib/__init__.py").write_text("X = 2")
    assert scan(site.path).version_of("lib") != before


def test_a_commit_counts(site: Site) -> None:
    origin: dict[str, object] = {"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "ab"}}
    site.add("lib", files=("lib.py",), origin=origin)
    assert scan(site.path).lock() == {"lib": "1.0 (git ab)"}


def test_the_project_itself_is_no_distribution(site: Site, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "mine.py").write_text("")
    origin: dict[str, object] = {"url": root.as_uri(), "dir_info": {"editable": True}}
    site.add("mine", origin=origin)
    site.add("whence", files=("whence.py",))
    environment = scan(root, site.path, root=root)
    assert environment.lock() == {}
    assert environment.watched_paths() == [str(site.path)]


def test_loose_modules_count_by_content_with_what_they_import(site: Site, tmp_path: Path) -> None:
    site.add("dep", files=("dep.py",))
    loose = tmp_path / "loose"
    loose.mkdir()
    (loose / "tools.py").write_text("import dep\n")
    fast = loose / "fast.cpython-311-x86_64-linux-gnu.so"
    fast.write_bytes(b"elf")
    before = dict(scan(loose, site.path).distributions_of(["tools", "fast"]))
    assert set(before) == {"module:tools", "module:fast", "dep"}
    fast.write_bytes(b"elf2")
    after = scan(loose, site.path).distributions_of(["tools", "fast"])
    assert [k for k in before if before[k] != after[k]] == ["module:fast"]


def test_the_index_is_reused_until_something_is_installed(site: Site) -> None:
    site.add("one", files=("one.py",))
    past = 1_000_000_000
    os.utime(site.path, (past, past))
    first = Environment.open([str(site.path)])
    data = json.loads(json.dumps(first.to_json()))
    data["settled"] = True  # as it is two seconds later
    assert Environment.open([str(site.path)], cached=data).to_json() is data
    site.add("two", files=("two.py",))
    assert "two" in Environment.open([str(site.path)], cached=data).lock()


def test_this_interpreter() -> None:
    assert interpreter()["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = Environment.scan(sys.path, stats=StatCache()).distributions_of(["pytest"])
    assert {"pytest", "pluggy"} <= set(found)
