"""Figures: pictures that people look at, as PNG, SVG or HTML."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.artifact import blob_digest, content_digest
from whence.store.encoded import encoded_bytes
from whence.store.formats.archive import pack_archive, unpack_archive
from whence.store.formats.faults import WrongForm

if TYPE_CHECKING:
    from whence.store.artifact import Artifact
    from whence.store.formats.codec import Reading, Writing


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture; at least one of its spellings is there.

    Parameters
    ----------
    png : bytes, optional
    svg : bytes, optional
        In UTF-8.
    html : bytes, optional
        A page or fragment, in UTF-8.
    """

    png: bytes | None = None
    svg: bytes | None = None
    html: bytes | None = None

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """What a notebook shows."""
        spelled = {"text/html": self.html, "image/svg+xml": self.svg}
        bundle: dict[str, Any] = {mime: d.decode() for mime, d in spelled.items() if d}
        if self.png is not None:
            bundle["image/png"] = self.png
        return bundle


class FigureCodec:
    """Matplotlib figures and axes, Plotly, Altair, and what has to_html or _repr_html_."""

    name = "figure"

    def encode(self, value: Any, writing: Writing) -> Artifact:
        figure = to_figure(value, writing.node)
        spelled = {"figure.png": figure.png, "figure.svg": figure.svg, "figure.html": figure.html}
        members = {name: data for name, data in spelled.items() if data is not None}
        parts = [part for name, data in members.items() for part in (name, blob_digest(data))]
        kinds: list[Any] = [name.partition(".")[2] for name in members]
        return writing.store(
            "figure",
            pack_archive(members),
            encoding="zip",
            digest=content_digest("figure", *parts),
            summary={"type": "figure", "kinds": kinds},
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        if form is not None:
            raise WrongForm.of("figure", form)
        members = unpack_archive(encoded_bytes(artifact, reading.blobs))
        return Figure(
            members.get("figure.png"), members.get("figure.svg"), members.get("figure.html")
        )


def to_figure(value: Any, node: str) -> Figure:
    """`value` drawn, without anything that differs between two drawings of the same."""
    if isinstance(value, Figure):
        if value.png is None and value.svg is None and value.html is None:
            raise ValueFault(
                f"Node '{node}' returned an empty Figure.", "give it png, svg or html."
            )
        return value
    tops = {(base.__module__.partition(".")[0], base.__name__) for base in type(value).__mro__}
    if ("matplotlib", "Axes") in tops:
        value = value.figure
    if any(top == "matplotlib" for top, _ in tops):
        return _draw_matplotlib(value)
    if ("plotly", "BaseFigure") in tops:
        # The page holds its own copy of the library, so that it shows without a network.
        html = value.to_html(div_id="figure", include_plotlyjs=True)
    elif ("pandas", "Styler") in tops:
        html = value.set_uuid("figure").to_html()
    elif hasattr(value, "to_html"):
        html = value.to_html()
    else:
        html = value._repr_html_()
    if not isinstance(html, str):
        raise ValueFault(
            f"The HTML of the {type(value).__name__} returned by node '{node}' is a "
            f"{type(html).__name__}, not text.",
            "return the picture in another form, or register a format.",
        )
    return Figure(html=html.encode("utf-8", "surrogatepass"))


def _draw_matplotlib(figure: Any) -> Figure:
    import matplotlib as mpl

    png, svg = io.BytesIO(), io.BytesIO()
    # A fixed salt and no dates: ids and metadata must not differ between two drawings.
    with mpl.rc_context({"svg.hashsalt": "whence", "svg.fonttype": "path"}):
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(png.getvalue(), svg.getvalue())
