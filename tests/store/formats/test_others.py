"""Figures, directories, estimators, tensors, registered formats and pickles."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whence.errors import ValueFault
from whence.store.artifact import Artifact
from whence.store.blobs import LocalBlobs
from whence.store.formats import UnknownType, decode, encode, form_of, register_format
from whence.store.formats.figure import Figure
from whence.store.formats.registry import UserFormat

HERE = __name__


class Odd:
    """A type that no format takes."""

    def __init__(self, x: int) -> None:
        self.x = x


class Celsius:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


def read_celsius(data: bytes) -> Celsius:
    return Celsius(float(data))


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def back(value: object, blobs: LocalBlobs, form: str | None = None, **options: Any) -> Any:
    artifact, children = encode(value, blobs, node="n", **options)
    assert Artifact.from_json(artifact.to_json()) == artifact
    return decode(artifact, blobs, form, {child.digest: child for child in children}.__getitem__)


def draw(title: str = "t") -> Any:
    from matplotlib.figure import Figure as MplFigure

    figure = MplFigure(figsize=(2, 1))
    figure.add_subplot().plot([1, 3, 2])
    figure.suptitle(title)
    return figure


def test_matplotlib_figures_have_one_digest_per_picture(blobs: LocalBlobs) -> None:
    one, two, other = (encode(f, blobs, node="n")[0] for f in (draw(), draw(), draw("u")))
    assert one.digest == two.digest != other.digest
    figure: Any = decode(one, blobs)
    assert figure.png.startswith(b"\x89PNG") and b"<svg" in figure.svg and figure.html is None
    assert set(figure._repr_mimebundle_()) == {"image/png", "image/svg+xml"}
    assert encode(figure, blobs, node="n")[0].digest == one.digest
    assert encode(draw().axes[0], blobs, node="n")[0].digest == one.digest


class Page:
    def _repr_html_(self) -> str:
        return "<b>x</b>"


def test_html(blobs: LocalBlobs) -> None:
    assert back(Page(), blobs) == Figure(html=b"<b>x</b>")
    styled = back(pd.DataFrame({"a": [1]}).style, blobs)
    assert b"<table" in styled.html
    assert back(pd.DataFrame({"a": [1]}).style, blobs) == styled
    with pytest.raises(ValueFault, match="empty Figure"):
        back(Figure(), blobs)


def test_plotly(blobs: LocalBlobs) -> None:
    plotly = pytest.importorskip("plotly.graph_objects", reason="LOUD SKIP: plotly is not here")
    figures = [plotly.Figure(plotly.Scatter(x=[1], y=[2])) for _ in range(2)]
    one, two = (encode(figure, blobs, node="n")[0].digest for figure in figures)
    assert one == two


def make_tree(root: Path) -> Path:
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "sub" / "b.bin").write_bytes(b"b" * 50_000)
    return root


def test_directories_come_back_read_only(blobs: LocalBlobs, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "one")
    again = back(root, blobs)
    assert (again / "a.txt").read_text() == "a"
    assert (again / "sub" / "b.bin").read_bytes() == b"b" * 50_000
    assert (again / "sub" / "empty").is_dir()
    assert not (again / "a.txt").stat().st_mode & 0o222
    assert back(root, blobs, "pathlib.Path") == again  # made once
    first, children = encode(root, blobs, node="n")
    assert first.digest == encode(make_tree(tmp_path / "two"), blobs, node="n")[0].digest
    assert set(first.children) == {child.digest for child in children}
    (root / "a.txt").chmod(0o755)
    assert first.digest == encode(root, blobs, node="n")[0].digest
    (root / "a.txt").write_text("changed")
    assert first.digest != encode(root, blobs, node="n")[0].digest


def test_a_copy_that_somebody_changed_is_made_again(blobs: LocalBlobs, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "one")
    again = back(root, blobs)
    (again / "a.txt").chmod(0o644)
    (again / "a.txt").write_text("b")
    assert (back(root, blobs) / "a.txt").read_text() == "a"


def test_files_keep_their_name(blobs: LocalBlobs, tmp_path: Path) -> None:
    for name, size in (("small.csv", 3), ("big.csv", 30_000)):
        file = tmp_path / name
        file.write_bytes(b"x" * size)
        again = back(file, blobs)
        assert again.name == name and again.read_bytes() == file.read_bytes()
        assert back(file, blobs, "bytes") == file.read_bytes()


def test_links(blobs: LocalBlobs, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "one")
    (root / "link").symlink_to(root / "a.txt")
    again = back(root, blobs)
    assert (again / "link").read_text() == "a" and not (again / "link").is_symlink()
    (root / "loop").symlink_to(root)
    with pytest.raises(ValueFault, match="the link 'loop'"):
        back(root, blobs)
    with pytest.raises(ValueFault, match="where there is nothing"):
        back(tmp_path / "absent", blobs)
    (root / "loop").unlink()
    os.mkfifo(root / "pipe")
    with pytest.raises(ValueFault, match="'pipe', which is neither"):
        back(root, blobs)


def data() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    target = (frame["a"] + frame["b"] > 0).astype(int)
    frame["k"] = ["x", "y", "z"] * 100
    return frame, target


def models() -> dict[str, Any]:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    prepare = ColumnTransformer(
        [("n", StandardScaler(), ["a", "b", "c"]), ("k", OneHotEncoder(), ["k"])]
    )
    numbers = ColumnTransformer([("n", "passthrough", ["a", "b", "c"])])
    return {
        "logistic": make_pipeline(prepare, LogisticRegression()),
        "boosting": make_pipeline(numbers, HistGradientBoostingClassifier(random_state=0)),
        "forest": make_pipeline(numbers, RandomForestClassifier(10, random_state=0)),
    }


@pytest.mark.parametrize("name", ["logistic", "boosting", "forest"])
def test_estimators(name: str, blobs: LocalBlobs) -> None:
    frame, target = data()
    one, two = (models()[name].fit(frame.copy(), target.copy()) for _ in range(2))
    other = models()[name].fit(frame, 1 - target)
    digests = [encode(model, blobs, node="n")[0].digest for model in (one, two, other)]
    assert digests[0] == digests[1] != digests[2]
    again = back(one, blobs)
    np.testing.assert_array_equal(again.predict_proba(frame), one.predict_proba(frame))
    artifact = encode(again, blobs, node="n")[0]
    assert artifact.digest == digests[0] and not artifact.unsafe
    assert artifact.distributions == ("numpy", "sklearn") and artifact.code_refs == ()
    assert artifact.summary["type"] == "sklearn.pipeline.Pipeline"


def double(values: Any) -> Any:
    return values * 2


def test_estimators_of_the_project(blobs: LocalBlobs) -> None:
    from sklearn.preprocessing import FunctionTransformer

    model = FunctionTransformer(double)
    with pytest.raises(UnknownType, match="not trusted"):
        encode(model, blobs, node="n")
    artifact, _ = encode(model, blobs, node="n", is_project=lambda m: m == HERE)
    assert artifact.format == "skops" and artifact.code_refs == (f"{HERE}:double",)
    assert decode(artifact, blobs).transform(3) == 6  # type: ignore[attr-defined]


def test_what_skops_cannot_write_needs_leave_to_pickle(blobs: LocalBlobs) -> None:
    from sklearn.preprocessing import FunctionTransformer

    model = FunctionTransformer()
    model.extra = Odd(1)  # type: ignore[attr-defined]
    with pytest.raises(UnknownType, match="allow_pickle"):
        encode(model, blobs, node="n")
    artifact, _ = encode(model, blobs, node="n", allow_pickle=True)
    assert artifact.format == "pickle" and artifact.unsafe
    assert "sklearn" in artifact.distributions
    assert decode(artifact, blobs).extra.x == 1  # type: ignore[attr-defined]


def test_tensors(blobs: LocalBlobs) -> None:
    torch = pytest.importorskip("torch", reason="LOUD SKIP: torch has no wheel here")
    net = torch.nn.Linear(3, 2)
    state = net.state_dict()
    again = back(state, blobs)
    assert list(again) == ["bias", "weight"] and torch.equal(again["weight"], state["weight"])
    net.load_state_dict(again)
    artifact = encode(state, blobs, node="n")[0]
    assert artifact.digest == encode(again, blobs, node="n")[0].digest
    assert artifact.summary["size"] == 2 and not artifact.unsafe
    single = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    assert torch.equal(back(single, blobs), single)
    assert encode(single.T.contiguous().T, blobs, node="n")[0].digest == (
        encode(single, blobs, node="n")[0].digest
    )
    np.testing.assert_array_equal(back(torch.ones(2), blobs, "numpy.ndarray"), np.ones(2))
    shared = {"a": single, "b": single}
    assert torch.equal(back(shared, blobs)["b"], single)
    with pytest.raises(ValueFault, match="state_dict"):
        encode(net, blobs, node="n")
    with pytest.raises(ValueFault, match="sparse"):
        encode(torch.eye(2).to_sparse(), blobs, node="n")
    mixed = back({"w": state, "epoch": 3}, blobs)
    assert mixed["epoch"] == 3 and torch.equal(mixed["w"]["bias"], state["bias"])


def test_pickle_is_the_flagged_last_resort(blobs: LocalBlobs) -> None:
    with pytest.raises(UnknownType):
        encode(Odd(1), blobs, node="n")
    artifact, _ = encode(Odd(1), blobs, node="n", allow_pickle=True, is_project=lambda m: m == HERE)
    assert artifact.unsafe and artifact.code_refs == (f"{HERE}:Odd",)
    assert decode(artifact, blobs).x == 1  # type: ignore[attr-defined]
    parent, children = encode({"a": (Odd(1),)}, blobs, node="n", allow_pickle=True)
    assert parent.unsafe and len(children) == 1
    with pytest.raises(ValueFault, match="pickle cannot write"):
        encode(lambda: 1, blobs, node="n", allow_pickle=True)


def test_registered_formats(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    from whence.store.formats import registry

    monkeypatch.setattr(registry, "_REGISTRY", registry._Registry())

    def register(name: str = "celsius") -> None:
        register_format(
            Celsius,
            name=name,
            to_bytes=lambda c: repr(c.degrees).encode(),
            from_bytes=read_celsius,
            summarise=lambda c: {"value": c.degrees},
        )

    register()
    assert back(Celsius(1.5), blobs).degrees == 1.5
    artifact, _ = encode(Celsius(1.5), blobs, node="n", is_project=lambda m: m == HERE)
    assert artifact.format == "celsius" and artifact.summary == {"value": 1.5}
    assert artifact.code_refs == (f"{HERE}:Celsius", f"{HERE}:read_celsius")
    assert back({"t": [Celsius(2.0)]}, blobs)["t"][0].degrees == 2.0
    with pytest.raises(ValueFault, match="belongs to whence"):
        register("table")
    with pytest.raises(ValueFault, match="registered for"):
        register_format(Odd, name="celsius", to_bytes=bytes, from_bytes=Odd)  # type: ignore[arg-type]
    registry._REGISTRY.by_name.clear()
    with pytest.raises(ValueFault, match="no such format"):
        decode(artifact, blobs)
    registry._REGISTRY.by_name["celsius"] = UserFormat(
        "celsius", 2, Celsius, bytes, read_celsius, None
    )
    with pytest.raises(ValueFault, match="version 1; this project registers version 2"):
        decode(artifact, blobs)


FORMS = {
    "pd.DataFrame": "pandas.DataFrame",
    "'pd.DataFrame'": "pandas.DataFrame",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pl.DataFrame | None": "polars.DataFrame",
    "Optional[pl.LazyFrame]": "polars.LazyFrame",
    "typing.Annotated[pa.Table, 'x']": "pyarrow.Table",
    "np.ndarray[tuple[int], np.dtype[np.float64]]": "numpy.ndarray",
    "npt.NDArray[np.float64]": "numpy.ndarray",
    "ibis.Table": "ibis.Table",
    "ibis.expr.types.Table": "ibis.Table",
    "ir.Table": "ibis.Table",
    "duckdb.DuckDBPyRelation": "duckdb.DuckDBPyRelation",
    "Path": "pathlib.Path",
    "pathlib.Path": "pathlib.Path",
    "str": "str",
    "bytes": "bytes",
    "dict[str, pd.DataFrame]": None,
    "list[Path]": None,
    "pd.DataFrame | pl.DataFrame": None,
    "Table": None,
    "int": None,
    "": None,
}


@pytest.mark.parametrize("text", FORMS)
def test_forms_of_annotations(text: str) -> None:
    assert form_of(text) == FORMS[text]


def test_forms_of_types() -> None:
    import duckdb
    import ibis
    import polars as pl
    import pyarrow as pa

    kinds = [pd.DataFrame, pd.Series, pl.DataFrame, pl.LazyFrame, pa.Table, np.ndarray, Path, str]
    names = ["pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.LazyFrame"]
    names += ["pyarrow.Table", "numpy.ndarray", "pathlib.Path", "str"]
    assert [form_of(kind) for kind in kinds] == names
    assert form_of(duckdb.DuckDBPyRelation) == "duckdb.DuckDBPyRelation"
    assert form_of(ibis.Table) == "ibis.Table"
    assert form_of(pd.DataFrame | None) == "pandas.DataFrame"
    assert form_of(dict[str, int]) is None and form_of(int) is None and form_of(None) is None
    assert sys.version_info >= (3, 11)
