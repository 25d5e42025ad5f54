"""docs/api.md is what the docstrings say."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_api_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("api_docs", ROOT / "scripts" / "api_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert shown == module.page(), "run `python scripts/api_docs.py`"
