"""A project's metric on the rows before and since a moment: the two windows of a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from whence.engine.tasks import Key
from whence.store.artifact import Artifact
from whence.store.formats import decode
from whence.why.live.diagnose import diagnose
from whence.why.live.frame import numbers_of
from whence.why.live.metrics import NAMED, LiveError
from whence.why.live.worlds import TableWorlds

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.engine.project import Project
    from whence.graph.binding import Graph
    from whence.why.live.metrics import Floats, Metric
    from whence.why.live.verdict import LiveVerdict


def explain_live(
    project: Project,
    metric: str,
    *,
    since: str,
    until: str | None = None,
    table: str | None = None,
    time: str | None = None,
    label: str | None = None,
    features: Sequence[str] | None = None,
    measure: str | Metric | None = None,
    better: str | None = None,
    replayed: str | None = None,
    jobs: int | None = None,
    seed: int = 0,
) -> LiveVerdict:
    """Why a metric of the project is worse on the rows since a moment.

    The metric node's inputs are a model and a table of logged rows. The table's rows before
    `since` are the reference window, those from it on the current one. The model is called as a
    node, in worlds in which the table holds other rows: a node that makes scores of both, where
    there is one, else the model's stored value.

    Parameters
    ----------
    metric : str
        A metric node.
    since, until : str
        Moments as the time column spells them: "2026-10-01"; `until` is left out.
    table : str, optional
        The table node; found by itself if the metric has only one.
    time : str, optional
        The time column; found by itself if the table has only one.
    label : str, optional
        The column with the truth; found by itself where the metric's value tells.
    features : sequence of str, optional
        Columns that the model uses; by default those that it was fitted on.
    measure : str or callable, optional
        The metric as a function of label and score, see `diagnose`; found by its value otherwise.
    replayed : str, optional
        A node with the same rows as the table whose features were made again from raw inputs.
    jobs : int, optional
        Most workers at once.

    Raises
    ------
    LiveError
        If something cannot be found by itself, or a window is too small.
    WhenceError
        If the project cannot be read or the metric cannot be built.
    """
    import pyarrow as pa

    session = project.session()
    graph = session.graph
    graph.select([metric])  # raises where it is no node
    made = project.build([metric, *([replayed] if replayed else [])], jobs=jobs)
    if not made.ok:
        failed = next((task for task in made.tasks if task.status == "failed"), None)
        raise LiveError(
            f"'{metric}' cannot be built: {failed.label if failed else 'a node fails'}.",
            f"see `whence log {made.id}`.",
        )
    built = _outputs(project, made.id)
    table = table or _only_table(graph, metric, built)
    rows = _table(project, made.id, table)
    time = time or _only_time(rows, table)
    before, after = split_rows(rows, time, since, until)
    node = _score_node(graph, metric, table)
    fixed = _fixed(graph, [metric, *([node] if node else [])], table, node)
    worlds = TableWorlds(session, table, built, fixed, jobs or 1)
    try:
        model = None if node else _model(project, made.id, graph, metric, table, built)
        features = features or _features(model, rows, time, label)
        scorer = Scorer(worlds, node, model, tuple(features))
        value = float(worlds.value(metric, rows.filter(before)))
        label, measure = _measure_of(
            value, rows.filter(before), scorer.score, metric, time, label, measure, features
        )
        features = [name for name in features if name != label]
        scorer = replace(scorer, features=tuple(features))
        again = _replayed(project, made.id, replayed, rows.num_rows)
        verdict = diagnose(
            rows.filter(before),
            rows.filter(after),
            label=label,
            features=features,
            score=scorer.score,
            metric=measure,
            name=metric,
            better=better or _better(graph, metric),
            replayed=again.filter(after) if again is not None else None,
            seed=seed,
        )
    finally:
        worlds.close()
    if isinstance(again, pa.Table):
        verdict = replace(verdict, notes=(*verdict.notes, f"Replayed features: '{replayed}'."))
    how = f"node '{node}'" if node else "the model's stored value"
    note = f"Rows of '{table}' by '{time}' since {since}; label '{label}'; scored by {how}."
    return replace(verdict, notes=(note, *verdict.notes))


@dataclass(frozen=True)
class Scorer:
    """The real model: a node that makes scores, or the stored value of the model's node."""

    worlds: TableWorlds
    node: str | None
    model: Any
    features: tuple[str, ...]

    def score(self, rows: pa.Table) -> Floats:
        """One score a row."""
        import numpy as np

        if self.node is not None:
            found = self.worlds.value(self.node, rows)
        else:
            frame = rows.select(list(self.features)).to_pandas()
            predict = getattr(self.model, "predict_proba", None) or self.model.predict
            found = predict(frame)
        values = np.asarray(getattr(found, "to_numpy", lambda: found)(), dtype=np.float64)
        if values.ndim == 2 and values.shape[1] in (1, 2):
            values = values[:, -1]  # the second class is the positive one
        if values.shape != (rows.num_rows,):
            raise LiveError(
                f"'{self.node or 'the model'}' gives values of shape {values.shape}"
                f" for {rows.num_rows:,} rows.",
                "let a node return one score a row of the table, in its order.",
            )
        return values


def split_rows(rows: pa.Table, time: str, since: str, until: str | None) -> tuple[Any, Any]:
    """Masks of the rows before `since`, and of those from it on (and before `until`).

    Raises
    ------
    LiveError
        If the column cannot be compared with the moments, or one side is empty.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if time not in rows.column_names:
        raise LiveError(
            f"There is no column '{time}' (there are {', '.join(rows.column_names[:12])}).",
            "name the column that says when a row was logged.",
        )
    column = rows.column(time)
    try:
        moment = _moment(since, column.type)
        end = _moment(until, column.type) if until else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise LiveError(
            f"'{since}' cannot be compared with column '{time}' of type {column.type}: {error}",
            "spell moments as 2026-10-01 or 2026-10-01T12:00:00, numbers as numbers.",
        ) from None
    before, after = pc.less(column, moment), pc.greater_equal(column, moment)
    if end is not None:
        after = pc.and_(after, pc.less(column, end))
    before, after = pc.fill_null(before, False), pc.fill_null(after, False)
    for mask, side in ((before, "before"), (after, "from")):
        if not pc.any(mask).as_py():
            span = pc.min_max(column).as_py()
            raise LiveError(
                f"No row lies {side} {since}: '{time}' goes from {span['min']} to {span['max']}.",
                "choose a moment inside.",
            )
    return before, after


def _moment(text: str, kind: pa.DataType) -> pa.Scalar:
    from datetime import UTC, datetime

    import pyarrow as pa

    if not pa.types.is_temporal(kind):
        return pa.scalar(text).cast(kind)
    moment = datetime.fromisoformat(text)
    if pa.types.is_timestamp(kind) and kind.tz is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (
        pa.scalar(moment).cast(kind, safe=False)
        if not pa.types.is_date(kind)
        else pa.scalar(moment.date(), kind)
    )


# -- what is found by itself --------------------------------------------------------------------


def _outputs(project: Project, build: str) -> dict[Key, Artifact]:
    catalog = project.stores.catalog
    tasks = catalog.tasks_of(project.row(build).build_id)
    found = catalog.get_artifacts([task.output for task in tasks if task.output])
    return {(t.node, t.partition): found[t.output] for t in tasks if t.output}


def _inputs(graph: Graph, node: str) -> list[str]:
    return list(dict.fromkeys(edge.node for edge in graph.nodes[node].inputs))


def _is_table(built: Mapping[Key, Artifact], node: str) -> bool:
    return any(key[0] == node and a.format in ("table", "parts") for key, a in built.items())


def _only_table(graph: Graph, metric: str, built: Mapping[Key, Artifact]) -> str:
    inputs = _inputs(graph, metric)
    tables = [node for node in inputs if _is_table(built, node)]
    # Scores are a table too, at times: they are made of the one that is meant.
    tables = [node for node in tables if not set(_inputs(graph, node)) & set(tables)] or tables
    if len(tables) == 1:
        return tables[0]
    raise LiveError(
        f"'{metric}' has {len(tables) or 'no'} inputs that are tables"
        f" (its inputs: {', '.join(inputs) or 'none'}).",
        "say which one holds the logged rows: table=.",
    )


def _table(project: Project, build: str, node: str) -> pa.Table:
    import pyarrow as pa

    found = project.load(build, node, form="pyarrow.Table")
    assert isinstance(found, pa.Table)
    return found


def _only_time(rows: pa.Table, table: str) -> str:
    import pyarrow as pa

    found = [
        str(field.name)
        for field in rows.schema
        if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)
    ]
    if len(found) == 1:
        return found[0]
    raise LiveError(
        f"'{table}' has {len(found) or 'no'} columns with a time ({', '.join(found) or 'none'}).",
        "say which one orders the rows: time=.",
    )


def _score_node(graph: Graph, metric: str, table: str) -> str | None:
    """A node that makes scores of the model and the table: of the metric's inputs, or beside it."""
    inputs = _inputs(graph, metric)
    between = [node for node in inputs if node != table and table in _inputs(graph, node)]
    scoring = [node for node in between if graph.nodes[node].spec.kind != "model"]
    if scoring:
        return scoring[0]
    models = {node for node in inputs if node != table}
    for name, node in graph.nodes.items():
        upstream = set(_inputs(graph, name))
        plain = node.spec.kind in ("node", "table")
        if plain and table in upstream and upstream & models and upstream <= models | {table}:
            return name
    return None


def _fixed(graph: Graph, made: Sequence[str], table: str, node: str | None) -> tuple[str, ...]:
    needed = {upstream for name in made for upstream in _inputs(graph, name)}
    return tuple(sorted(needed - {table, node}))


def _model(
    project: Project, build: str, graph: Graph, metric: str, table: str,
    built: Mapping[Key, Artifact],
) -> Any:  # fmt: skip
    stores = project.stores
    for name in _inputs(graph, metric):
        if name == table or (name, "") not in built or _is_table(built, name):
            continue
        value = decode(built[name, ""], stores.blobs, None, stores.catalog.get_artifact)
        if hasattr(value, "predict"):
            return value
    raise LiveError(
        f"No input of '{metric}' is a model with `predict`, and no node makes scores of one.",
        f"add a node that takes the model and '{table}' and returns one score a row.",
    )


def _features(model: Any, rows: pa.Table, time: str, label: str | None) -> list[str]:
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        return [str(name) for name in known]
    return [name for name in rows.column_names if name not in (time, label)]


def _better(graph: Graph, metric: str) -> str | None:
    found = graph.nodes[metric].spec.options.get("better")
    return str(found) if found in ("higher", "lower") else None


def _measure_of(
    value: float, rows: pa.Table, score: Callable[[pa.Table], Floats], metric: str, time: str,
    label: str | None, measure: str | Metric | None, features: Sequence[str],
) -> tuple[str, str | Metric]:  # fmt: skip
    """The label and the named metric that give the node's value on the reference window."""
    import numpy as np

    if label is not None and measure is not None:
        return label, measure
    scores = score(rows)
    labels = [label] if label else [name for name in rows.column_names if name != time]
    labels.sort(key=lambda name: name in features)
    known = [measure] if isinstance(measure, str) else list(NAMED)
    near: list[str] = []
    for name in labels:
        y = numbers_of(rows.column(name))
        if y is None or np.isnan(y).any():
            continue
        binary = bool(np.isin(y, (0.0, 1.0)).all())
        for measured in known:
            if measured not in NAMED or (measured in ("auc", "brier", "log_loss") and not binary):
                continue
            found = NAMED[measured][0](y, scores, None)
            if np.isclose(found, value, rtol=1e-6, atol=1e-9):
                return name, measured
            if name == label or len(labels) < 4:
                near.append(f"{measured} of '{name}' {found:.4g}")
    raise LiveError(
        f"'{metric}' is {value:.6g} on the reference window, which is none of the metrics known"
        f" by name{' (' + ', '.join(near[:6]) + ')' if near else ''}.",
        "pass label= and measure=: the truth's column, and a function of label and score.",
    )


def _replayed(project: Project, build: str, node: str | None, n_rows: int) -> pa.Table | None:
    if node is None:
        return None
    found = _table(project, build, node)
    if found.num_rows != n_rows:
        raise LiveError(
            f"'{node}' has {found.num_rows:,} rows, the logged table {n_rows:,}.",
            "replay every logged row, in the table's order.",
        )
    return found
