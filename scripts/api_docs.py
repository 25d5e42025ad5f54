"""Write docs/api.md from the docstrings of everything public.

python scripts/api_docs.py [--check]

`tests/test_api_docs.py` fails where the page is not what this script would write.
"""

import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import whence
from whence import errors, models, why
from whence.engine import results
from whence.graph import diff
from whence.why import live, verdict

PAGE = Path(__file__).parent.parent / "docs" / "api.md"

INTRO = """\
# The Python API

*Written by `scripts/api_docs.py` from the docstrings; change those.*

`import whence as wh` is light: each name is imported when it is first used.

```python
import whence as wh
```

"""

GROUPS = [
    ("Nodes", "What makes a function part of the graph. It stays callable as it is. Without "
        "options, write `@wh.node` alone (a metric always says `better=`).",
     ["node", "table", "model", "metric", "figure", "service"]),
    ("Sources and params", "What comes from outside.", ["files", "param", "window"]),
    ("Values", "What nodes may return.", ["Estimate", "register_format"]),
    ("Projects and builds", "For notebooks, tests and programs.", ["Project", "Build"]),
    ("Errors", "Every error says its cause and its fix.", ["WhenceError"]),
]  # fmt: skip
RESULTS = ["Event", "TaskResult", "Status", "TaskStatus", "Diff", "Trace"]
INTERVALS = [name for name in models.__all__ if name not in whence.__all__]
WHY = ["explain", "build_without", "build_commit", "Explanation"]
#: What an explanation consists of.
ANSWER = ["Side", "Band", "Cause", "Cell", "Refinement", "ChangeReport", "Cost"]
LIVE = ["explain_live", "diagnose", "LiveVerdict", "LiveError"]
SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
#: Methods that only serve Python's protocols or the engine.
HIDDEN = {"session"}
_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for title, text, names in GROUPS:
        parts.append(f"## {title}\n\n{text}\n\n")
        parts += [entry(f"wh.{name}", getattr(whence, name)) for name in names]
    parts.append(error_table())
    parts.append("## What builds report\n\n")
    parts.append(
        "These are plain values: `Build.tasks`, `Project.status`, `Project.diff` and "
        "`Project.trace` return them. Each but `Event` has `to_json()`, which is what `--json` "
        "prints.\n\n"
    )
    parts += [entry(name, getattr(results, name)) for name in RESULTS]
    parts.append(entry("Change", diff.Change))
    parts.append(
        "## whence.models\n\nIntervals and curves for metrics; they need `whence[models]`.\n\n"
    )
    parts += [entry(f"whence.models.{name}", getattr(models, name)) for name in INTERVALS]
    parts.append(
        "## whence.why\n\nWhich change moved a metric: [guide](guide/why.md). It needs "
        "`whence[why]`. `Explanation.to_json()` is what `--json` prints.\n\n"
    )
    parts += [entry(f"whence.why.{name}", getattr(why, name)) for name in WHY]
    parts += [entry(name, getattr(verdict, name)) for name in ANSWER]
    parts.append(
        "## whence.why.live\n\nNothing changed but the world: [guide](guide/why-live.md).\n\n"
    )
    parts += [entry(f"whence.why.live.{name}", getattr(live, name)) for name in LIVE]
    parts += [entry(name, getattr(live.verdict, name)) for name in ("Hypothesis", "MetricBand")]
    parts.append(f"## `__version__`\n\nThe installed version, as a text: `{whence.__version__}`.\n")
    return "".join(parts)


def entry(name: str, thing: Any) -> str:
    """One public name: signature, then its docstring."""
    if isinstance(thing, type):
        return of_class(name, thing)
    return f"### `{name}`\n\n```text\n{name}{signature(thing)}\n```\n\n{prose(thing)}"


def of_class(name: str, kind: type) -> str:
    own = kind.__doc__ or ""
    shown = f"{name}{signature(kind.__init__)}" if takes_arguments(kind) else ""
    out = f"### `{name}`\n\n"
    if shown:
        out += f"```text\n{shown}\n```\n\n"
    out += markdown(inspect.cleandoc(own))
    if "Parameters\n" not in own:
        told = told_attributes(own)
        fields = {name: text for name, text in fields_of(kind).items() if name not in told}
        out = out.rstrip("\n") + ("\n" if told else "\n\n") if fields else out
        out += "".join(f"- `{name}`: {plain(text)}\n" for name, text in fields.items())
        out += "\n" if fields else ""
    for method, value in sorted_members(kind):
        function = value.__func__ if isinstance(value, classmethod) else value
        head = name.rpartition(".")[2]
        if isinstance(value, property):
            if not value.__doc__:
                continue  # told among the attributes
            out += f"#### `{head}.{method}`\n\n{prose(value.fget)}"
        elif method == "__getitem__":
            out += "#### `build[node]`\n\n"
            out += "Load the value of a node; of a partitioned one, the union.\n\n"
        else:
            out += (
                f"#### `{head}.{method}`\n\n```text\n{head}.{method}{signature(function)}\n```\n\n"
            )
            out += prose(function)
    return out


def told_attributes(doc: str) -> set[str]:
    """Names that a docstring's list of attributes explains."""
    pieces = SECTION.split(inspect.cleandoc(doc))
    bodies = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    heads = [head.partition(" : ")[0] for head, _ in items(bodies.get("Attributes", ""))]
    return {name.strip() for head in heads for name in head.split(",")}


def fields_of(kind: type) -> dict[str, str]:
    """Fields of a data class or a named tuple, with their types."""
    if issubclass(kind, tuple):
        hints = {name: kind.__annotations__[name] for name in getattr(kind, "_fields", ())}
        return {name: getattr(hint, "__forward_arg__", str(hint)) for name, hint in hints.items()}
    fields = getattr(kind, "__dataclass_fields__", {})
    return {field.name: str(field.type) for field in fields.values()}


def takes_arguments(kind: type) -> bool:
    return kind.__name__ in ("Estimate", "WhenceError")


def sorted_members(kind: type) -> Iterator[tuple[str, Any]]:
    if fields_of(kind) or issubclass(kind, BaseException):
        return
    for name, value in vars(kind).items():
        is_method = inspect.isfunction(value) or isinstance(value, (classmethod, property))
        if (not name.startswith("_") and is_method and name not in HIDDEN) or name == "__getitem__":
            yield name, value


def signature(function: Any) -> str:
    """The signature, one line or one parameter a line."""
    # A decorator's last overload is the one with options.
    overloads = typing.get_overloads(function)
    found = inspect.signature(overloads[-1] if overloads else function)
    parts, star = [], False
    for parameter in found.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        text = _STARS.get(parameter.kind, "") + parameter.name
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        if parameter.annotation is not parameter.empty:
            text += f": {plain(str(parameter.annotation))}"
        if parameter.default is not parameter.empty:
            text += " = …" if parameter.default is ... else f" = {parameter.default!r}"
        parts.append(text)
    end = (
        ""
        if found.return_annotation is found.empty
        else f" -> {plain(str(found.return_annotation))}"
    )
    line = f"({', '.join(parts)}){end}"
    if len(line) < 76:
        return line
    return "(\n    " + ",\n    ".join(parts) + f",\n){end}"


def plain(annotation: str) -> str:
    return annotation.strip("'").replace("typing.", "")


def prose(function: Any) -> str:
    text = inspect.getdoc(function)
    return markdown(text) if text else "As plain JSON values.\n\n"


def markdown(text: str) -> str:
    """A NumPy docstring as Markdown."""
    pieces = SECTION.split(text)
    out = [literals(pieces[0].strip()), "\n\n"]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title == "Examples":
            lines = body.strip("\n")
            if ".. code-block::" in lines:
                lines = inspect.cleandoc(lines.partition("\n")[2])
            out.append(f"```python\n{lines}\n```\n\n")
            continue
        rows = list(items(body))
        if title == "References":
            out.append(f"Reference: {' '.join(body.split())}\n\n")
            continue
        if not rows:
            continue
        if title == "Returns" and all(not text for _, text in rows):
            out.append(f"**Returns** `{'`, `'.join(head for head, _ in rows)}`\n\n")
            continue
        out.append(f"**{title}**\n\n")
        for head, text in rows:
            names, _, kind = head.partition(" : ")
            shown = f"- `{names}`" + (f" ({kind})" if kind else "")
            out.append(shown + (f": {literals(text)}" if text else "") + "\n")
        out.append("\n")
    return "".join(out)


def items(body: str) -> Iterator[tuple[str, str]]:
    head, text = "", []
    for line in body.strip("\n").splitlines():
        if line and not line.startswith(" "):
            if head:
                yield head, " ".join(text)
            head, text = line.strip(), []
        elif line.strip():
            text.append(line.strip())
    if head:
        yield head, " ".join(text)


def literals(text: str) -> str:
    return text.replace("``", "`")


def error_table() -> str:
    rows = [
        "Every class is in `whence.errors`. The [troubleshooting guide](guide/troubleshooting.md) "
        "says what to do about each.\n\n",
        "| class | when | exit code |\n| --- | --- | --- |\n",
    ]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.WhenceError):
            base = kind.__bases__[0].__name__
            under = "" if base in ("Exception", "WhenceError") else f" (a `{base}`)"
            said = (kind.__doc__ or "").splitlines()[0]
            rows.append(f"| `{name}`{under} | {said} | {kind.exit_code} |\n")
    return "".join(rows) + "\n"


def main() -> None:
    text = page()
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == text else "docs/api.md is not current.")
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
