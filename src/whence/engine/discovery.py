"""Discovery: import the pipeline's modules and collect what their decorators marked.

Runs in a worker, on the snapshot. What comes out are plain values.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from whence.errors import GraphError, ImportFault, WhenceError
from whence.graph.digest import canonical_json, digest_text
from whence.graph.nodes import MARK, Mark, NodeSpec, Param, Parameter, Source, Window
from whence.store.formats import form_of


def import_pipeline(names: Iterable[str], is_user_file: Callable[[str], bool]) -> list[ModuleType]:
    """Import the named modules; of a package, every module inside it.

    Raises
    ------
    ImportFault
        If one fails: with the user's own part of the traceback.
    """
    modules: list[ModuleType] = []
    for name in names:
        modules.append(_import(name, is_user_file))
        path = getattr(modules[-1], "__path__", None)
        if path is not None:
            inside = sorted(m.name for m in pkgutil.walk_packages(path, prefix=name + "."))
            modules += [
                _import(inner, is_user_file)
                for inner in inside
                if inner.rpartition(".")[2] != "__main__"
            ]
    return modules


def _import(name: str, is_user_file: Callable[[str], bool]) -> ModuleType:
    try:
        return importlib.import_module(name)
    except WhenceError:
        raise
    except SyntaxError as error:
        raise ImportFault(
            f"{error.filename}, line {error.lineno}: {error.msg}.\n"
            f"    {(error.text or '').strip()}",
            "correct the syntax and build again.",
        ) from None
    except ModuleNotFoundError as error:
        if error.name == name or name.startswith(f"{error.name}."):
            raise ImportFault(
                f"The pipeline module '{name}' does not exist.",
                "correct `pipeline` in [tool.whence], or `roots` if the module lies elsewhere.",
            ) from None
        raise ImportFault(
            f"Importing '{name}' failed: {error}.\n{user_traceback(error, is_user_file)}",
            f"install the package that has '{error.name}', or correct the import.",
        ) from None
    except Exception as error:  # noqa: BLE001 - the user's module may raise anything
        raise ImportFault(
            f"Importing '{name}' failed: {type(error).__name__}: {error}.\n"
            f"{user_traceback(error, is_user_file)}",
            "correct that line; modules of a pipeline are imported to find the nodes.",
        ) from None


def user_traceback(error: BaseException, is_user_file: Callable[[str], bool]) -> str:
    """The traceback with the frames of the user's own files and the last one, as text."""
    frames = traceback.extract_tb(error.__traceback__)
    kept = [f for f in frames if is_user_file(f.filename)]
    if frames and (not kept or kept[-1] is not frames[-1]) and "whence" not in frames[-1].filename:
        kept.append(frames[-1])
    lines = traceback.format_list(kept)
    return "".join(lines + traceback.format_exception_only(error)).rstrip()


def collect(modules: Sequence[ModuleType]) -> list[NodeSpec]:
    """Specifications of all marked functions, sources and params bound in `modules`.

    The same object bound in several modules is one node.
    """
    specs: list[NodeSpec] = []
    seen: dict[int, str] = {}
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, (Source, Param)):
                known = seen.get(id(value))
                if known is None:
                    seen[id(value)] = name
                    specs.append(_spec_of_value(module, name, value))
                elif known != name:
                    raise GraphError(
                        f"One source is bound to two names, '{known}' and '{name}' "
                        f"(in {module.__name__}).",
                        "declare it once, and use that name.",
                    )
                continue
            mark = getattr(value, "__dict__", {}).get(MARK) if callable(value) else None
            if isinstance(mark, Mark) and id(value) not in seen:
                seen[id(value)] = name
                specs.append(_spec_of_function(value, mark))
    if not specs:
        listed = ", ".join(module.__name__ for module in modules)
        raise GraphError(
            f"The pipeline ({listed}) has no node.",
            "mark functions with @whence.node, or correct `pipeline` in [tool.whence].",
        )
    return specs


def _spec_of_value(module: ModuleType, name: str, value: Source | Param) -> NodeSpec:
    if isinstance(value, Param):
        default = _as_json(value.default)
        if default is _NOT_JSON:
            raise GraphError(
                f"The param '{name}' has the default {value.default!r}.",
                "params are JSON: None, bool, int, float, str, lists and dicts of these.",
            )
        options: dict[str, Any] = {"default": default}
        return NodeSpec(name, "param", module.__name__, name, options=options, doc=value.doc)
    return NodeSpec(
        name,
        "source",
        module.__name__,
        name,
        partitioned=value.partitioned,
        key=value.key,
        reader=value.reader,
        options=value.options,
    )


def _spec_of_function(function: Any, mark: Mark) -> NodeSpec:
    where = f"{function.__module__}.{function.__qualname__}"
    parameters = []
    raw = inspect.unwrap(function)
    for parameter in inspect.signature(raw, follow_wrapped=False).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise GraphError(
                f"Node '{mark.name or function.__name__}' ({where}) has a parameter "
                f"'*{parameter.name}', whose inputs cannot be known.",
                "name each input.",
            )
        made = _parameter(parameter, raw)
        if made is not None:
            parameters.append(made)
    return NodeSpec(
        mark.name or function.__name__,
        mark.kind,
        function.__module__,
        function.__qualname__,
        line=raw.__code__.co_firstlineno,
        parameters=tuple(parameters),
        deterministic=mark.deterministic,
        partitioned=mark.partitioned,
        key=mark.key,
        max_age_s=mark.max_age_s,
        allow_pickle=mark.allow_pickle,
        finish=mark.finish,
        options=json.loads(canonical_json(dict(mark.options))),
        captured=_captured(raw),
        doc=inspect.getdoc(raw) or "",
    )


def _parameter(parameter: inspect.Parameter, function: Any) -> Parameter | None:
    form = form_of(_resolve(parameter.annotation, function.__globals__))
    if parameter.default is parameter.empty:
        return Parameter(parameter.name, form)
    if isinstance(parameter.default, Window):
        return Parameter(parameter.name, form, window=parameter.default)
    default = _as_json(parameter.default)
    # A default that is not JSON is no param: Python fills it in, and its code counts as code.
    return None if default is _NOT_JSON else Parameter(parameter.name, form, True, default)


_NOT_JSON = object()


def _as_json(value: Any) -> Any:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        return _NOT_JSON
    back = json.loads(text)
    return back if back == value or value != value or isinstance(value, tuple) else _NOT_JSON


def _resolve(annotation: Any, scope: Mapping[str, Any]) -> Any:
    """The annotation as an object; a string is looked up name by name, never evaluated."""
    if annotation is inspect.Parameter.empty:
        return None
    if not isinstance(annotation, str):
        return annotation
    head, *rest = annotation.strip("'\"").split(".")
    value = scope.get(head)
    for name in rest:
        value = getattr(value, name, None)
    return annotation if value is None else value


def _captured(function: Any) -> dict[str, str]:
    """Digests of a closure's captured values, which no source text shows."""
    digests: dict[str, str] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        value = cell.cell_contents
        if inspect.isfunction(value):
            # The planner puts the digest of this function's own closure here.
            digests[name] = f"ref:{value.__module__}:{value.__qualname__}"
            continue
        plain = _as_json(value)
        if plain is _NOT_JSON:
            raise GraphError(
                f"Node function '{function.__qualname__}' captures '{name}', a "
                f"{type(value).__name__} whose content cannot be fingerprinted.",
                "define the node at the top level of a module, or capture only plain values "
                "(numbers, texts, lists, dicts).",
            )
        digests[name] = digest_text("value", canonical_json(plain))
    return digests
