"""`[tool.whence]` in pyproject.toml: where a project's pipeline, store and params are set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whence.errors import ConfigError, did_you_mean

#: Every key of [tool.whence], with what it means; `docs/configuration.md` is tested against it.
KEYS = {
    "pipeline": "module, package or list of them that hold the nodes",
    "store": "where artifacts live: a directory or s3://bucket/prefix",
    "catalog": "the catalog: a SQLite file or postgresql://…",
    "params": "values of params: bare names or tables by node",
    "seed": "the world's seed, an integer",
    "jobs": "most worker processes at once",
    "secrets": "names of environment variables that are secret: never in a key, snapshot or log",
    "vendored": "folders that count as one distribution each",
    "roots": "folders from which the project's modules are imported",
    "profile": "named sets of params, store, catalog, seed and jobs: [tool.whence.profile.NAME]",
}
PROFILE_KEYS = ("params", "store", "catalog", "seed", "jobs")


@dataclass(frozen=True, slots=True)
class Config:
    """A project's settings, checked."""

    root: Path
    name: str
    pipeline: tuple[str, ...]
    store: str
    catalog: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    jobs: int | None = None
    secrets: tuple[str, ...] = ()
    vendored: tuple[str, ...] = ()
    roots: tuple[str, ...] = (".",)
    from_environment: bool = False  # a place is spelled with environment variables

    @property
    def state_dir(self) -> Path:
        return self.root / ".whence"


def find_root(path: Path) -> Path:
    """The nearest folder at or above `path` whose pyproject.toml has `[tool.whence]`.

    Raises
    ------
    ConfigError
        If there is none.
    """
    start = path.resolve()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and b"tool.whence" in file.read_bytes():
            return folder
    raise ConfigError(
        f"No project here: no pyproject.toml with [tool.whence] in {start} or above it.",
        "`whence init` makes a small project; or add [tool.whence] to your pyproject.toml.",
    )


def read_config(root: Path, profile: str | None = None) -> Config:
    """Read and check `[tool.whence]` of the project at `root`, with one profile laid over it.

    Raises
    ------
    ConfigError
        Unreadable TOML, an unknown key, a value of the wrong type, an unknown profile.
    """
    import tomllib

    file = root / "pyproject.toml"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}.", "correct that line.") from None
    table = dict(document.get("tool", {}).get("whence", {}))
    _check_keys(table, KEYS, "[tool.whence]")
    profiles = table.pop("profile", {})
    if profile is not None:
        if profile not in profiles:
            near = did_you_mean(profile, profiles)
            known = ", ".join(sorted(profiles)) or "none"
            fix = f"did you mean '{near}'?" if near else f"known profiles: {known}."
            raise ConfigError(f"There is no [tool.whence.profile.{profile}].", fix)
        chosen = profiles[profile]
        _check_keys(chosen, PROFILE_KEYS, f"[tool.whence.profile.{profile}]")
        params = {**_flat(table.get("params", {})), **_flat(chosen.get("params", {}))}
        table = {**table, **chosen, "params": params}
    pipeline = _names(table.get("pipeline", ()), "pipeline")
    if not pipeline:
        raise ConfigError(
            f"{file} does not say which modules hold the nodes.",
            'add to [tool.whence]: pipeline = "your_package.pipeline".',
        )
    for name, kind in (("seed", int), ("jobs", int), ("store", str), ("catalog", str)):
        if name in table and (not isinstance(table[name], kind) or isinstance(table[name], bool)):
            wanted = "a whole number" if kind is int else "a text"
            raise ConfigError(
                f"[tool.whence] {name} = {table[name]!r} is not {wanted}.",
                f"correct it in {file}.",
            )
    state = root / ".whence"
    name = document.get("project", {}).get("name") or root.name
    roots = _names(table.get("roots", ("src",) if (root / "src").is_dir() else (".",)), "roots")
    return Config(
        root=root,
        name=name,
        pipeline=pipeline,
        store=_place(table.get("store", str(state / "store")), root),
        catalog=_place(table.get("catalog", str(state / "catalog.db")), root),
        params=_flat(table.get("params", {})),
        seed=table.get("seed"),
        jobs=table.get("jobs"),
        secrets=_names(table.get("secrets", ()), "secrets"),
        vendored=_names(table.get("vendored", ()), "vendored"),
        roots=roots,
        from_environment="$" in f"{table.get('store')}{table.get('catalog')}",
    )


def _check_keys(table: Any, known: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is not a table.", f"write it as {where} with keys below it.")
    for key in table:
        if key not in known:
            near = did_you_mean(key, known)
            fix = f"did you mean '{near}'?" if near else f"known keys: {', '.join(known)}."
            raise ConfigError(f"{where} has an unknown key '{key}'.", fix)


def _names(value: Any, key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ConfigError(
        f"[tool.whence] {key} = {value!r} is not a text or a list of texts.",
        f'write {key} = "name" or {key} = ["one", "two"].',
    )


def _flat(params: Mapping[str, Any]) -> dict[str, Any]:
    """Tables by node become "node.param"; a bare name stays."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": v for inner, v in value.items()})
        else:
            flat[name] = value
    return flat


def _place(value: str, root: Path) -> str:
    """A URL as it is, with $VARIABLES filled in; a path made absolute."""
    text = os.path.expandvars(value)
    return text if "://" in text else str((root / Path(text).expanduser()).resolve())
