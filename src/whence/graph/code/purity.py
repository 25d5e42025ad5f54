"""Which outside calls, made while a module is imported, change nothing that others could see."""

from __future__ import annotations

import re

#: Builtins that only look at their arguments.
LOOKING_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "bytearray",
        "callable",
        "chr",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "format",
        "frozenset",
        "hash",
        "hex",
        "id",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ]
)
#: Builtins that may call what they are given.
CALLING_BUILTINS = frozenset(["filter", "map", "max", "min", "next", "sorted", "iter"])

#: Methods that leave their object as it is.
LOOKING_METHODS = frozenset(
    [
        "get",
        "items",
        "keys",
        "values",
        "copy",
        "index",
        "count",
        "format",
        "join",
        "split",
        "rsplit",
        "splitlines",
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "casefold",
        "replace",
        "startswith",
        "endswith",
        "encode",
        "decode",
        "partition",
        "rpartition",
        "find",
        "rfind",
        "isdigit",
        "isalpha",
        "union",
        "intersection",
        "difference",
        "issubset",
        "issuperset",
        "isdisjoint",
        "symmetric_difference",
        "most_common",
        "elements",
        "debug",
        "info",
        "warning",
        "error",
        "exception",
        "critical",
        "log",
        "isEnabledFor",
        "match",
        "fullmatch",
        "search",
        "findall",
        "finditer",
        "sub",
        "exists",
        "is_file",
        "is_dir",
        "joinpath",
        "with_suffix",
        "with_name",
        "resolve",
        "absolute",
        "relative_to",
        "as_posix",
        "read_text",
        "read_bytes",
        "glob",
        "rglob",
        "iterdir",
        "isoformat",
        "strftime",
        "date",
        "time",
        "timestamp",
        "__getitem__",
        "__contains__",
        "__len__",
        "model_dump",
        "dict",
        "json",
        "to_dict",
        "_asdict",
    ]
)

_PURE_MODULES = frozenset(
    [
        "re",
        "pathlib",
        "typing",
        "typing_extensions",
        "collections",
        "functools",
        "itertools",
        "operator",
        "dataclasses",
        "enum",
        "datetime",
        "decimal",
        "fractions",
        "math",
        "cmath",
        "string",
        "types",
        "abc",
        "numbers",
        "statistics",
        "time",
        "calendar",
        "zoneinfo",
        "uuid",
        "textwrap",
        "copy",
        "json",
        "tomllib",
        "hashlib",
        "base64",
        "contextvars",
        "contextlib",
        "collections.abc",
        "os.path",
        "importlib.resources",
        "importlib.metadata",
        "inspect",
        "ast",
        "struct",
        "zlib",
        "gzip",
        "csv",
        "io",
        "weakref",
        "array",
        "platform",
        "shutil",
        "glob",
        "fnmatch",
        "unicodedata",
        "html",
        "urllib.parse",
        "concurrent.futures",
        "threading",
        "multiprocessing",
        "whence",
        "attr",
        "attrs",
        "numba",
    ]
)
_PURE_NAMES = frozenset(
    [
        "logging.getLogger",
        "os.environ.get",
        "os.getenv",
        "os.getcwd",
        "os.fspath",
        "os.cpu_count",
        "os.listdir",
        "os.path.join",
        "sys.getsizeof",
        "sys.intern",
        "warnings.catch_warnings",
        "structlog.get_logger",
        "sqlalchemy.orm.declarative_base",
        "yaml.safe_load",
        "tomli.loads",
        "tomli.load",
    ]
)
_TABLE_LIBRARIES = frozenset(
    [
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "ibis",
        "scipy",
        "duckdb",
        "xarray",
        "narwhals",
        "sklearn",
        "pandera",
        "torch",
    ]
)
_CHANGING_WORDS = frozenset(
    [
        "set",
        "seed",
        "register",
        "config",
        "configure",
        "option",
        "options",
        "use",
        "init",
        "initialize",
        "enable",
        "disable",
        "install",
        "patch",
        "seterr",
        "connect",
        "manual",
        "monkey",
        "setup",
        "activate",
        "basicconfig",
        "add",
        "remove",
        "reset",
        # change what they are given
        "put",
        "putmask",
        "place",
        "copyto",
        "fill",
        "shuffle",
        "setitem",
        "delitem",
        "iadd",
        "iconcat",
    ]
)
_OWN_RANDOM = frozenset(["default_rng", "RandomState", "Generator", "SeedSequence", "PCG64"])
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_pure(dotted: str) -> bool:
    """Whether calling `dotted`, from outside the project, is known to change nothing.

    Examples
    --------
    >>> is_pure("re.compile"), is_pure("numpy.zeros"), is_pure("sklearn.svm.SVC")
    (True, True, True)
    >>> is_pure("numpy.seterr"), is_pure("pandas.set_option"), is_pure("acme.start")
    (False, False, False)
    """
    parts = dotted.split(".")
    if parts[0] == "whence":
        return True
    if changes_by_name(dotted):
        return False
    if dotted in _PURE_NAMES:
        return True
    if parts[-1][:1].isupper():
        return True
    if any(".".join(parts[:n]) in _PURE_MODULES for n in range(1, len(parts))):
        return True
    if parts[0] in _TABLE_LIBRARIES:
        return "random" not in parts or parts[-1] in _OWN_RANDOM
    # A constructor of another kind: `date.fromisoformat`, `Path.cwd`.
    return len(parts) > 2 and parts[-2][:1].isupper()


def changes_by_name(dotted: str) -> bool:
    """Whether a name says that it changes something: `set_option`, `register_accessor`, `seed`."""
    name = dotted.rpartition(".")[2]
    if name[:1].isupper():
        return False
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _CHANGING_WORDS)
