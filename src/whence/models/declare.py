"""What a user writes: `model`, `metric` and `figure` mark functions that promise more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from whence.errors import ConfigError, ValueFault
from whence.graph.nodes import NodeSpec, mark
from whence.models.estimate import Estimate

F = TypeVar("F", bound=Callable[..., Any])


@overload
def model(function: F) -> F: ...
@overload
def model(
    *,
    name: str | None = ...,
    partitioned: bool = ...,
    deterministic: bool = ...,
    max_age: str | None = ...,
    allow_pickle: bool = ...,
) -> Callable[[F], F]: ...
def model(function: Any = None, **options: Any) -> Any:
    """Mark a function as a node whose value predicts.

    The value has a method `predict`, `predict_proba`, `decision_function`, `transform`, `forward`
    or is callable; or it is a container of such things (a dict of estimators, of weights).

    Parameters
    ----------
    name, partitioned, deterministic, max_age, allow_pickle
        See `whence.node`.
    """
    finish = "whence.models.declare:check_model"
    if function is not None:
        return mark(function, "model", finish=finish)
    return lambda f: mark(f, "model", finish=finish, **options)


def metric(
    *,
    better: Literal["higher", "lower"],
    name: str | None = None,
    partitioned: bool = False,
    deterministic: bool = True,
) -> Callable[[F], F]:
    """Mark a function as a node that returns a number, with the direction that is better.

    The function returns a float, or an `Estimate` with an interval and a count.

    Parameters
    ----------
    better : "higher" or "lower"
    name, partitioned, deterministic
        See `whence.node`.

    Raises
    ------
    ConfigError
        If `better` is neither.
    """
    if better not in ("higher", "lower"):
        raise ConfigError(
            f"@metric was given better={better!r}.", 'write better="higher" or better="lower".'
        )
    return lambda f: mark(
        f,
        "metric",
        name=name,
        partitioned=partitioned,
        deterministic=deterministic,
        finish="whence.models.declare:check_metric",
        options={"better": better},
    )


@overload
def figure(function: F) -> F: ...
@overload
def figure(
    *, name: str | None = ..., partitioned: bool = ..., deterministic: bool = ...
) -> Callable[[F], F]: ...
def figure(function: Any = None, **options: Any) -> Any:
    """Mark a function as a node that returns a picture.

    A Matplotlib figure or axes, a Plotly or Altair chart, or what has ``to_html`` or
    ``_repr_html_``.

    Parameters
    ----------
    name, partitioned, deterministic
        See `whence.node`.
    """
    finish = "whence.models.declare:check_figure"
    if function is not None:
        return mark(function, "figure", finish=finish)
    return lambda f: mark(f, "figure", finish=finish, **options)


_PREDICTS = ("predict", "predict_proba", "decision_function", "transform", "forward", "__call__")


def check_model(value: object, spec: NodeSpec) -> object:
    """The value, if it may predict.

    Raises
    ------
    ValueFault
        If it is a number, a text, a table or the like.
    """
    if value is None or isinstance(value, dict | list | tuple):
        return value
    if any(hasattr(value, method) for method in _PREDICTS):
        return value
    raise ValueFault(
        f"Model '{spec.name}' returned a {_shown(value)}, which cannot predict.",
        "return the fitted estimator (what has .predict), or declare it with @wh.node.",
    )


def check_metric(value: object, spec: NodeSpec) -> object:
    """The number as a float, or the `Estimate` with plain numbers in it.

    Raises
    ------
    ValueFault
        If it is no number, NaN, or lies outside of its own interval.
    """
    if value is None:
        return None
    if not isinstance(value, Estimate):
        return _number(value, spec.name, "returned")
    low = None if value.low is None else _number(value.low, spec.name, "has as lower bound")
    high = None if value.high is None else _number(value.high, spec.name, "has as upper bound")
    number = _number(value.value, spec.name, "returned")
    if (low is not None and low > number) or (high is not None and high < number):
        raise ValueFault(
            f"Metric '{spec.name}' is {number:g}, outside of its interval [{low}, {high}].",
            "give value, low and high in this order: Estimate(value, low, high, n).",
        )
    n = None if value.n is None else int(value.n)
    return Estimate(number, low, high, n, float(value.level))


def _number(value: Any, node: str, what: str) -> float:
    if isinstance(value, bool) or not hasattr(type(value), "__float__"):
        raise ValueFault(
            f"Metric '{node}' {what} a {_shown(value)}, not a number.",
            "return a float, or wh.Estimate(value, low, high, n).",
        )
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueFault(
            f"Metric '{node}' {what} a {_shown(value)} that is no single number: {error}.",
            "return a float, or wh.Estimate(value, low, high, n).",
        ) from error
    if math.isnan(number):
        raise ValueFault(
            f"Metric '{node}' {what} NaN.",
            "look at its inputs: no rows, one class only, missing predictions. A metric that "
            "cannot be found should raise, so that nothing takes it for a number.",
        )
    return number


def check_figure(value: object, spec: NodeSpec) -> object:
    """The value, if it is a picture.

    Raises
    ------
    ValueFault
        If it is plain data or a table.
    """
    data = isinstance(value, str | bytes | int | float | dict | list | tuple)
    tabular = type(value).__module__.split(".")[0] in ("pandas", "polars", "pyarrow", "numpy")
    if data or (tabular and type(value).__name__ != "Styler"):
        hint = "its [0] or .figure, or " if isinstance(value, list | tuple) else ""
        raise ValueFault(
            f"Figure '{spec.name}' returned a {_shown(value)}, which is no picture.",
            f"return {hint}a Matplotlib, Plotly or Altair figure.",
        )
    return value


def _shown(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


__all__ = ["check_figure", "check_metric", "check_model", "figure", "metric", "model"]
