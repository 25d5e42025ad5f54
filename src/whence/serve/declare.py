"""What a user writes: `service` marks a function that answers requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from whence.graph.nodes import mark

F = TypeVar("F", bound=Callable[..., Any])


@overload
def service(function: F) -> F: ...
@overload
def service(*, name: str | None = ...) -> Callable[[F], F]: ...
def service(function: Any = None, **options: Any) -> Any:
    """Mark a function as a service, answered by ``whence serve NAME`` from the accepted build.

    Its parameter `request` is annotated with a pydantic model and gets the validated body of a
    request; the others name nodes and params, loaded once. It returns what can be JSON. A service
    is not built: it has no value.

    Parameters
    ----------
    name : str, optional
        Name of the service; by default the function's.

    Examples
    --------
    .. code-block:: python

        class Departure(pydantic.BaseModel):
            carrier: str
            distance: float


        @wh.service
        def delay(delay_model, request: Departure) -> dict:
            return {"probability": delay_model.predict_proba(row(request))[0, 1]}
    """
    if function is not None:
        return mark(function, "service")
    return lambda f: mark(f, "service", **options)


__all__ = ["service"]
