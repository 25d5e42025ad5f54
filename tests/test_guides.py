"""Code that a page shows from a project is the code of that project."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WITHIN = re.compile(r"<!-- run in: (\S+) -->")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
    if "docs/guide/projects" in "".join(WITHIN.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_its_projects_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = WITHIN.search(text)
    assert found is not None
    code = [file.read_text(encoding="utf-8") for file in (ROOT / found[1]).glob("*.py")]
    for block in PYTHON.findall(text):
        for piece in block.strip("\n").split("\n\n\n"):
            assert any(piece in whole for whole in code), f"{page.name} shows:\n{piece}"
