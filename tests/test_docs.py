"""Everything public is documented, and the docs' commands are found as a reader would find them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import whence
from whence.cli.app import VERBS
from whence.engine.config import KEYS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def names_in_code(page: str) -> set[str]:
    """The words that a page writes in `code` or in headings."""
    text = (DOCS / page).read_text(encoding="utf-8")
    marked = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {word for piece in [*marked, *blocks] for word in re.findall(r"[A-Za-z_]\w*", piece)}


@pytest.mark.parametrize("name", sorted(whence.__all__))
def test_every_public_name_is_in_the_api_page(name: str) -> None:
    assert name in names_in_code("api.md"), f"docs/api.md does not mention `{name}`"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_is_in_the_cli_page(verb: str) -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert f"whence {verb}" in text, f"docs/cli.md does not show `whence {verb}`"


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_setting_is_in_the_configuration_page(key: str) -> None:
    assert key in names_in_code("configuration.md"), f"docs/configuration.md lacks `{key}`"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page}: link to {target}"


@pytest.fixture
def check_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_docs", ROOT / "scripts" / "check_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_come_from_console_blocks_in_order(check_docs: ModuleType) -> None:
    page = "```console\n$ one\noutput\n$ two \\\n  more\n```\n```sh\n$ not this\n```\n"
    page += "```console\n$ three\n```\n"
    assert check_docs.commands(page) == ["one", "two \\\n  more", "three"]


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("true", ""),
        ("false", "exit code 1, not 0"),
        ("false  # exits 1", ""),
        ("true  # exits 1", "exit code 0, not 1"),
    ],
)
def test_a_command_must_exit_as_shown(
    check_docs: ModuleType, tmp_path: Path, line: str, trouble: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ cd /\n$ {line}\n```\n")
    found = check_docs.run_page(page)
    assert (trouble in found) if trouble else not found
