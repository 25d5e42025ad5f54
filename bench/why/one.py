"""One scenario, in a process of its own: its truth, or what the tools say of it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import baselines
import classes
import numpy as np
import plain
import score
from scenario import Change, Scenario
from truth import Oracle, truth

BUDGET = 60.0  # rebuilds: what a search takes is measured, not cut
QUIET_BENIGN = 4


def build(root: Path, metric: str, seed: int | None) -> tuple[str, float]:
    """Build with whence; the build's id and the metric."""
    import whence as wh

    made = wh.Project.open(root).build([metric], seed=seed, jobs=2)
    if not made.ok:
        failed = next(t for t in made.tasks if t.error)
        raise RuntimeError(f"whence cannot build {failed.node}: {failed.error}")
    return made.id, float(made[metric])


def explained(root: Path, metric: str, before: str, after: str) -> dict[str, Any]:
    """What `whence why` says, as JSON, with its wall time."""
    import whence as wh
    from whence.why import explain

    began = time.perf_counter()
    found = explain(wh.Project.open(root), metric, before, after, budget=BUDGET, jobs=2)
    said: dict[str, Any] = json.loads(json.dumps(found.to_json()))
    return said | {"wall_s": time.perf_counter() - began}


def tools(spec: dict[str, Any]) -> dict[str, Any]:
    """A, B and `whence why` between them; then the baselines, on the mixes of the truth."""
    made = classes.scenario(spec["cls"], spec["domain"], spec["seed"])
    known = truth(
        spec["cls"], spec["domain"], spec["seed"], Path(spec["cache"]), Path(spec["scratch"])
    )
    root = Path(spec["scratch"]) / made.name
    made.write_base(root)
    low, high = made.seeds_only or (None, None)
    before, value = build(root, made.metric, low)
    made.apply(root, range(len(made.changes)))
    after, candidate = build(root, made.metric, high)
    said = explained(root, made.metric, before, after)
    found = score.blamed(made, said["causes"])
    columns, partition = score.refined(made, known, said["causes"])
    result = {
        "status": "ok",
        "verdict": said["verdict"],
        "sentence": said["sentence"],
        "changes": len(made.changes),
        "labels": [f"{i}{'*' if c.guilty else ''} {c.label}" for i, c in enumerate(made.changes)],
        "required": known["required"],
        "optional": known["optional"],
        "delta": known["delta"],
        "found": [sorted(s) for s in found],
        "causes": [
            {k: c[k] for k in ("kind", "changes", "share")} | {"effect": c["effect"]["mean"]}
            for c in said["causes"]
        ],
        "refinements": [r for c in said["causes"] for r in c["refinements"]],
        "notes": said["notes"],
        "top1": score.top1(found, known),
        "exact": score.exact(found, known),
        "column": columns,
        "partition": partition,
        "cost": said["cost"],
        "wall_s": said["wall_s"],
        "disagreement": disagreement(known, made, value, candidate),
    }
    if spec.get("baselines") and not made.seeds_only:
        result["baselines"] = asked(made, known, root)
    if result["exact"] and columns is not False and partition is not False:
        shutil.rmtree(root)
    else:
        result["folder"] = str(root)
    return result


def disagreement(
    known: dict[str, Any], made: Scenario, value: float, candidate: float
) -> float | None:
    """How far whence's builds are from the same worlds run without it; it should be nothing."""
    if made.seeds_only:
        return None
    everything = ",".join(map(str, range(len(made.changes))))
    pairs = ((value, known["mixes"][""][0]), (candidate, known["mixes"][everything][0]))
    return max(abs(one - other[0]) for one, other in pairs)


def asked(made: Scenario, known: dict[str, Any], root: Path) -> dict[str, Any]:
    """The baselines' answers, scored in the same way."""
    folder = root.with_name(root.name + "-baselines")
    oracle = Oracle(made, folder)
    for text, (values, error) in known["mixes"].items():
        chosen = frozenset(int(i) for i in text.split(",") if i)
        oracle.kept[chosen] = plain.Answer(values and tuple(values), error)
    found = {}
    for name, blame in baselines.run(oracle, made).items():
        found[name] = {
            "top1": score.top1(blame.sets, known),
            "exact": score.exact(blame.sets, known),
            "mixes": blame.mixes,
        }
    shutil.rmtree(folder)
    return found


def harmless(drawn: list[Change]) -> list[Change]:
    """The first few whose ids do not collide."""
    kept: list[Change] = []
    for change in drawn:
        if len(kept) < QUIET_BENIGN and not any(change.ids & one.ids for one in kept):
            kept.append(change)
    return kept


def noise(spec: dict[str, Any]) -> dict[str, Any]:
    """Builds that differ by the seed, and four of five by benign changes too; none is filtered."""
    rng = np.random.default_rng([spec["seed"], 99, len(spec["domain"])])
    lib = classes.library(spec["domain"])
    tables = classes.DOMAINS[spec["domain"]](int(rng.integers(1 << 30)))
    result: dict[str, Any] = {"status": "ok", "builds": 0, "alarms": 0, "false": [], "rebuilds": []}
    root = Path(spec["scratch"]) / f"noise-{spec['domain']}-{spec['seed']}"
    for i in range(spec["builds"]):
        changes = harmless(lib.benign(rng)) if i % 5 else []
        low, high = (int(s) for s in rng.choice(100_000, 2, replace=False))
        made = Scenario(spec["domain"], lib.metric, "noise", i, tables, changes, [])
        made.write_base(root)
        before, _ = build(root, lib.metric, low)
        made.apply(root, range(len(changes)))
        after, _ = build(root, lib.metric, high)
        said = explained(root, lib.metric, before, after)
        result["builds"] += 1
        result["rebuilds"].append(said["cost"]["rebuilds"])
        if said["causes"]:
            result["alarms"] += 1
            labels = [c.label for c in changes]
            result["false"].append(
                {"labels": labels, "sentence": said["sentence"], "seeds": [low, high]}
            )
    shutil.rmtree(root)
    return result


def main() -> int:
    command, spec = sys.argv[1], json.loads(sys.argv[2])
    plain.preload()
    if command == "truth":
        place = Path(spec["cache"]), Path(spec["scratch"])
        found = truth(spec["cls"], spec["domain"], spec["seed"], *place)
    else:
        found = noise(spec) if spec["cls"] == "noise" else tools(spec)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
