"""From lines to a table, and to `bench/results/why.json`."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from score import wilson

VERSIONS = ("numpy", "pandas", "pyarrow", "scikit-learn")
SEVERAL = ("pair", "triple")


def rate(hits: Iterable[bool]) -> dict[str, Any]:
    """A share with its Wilson interval."""
    listed = list(hits)
    low, high = wilson(sum(listed), len(listed))
    share = sum(listed) / len(listed) if listed else None
    return {"hits": sum(listed), "n": len(listed), "share": share, "low": low, "high": high}


def median(values: Iterable[float]) -> float | None:
    listed = list(values)
    return statistics.median(listed) if listed else None


def of_lines(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Scores of some scenarios; one that ended in an error counts as wrong."""
    ran = [line for line in lines if line["status"] == "ok"]

    def scored(key: str) -> dict[str, Any]:
        return rate(bool(line.get(key)) for line in lines)

    def told(key: str) -> dict[str, Any]:
        return rate(line[key] for line in ran if line.get(key) is not None)

    def cost(
        key: str, chosen: Callable[[dict[str, Any]], bool] = lambda line: True
    ) -> float | None:
        return median(line["cost"][key] for line in ran if chosen(line))

    return {
        "scenarios": len(lines),
        "errors": len(lines) - len(ran),
        "top1": scored("top1"),
        "exact": scored("exact"),
        "column": told("column"),
        "partition": told("partition"),
        "rebuilds": cost("rebuilds"),
        "refinement_rebuilds": cost("refinement_rebuilds"),
        "mixes": cost("mixes"),
        "executions": cost("executions"),
        "rebuild_executions": cost("rebuild_executions"),
        "wall_s": median(line["wall_s"] for line in ran),
        "rebuilds_to_8_changes": cost("rebuilds", lambda line: line["changes"] <= 8),
        "rebuilds_of_many": cost("rebuilds", lambda line: line["changes"] >= 18),
    }


def of_baselines(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kept = [line["baselines"] for line in lines if "baselines" in line]
    return {
        name: {
            "top1": rate(b[name]["top1"] for b in kept),
            "exact": rate(b[name]["exact"] for b in kept),
            "mixes": median(b[name]["mixes"] for b in kept),
        }
        for name in (kept[0] if kept else ())
    }


def summary(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All figures: by class, together, of the baselines and of the noise builds."""
    names = list(dict.fromkeys(line["cls"] for line in lines if line["cls"] != "noise"))
    fit = [x for x in lines if x["cls"] != "noise" and not str(x["status"]).startswith("dropped")]
    measured = [x for x in fit if "truth" not in x]
    noise = [x for x in lines if x["cls"] == "noise" and x["status"] == "ok"]
    classes = {}
    for name in names:
        mine = [x for x in measured if x["cls"] == name]
        away = [x for x in lines if x["cls"] == name and str(x["status"]).startswith("dropped")]
        found = {"dropped": len(away), "fit": sum(1 for x in fit if x["cls"] == name)}
        classes[name] = found | of_lines(mine) | {"baselines": of_baselines(mine)}
    faulty = [x for x in measured if x["cls"] not in ("seed", "benign")]
    builds, alarms = (sum(x[key] for x in noise) for key in ("builds", "alarms"))
    low, high = wilson(alarms, builds)
    return {
        "classes": classes,
        "faults": of_lines(faulty),
        "all": of_lines(measured),
        "baselines": of_baselines(faulty),
        "noise": {
            "builds": builds,
            "alarms": alarms,
            "low": low,
            "high": high,
            "rebuilds": median(r for x in noise for r in x["rebuilds"]),
        },
        "largest_disagreement_with_plain_runs": max(
            (x["disagreement"] for x in measured if x.get("disagreement") is not None), default=None
        ),
    }


def shown(figure: dict[str, Any]) -> str:
    """Hits of cases, and the interval in per cent."""
    if not figure["n"]:
        return ""
    return f"{figure['hits']}/{figure['n']} ({figure['low']:.0%}–{figure['high']:.0%})"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    rows = [
        "| class | dropped | fit | top-1 | exact family | column | partition | rebuilds | wall s |"
    ]
    rows.append("| --- " * 9 + "|")
    everything = found["classes"] | {"**faults**": {"dropped": "", "fit": ""} | found["faults"]}
    for name, one in everything.items():
        rates = " | ".join(shown(one[k]) for k in ("top1", "exact", "column", "partition"))
        costs = " | ".join(number(one[k]) for k in ("rebuilds", "wall_s"))
        rows.append(f"| {name} | {one['dropped']} | {one['fit']} | {rates} | {costs} |")
    rows += ["", "| baseline | top-1 | exact family | mixes |", "| --- | --- | --- | --- |"]
    for name, one in found["baselines"].items():
        rows.append(
            f"| {name} | {shown(one['top1'])} | {shown(one['exact'])} | {number(one['mixes'])} |"
        )
    noise = found["noise"]
    if noise["builds"]:
        rows += [
            "",
            f"Noise builds: {noise['alarms']} false alarms of {noise['builds']} ({noise['low']:.1%}–{noise['high']:.1%}).",
        ]
    return "\n".join(rows)


def write(path: Path, found: dict[str, Any], chosen: argparse.Namespace) -> None:
    """The summary, with what it was measured on."""
    head = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "seed": chosen.seed,
        "per_class": chosen.per_class,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(head | found, indent=2) + "\n")
