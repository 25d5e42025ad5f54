"""A project's tree holds its code and package data, and nothing else; copies are exact."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from whence.engine.snapshot import (
    Tree,
    TreeMoved,
    link_data,
    materialise,
    module_of,
    prune,
    python_roots,
    scan_tree,
    store_tree,
)
from whence.engine.stats import StatCache
from whence.store.catalog import Catalog, open_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(open_catalog(str(tmp_path / "state" / "catalog.db"))) as opened:
        yield opened


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root, "pyproject.toml", "[tool.whence]\n")
    write(root, "prep/__init__.py", "")
    write(root, "prep/helpers.py", "X = 1\n")
    write(root, "prep/words/list.txt", "a b c")
    write(root, "data/big.csv", "1,2\n")
    write(root, ".env", "SECRET=1")
    write(root, "prep/.env.local", "SECRET=1")
    return root


def write(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


@pytest.mark.parametrize("with_git", [True, False])
def test_a_tree_is_code_and_package_data(project: Path, with_git: bool) -> None:
    if with_git:
        git(project, "init", "-q")
    tree = scan_tree(project, StatCache())
    assert list(tree.files) == [
        "prep/__init__.py", "prep/helpers.py", "prep/words/list.txt", "pyproject.toml",
    ]  # fmt: skip


def test_what_git_ignores_or_lost_is_left_out(project: Path) -> None:
    git(project, "init", "-q")
    write(project, ".gitignore", "generated.py\n")
    write(project, "prep/generated.py", "")
    write(project, "prep/gone.py", "")
    git(project, "add", "-A")
    (project / "prep/gone.py").unlink()
    native = write(project, "prep/fast.cpython-311-x86_64-linux-gnu.so", "elf")
    (project / ".gitignore").write_text("generated.py\n*.so\n")
    tree = scan_tree(project, StatCache())
    assert "prep/generated.py" not in tree.files
    assert "prep/gone.py" not in tree.files
    assert f"prep/{native.name}" in tree.files  # built code is ignored by git, and still code
    assert ".gitignore" in tree.directories


def test_a_package_named_build_counts(project: Path) -> None:
    write(project, "prep/build/__init__.py", "")
    write(project, "dist/left.py", "")
    tree = scan_tree(project, StatCache())
    assert "prep/build/__init__.py" in tree.files
    assert "dist/left.py" not in tree.files


def test_large_files_and_links_out_are_listed(project: Path, tmp_path: Path) -> None:
    (project / "prep/model.bin").write_bytes(b"0" * 5_000_001)
    (tmp_path / "outside.py").write_text("")
    (project / "prep/out.py").symlink_to(tmp_path / "outside.py")
    (project / "prep/alias.py").symlink_to(project / "prep/helpers.py")
    tree = scan_tree(project, StatCache())
    assert tree.skipped == [
        ("prep/model.bin", "5.0 MB, over 5 MB"),
        ("prep/out.py", "a link to outside the project"),
    ]
    assert tree.files["prep/alias.py"] == tree.files["prep/helpers.py"]


def test_excluded_patterns_are_left_out(project: Path) -> None:
    tree = scan_tree(project, StatCache(), exclude=["prep/words/*.txt"])
    assert "prep/words/list.txt" not in tree.files


def test_a_new_empty_folder_is_watched(project: Path) -> None:
    git(project, "init", "-q")
    (project / "new" / "inner").mkdir(parents=True)
    assert {".", "new", "new/inner", "prep"} <= set(scan_tree(project, StatCache()).directories)


def test_a_copy_is_exact_and_shared(project: Path, catalog: Catalog, tmp_path: Path) -> None:
    odd = os.fsdecode(b"prep/caf\xe9.txt")
    write(project, odd, "not UTF-8")
    tree = scan_tree(project, StatCache())
    digest = store_tree(tree, project, catalog)
    assert store_tree(tree, project, catalog) == digest == tree.digest
    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(lambda _: materialise(digest, catalog, tmp_path / "s"), range(8)))
    (copy,) = copies
    assert Tree.from_text(tree.to_text()).files == scan_tree(copy, StatCache(), git=False).files
    assert [p.name for p in (tmp_path / "s").iterdir()] == [copy.name]


def test_an_edit_after_the_scan_is_refused(project: Path, catalog: Catalog) -> None:
    tree = scan_tree(project, StatCache())
    write(project, "prep/helpers.py", "X = 2\n")
    with pytest.raises(TreeMoved, match=r"prep/helpers\.py changed"):
        store_tree(tree, project, catalog)


def test_left_over_temporaries_are_swept(project: Path, catalog: Catalog, tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    left = tmp_path / "s" / f".tmp-{child.pid}-x"
    left.mkdir(parents=True)
    materialise(store_tree(scan_tree(project, StatCache()), project, catalog), catalog, left.parent)
    assert not left.exists()


def test_prune_keeps_the_newest_and_those_in_use(tmp_path: Path) -> None:
    for n in range(5):
        folder = tmp_path / f"t{n}"
        folder.mkdir()
        os.utime(folder, (n + 1, n + 1))
    (tmp_path / "used").mkdir()
    assert sorted(prune(tmp_path, keep=2)) == ["t0", "t1", "t2", "t3"]
    assert prune(tmp_path, keep=0) == ["t4"]  # "used" may belong to a running build


def test_data_beside_code_is_linked_but_no_module(
    project: Path, catalog: Catalog, tmp_path: Path
) -> None:
    copy = materialise(
        store_tree(scan_tree(project, StatCache()), project, catalog), catalog, tmp_path / "s"
    )
    write(project, "prep/late.py", "")
    link_data(copy, project)
    assert (copy / "data/big.csv").read_text() == "1,2\n"
    assert not (copy / "prep/late.py").exists()
    assert not (copy / ".env").exists()


def test_names_of_modules() -> None:
    assert module_of("pipeline.py", ["."]) == ("pipeline", False)
    assert module_of("src/prep/__init__.py", ["src"]) == ("prep", True)
    assert module_of("src/prep/fast.cpython-311-darwin.so", ["src"]) == ("prep.fast", False)
    assert module_of("tests/test_x.py", ["src"]) is None
    assert module_of("a-b/c.py", ["."]) is None


def test_roots(project: Path) -> None:
    assert python_roots(project) == ["."]
    (project / "src").mkdir()
    assert python_roots(project) == ["src"]
    assert python_roots(project, ["lib"]) == ["lib"]
