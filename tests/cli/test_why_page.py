"""The page of `whence why`: whole, self-contained, and with every fact of the answer on it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest
from tests.cli.why_samples import SAMPLES, document

from whence.cli.drawing.why_charts import Scale
from whence.cli.drawing.why_page import html
from whence.cli.drawing.why_reading import Reading, short

BLAMING = [name for name, made in SAMPLES.items() if made().causes]


def page(name: str) -> ET.Element:
    """The page of a sample, parsed as XML: what is not closed or not escaped is an error."""
    text = html(document(name))
    assert text.startswith("<!DOCTYPE html>\n")
    return ET.fromstring(text.partition("\n")[2])


def said(root: ET.Element) -> str:
    """All text on a page but its style sheet, on one line."""
    body = root.find("body")
    assert body is not None
    return " ".join("".join(body.itertext()).split())


def of_class(root: ET.Element, kind: str) -> list[ET.Element]:
    return [e for e in root.iter() if kind in e.get("class", "").split()]


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_comes_from_elsewhere_and_nothing_runs(name: str) -> None:
    text = html(document(name))
    assert not re.search(r"https?:|//[a-z]|@import|url\(|@font-face", text)
    tags = {element.tag for element in page(name).iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "form"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sentence_is_the_heading(name: str) -> None:
    headings = ["".join(h.itertext()) for h in page(name).iter("h1")]
    assert headings == [document(name)["why"]["sentence"]]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_change_note_and_command_is_on_the_page(name: str) -> None:
    why, text = document(name)["why"], said(page(name))
    wanted = [short(change["id"]) for change in why["changes"]]
    wanted += [change[key] for change in why["changes"] for key in ("before", "after", "reason")]
    for each in [*wanted, *why["notes"], *why["next"]]:
        assert each in text


@pytest.mark.parametrize("name", BLAMING)
def test_each_cause_has_a_card_with_its_mixes_and_what_undoes_it(name: str) -> None:
    reading, cards = Reading(document(name)), of_class(page(name), "card")
    assert len(cards) == len(reading.causes)
    for card, cause in zip(cards, reading.causes, strict=True):
        text = said_in(card)
        for wanted in (*map(short, cause["changes"]), reading.figures(cause)):
            assert wanted in text
        for check in reading.checks(cause):
            assert check.text in text
        values = [v for cell in cause["table"] for v in cell["values"].values()]
        assert len(of_class(card, "dot")) == sum(v is not None for v in values)
        assert text.count("crashes") >= sum(bool(cell["error"]) for cell in cause["table"])
        for found in cause["refinements"]:
            for wanted in (*found["lines"], *found["columns"], found["partition"], found["note"]):
                assert wanted in text
            for line in found["text"].splitlines():
                assert " ".join(line.split()) in text


def said_in(element: ET.Element) -> str:
    return " ".join(" ".join("".join(element.itertext()).split()).split())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_picture_can_be_read_out(name: str) -> None:
    root = page(name)
    for svg in root.iter("svg"):
        if svg.get("aria-hidden"):
            continue
        assert svg.get("role") == "img" and svg.get("aria-label")
        assert svg.find("title") is not None
    for figure in root.iter("figure"):
        caption = figure.find("figcaption")
        assert caption is not None and caption.findtext("h2")


@pytest.mark.parametrize("name", ["noise", "unchanged"])
def test_nobody_is_blamed_for_noise(name: str) -> None:
    root = page(name)
    assert (
        not of_class(root, "card") and not of_class(root, "is-cause") and not of_class(root, "hot")
    )
    assert "From baseline to candidate" not in said(root)
    assert len(of_class(root, "bandbar")) == 2


@pytest.mark.parametrize("name", SAMPLES)
def test_the_waterfall_leads_from_one_build_to_the_other(name: str) -> None:
    reading = Reading(document(name))
    if not reading.has_sides:
        assert "The candidate (b4) crashes." in said(page(name))
        return
    steps = reading.steps()
    assert steps[0].end == reading.before["band"]["mean"]
    for one, two in pairwise(steps):
        assert two.start == pytest.approx(one.end, abs=1e-9)
    assert steps[-1].end == reading.after["band"]["mean"]


def test_a_remainder_is_a_bar_of_its_own() -> None:
    for name in ("masked", "unexplained", "out_of_budget"):
        assert [s for s in Reading(document(name)).steps() if s.kind == "remainder"]
        assert len(of_class(page(name), "rest")) == 1
    assert not of_class(page("single"), "rest")


def test_a_share_that_two_causes_hold_is_not_drawn_twice() -> None:
    given: Any = document("pair")
    first = given["why"]["causes"][0]
    given["why"]["causes"].append({**first, "kind": "cause", "share": 0.3})
    shared = [step for step in Reading(given).steps() if step.kind == "shared"]
    assert len(shared) == 1
    assert shared[0].share == pytest.approx(-0.3, abs=0.01)
    assert "counted in two causes" in html(given)


def test_the_matrix_tells_what_two_do_beyond_both() -> None:
    cells = [
        "".join(cell.itertext())
        for box in of_class(page("pair"), "matrix")
        for cell in box.iter("td")
        if not cell.get("aria-hidden")
    ]
    assert cells == ["−0.001", "−0.090", "−0.001"]
    assert not of_class(page("single"), "matrix")


def test_an_improver_is_not_coloured_as_a_fault() -> None:
    root = page("masked")
    assert len(of_class(root, "is-cause")) == len(of_class(root, "is-good")) == 1
    assert [e.findtext("text") for e in of_class(root, "improver") if e.tag == "g"] == ["model"]


def test_what_users_write_cannot_leave_its_place() -> None:
    given = document("single")
    evil = '</style><script>alert("1")</script>&'
    given["why"]["sentence"] = given["why"]["metric"] = evil
    given["why"]["notes"] = given["why"]["next"] = [evil]
    given["why"]["changes"][0]["before"] = given["why"]["changes"][0]["reason"] = evil
    refinement = given["why"]["causes"][0]["refinements"][0]
    refinement["text"], refinement["sample"] = evil, [{evil: {"before": evil, "after": None}}]
    given["why"]["nodes"][evil] = []
    text = html(given)
    assert "<script" not in text
    root = ET.fromstring(text.partition("\n")[2])
    assert said(root).count("alert") > 5


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.73, 0.83, ["0.74", "0.76", "0.78", "0.80", "0.82"]),
        (-3.0, 3.0, ["-2", "0", "2"]),
        (18000.0, 21000.0, ["18000", "19000", "20000", "21000"]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[str]) -> None:
    assert set(ticks) <= set(Scale(low, high).ticks())


def test_a_scale_of_one_value_has_room_around_it() -> None:
    for value in (0.0, 0.8241, -5.0):
        scale = Scale.of([value])
        assert scale.low < value < scale.high
        assert scale.at(value) == "50.00%"


def test_reverting_one_may_leave_less_than_the_baseline_had() -> None:
    given: Any = document("pair")
    cause = given["why"]["causes"][0]
    one, two = cause["reverted_one"]
    cause["reverted_one"][one] = {"mean": 0.9, "low": 0.9, "high": 0.9}
    reading = Reading(given)
    assert reading.checks(cause) == [("reverting either one undoes it: 0.900 and 0.824", True)]
    cause["reverted_one"][one] = {"mean": 0.76, "low": 0.76, "high": 0.76}
    assert reading.checks(cause) == [
        ("reverting prep.fill_missing gives 0.760", False),
        ("reverting flights restores 0.824", True),
        ("reverting both restores 0.824", True),
    ]
    assert two == "source:flights"
