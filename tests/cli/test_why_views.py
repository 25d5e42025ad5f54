"""The answer of `whence why` as people see it: on a terminal, in a comment, as a page."""

from __future__ import annotations

import html
import io
import re
import xml.etree.ElementTree as ET

import pytest
from tests.cli.support import check_golden, validate
from tests.cli.why_samples import SAMPLES, document

from whence.cli.drawing import why
from whence.cli.output import console

EVERY = pytest.mark.parametrize("name", SAMPLES)


def on_terminal(name: str, width: int) -> str:
    """What a terminal of `width` columns shows, without the padding at the ends of lines."""
    out = io.StringIO()
    shown = console(out)
    shown.width = width
    shown.print(why.view(document(name)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def squeezed(text: str) -> str:
    """Text without white space: what was broken over lines is whole again."""
    return re.sub(r"\s", "", text)


@EVERY
def test_the_document_is_what_the_schema_says(name: str) -> None:
    validate("why", document(name))


@EVERY
def test_the_explanation_itself_can_be_drawn_without_a_way_through_json(name: str) -> None:
    made = {"why": SAMPLES[name]().to_json()}
    assert why.markdown(made) == why.markdown(document(name))
    assert why.html(made) == why.html(document(name))


# -- terminal ---------------------------------------------------------------------------------


@EVERY
def test_terminal(name: str) -> None:
    check_golden(f"why_{name}", on_terminal(name, 80))


@pytest.mark.parametrize("width", [80, 120])
@EVERY
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(len, on_terminal(name, width).splitlines())) <= width


@EVERY
def test_the_terminal_names_causes_places_notes_and_commands(name: str) -> None:
    found, text = document(name)["why"], squeezed(on_terminal(name, 80).replace(" \\\n", " "))
    assert text.startswith(squeezed(found["sentence"]))
    for cause in found["causes"]:
        for change in cause["changes"]:
            assert squeezed(change.partition(":")[2]) in text
        for inside in cause["refinements"]:
            for part in (*inside["columns"], *inside["lines"], inside["partition"]):
                assert squeezed(part) in text
            assert all(squeezed(line) in text for line in inside["text"].splitlines())
    for said in (*found["notes"], *found["next"]):
        assert squeezed(said) in text


@pytest.mark.parametrize("name", ["unexplained", "out_of_budget", "masked", "pair"])
def test_a_remainder_is_never_hidden(name: str) -> None:
    assert "unexplained remainder" in " ".join(on_terminal(name, 80).split())
    assert "unexplained remainder" in why.markdown(document(name))
    assert "unexplained remainder" in why.html(document(name))


# -- comment ----------------------------------------------------------------------------------


@EVERY
def test_markdown(name: str) -> None:
    check_golden(f"why_{name}_markdown", why.markdown(document(name)) + "\n")


@EVERY
def test_tables_and_folds_of_the_comment_are_whole(name: str) -> None:
    text = why.markdown(document(name))
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_names_from_a_project_cannot_break_the_comment() -> None:
    made = document("pair")
    text = "a|b `c` <details> [x](y)\n# no heading"
    made["why"]["notes"] = [text]
    made["why"]["causes"][0]["refinements"][1]["partition"] = text
    made["why"]["causes"][0]["refinements"][0]["text"] = "+ a = '''\n+ ```\n+ </details>"
    said = why.markdown(made)
    assert r"a\|b \`c\` \<details\> \[x\](y) \# no heading" in said
    assert "````diff\n+ a = '''\n+ ```\n+ </details>\n````" in said
    assert not re.search(r"^# no", said, re.MULTILINE)


# -- page -------------------------------------------------------------------------------------


def page(name: str) -> tuple[str, ET.Element]:
    """The page of a sample, and its tree: it is well-formed as XML, too."""
    text = why.html(document(name))
    doctype, _, rest = text.partition("\n")
    assert doctype == "<!DOCTYPE html>"
    return text, ET.fromstring(rest)


@EVERY
def test_the_page_is_whole_and_needs_nothing_else(name: str) -> None:
    text, root = page(name)
    for element in root.iter():
        assert element.tag not in ("script", "link", "img", "iframe", "object")
        assert not {"src", "href", "srcset", "onload", "onclick"} & set(element.attrib)
    assert "url(" not in text and "@import" not in text and "http" not in text


@EVERY
def test_the_page_says_it_all(name: str) -> None:
    found, (_, root) = document(name)["why"], page(name)
    text = squeezed("".join(root.find("body").itertext()))  # type: ignore[union-attr]
    assert squeezed(found["sentence"]) in text
    for change in found["changes"]:
        assert squeezed(change["name"]) in text
        assert squeezed(change["reason"]) in text
    for cause in found["causes"]:
        for inside in cause["refinements"]:
            assert all(squeezed(line) in text for line in inside["text"].splitlines())
            for row in inside["sample"]:
                assert all(squeezed(column) in text for column in row)
    for said in (*found["notes"], *found["next"], *found["nodes"]):
        assert squeezed(said) in text


@EVERY
def test_every_picture_has_words(name: str) -> None:
    _, root = page(name)
    for svg in root.iter("svg"):
        if svg.get("aria-hidden") != "true":
            assert svg.get("role") == "img" and svg.get("aria-label")


@EVERY
def test_no_picture_has_a_place_that_is_no_number(name: str) -> None:
    _, root = page(name)
    for element in root.iter():
        for value in element.attrib.values():
            assert not re.search(r"\b(nan|inf|None)\b", value), ET.tostring(element)


def test_the_page_has_a_theme_for_light_and_for_dark() -> None:
    text, _ = page("pair")
    assert "prefers-color-scheme" in text and 'data-theme="dark"' in text


def test_names_from_a_project_cannot_break_the_page() -> None:
    made = document("pair")
    evil = '</style><script>alert("1")</script>&amp;'
    made["why"]["metric"] = made["why"]["notes"][0] = evil
    made["why"]["causes"][0]["refinements"][0]["text"] = evil
    made["why"]["causes"][0]["refinements"][1]["sample"][0] = {evil: evil}
    root = ET.fromstring(why.html(made).partition("\n")[2])
    assert not list(root.iter("script"))
    assert html.escape(evil) in why.html(made)
