"""A guided tour of `whence why`: two branches, four differences, and the two that did it.

python tour.py [FOLDER]        works in a copy: FOLDER, or a new one among the temporary files
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tour_branches as branches
from demo import command, say
from get_data import get_data

HERE = Path(__file__).resolve().parent
CODE, DATA = "code:flights.prepare.departures", "source:flights"
PACKAGE = "distribution:vendor.smoothing"
SEED = 1
LEFT_OUT = shutil.ignore_patterns(".whence", "__pycache__", "tour*", "demo.py", ".venv*")


def run(root: Path, *words: str) -> str:
    """Show a command, run it in the copy, show what it prints, and return that."""
    print(f"\n$ whence {' '.join(words)}", flush=True)
    done = subprocess.run(
        [command(), *words], cwd=root, stdout=subprocess.PIPE, text=True, check=False
    )
    if "--json" not in words:
        print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


def as_json(root: Path, *words: str) -> Any:
    """The same, of a command's JSON document."""
    return json.loads(run(root, *words, "--json"))


def value(root: Path, build: str) -> float:
    """The AUC of a build."""
    shown = as_json(root, "show", f"auc@{build}")["node"]["values"]
    return float(shown[0]["summary"]["value"])


def branch_a(root: Path) -> None:
    """A copy of the project with fewer flights, built and accepted."""
    say("\n1. Branch A, the baseline: the project with fewer flights and a smaller model.")
    get_data(HERE / "data")
    shutil.copytree(HERE, root, ignore=LEFT_OUT, dirs_exist_ok=True)
    branches.make_smaller(root)
    branches.vendor_smoothing(root)
    print(f"One flight of {branches.EVERY}, the months {', '.join(branches.MONTHS)}, 40 trees;")
    print("late rates are smoothed by a vendored package, vendor/smoothing 1.2.0.")
    run(root, "build", "auc")
    run(root, "accept", "latest")


def branch_b(root: Path) -> None:
    """The same copy after four differences."""
    say("\n2. Branch B: two weeks later, four things are different. None of them looks wrong.")
    branches.read_the_clock(root)
    print(
        "  code    flights/prepare.py takes the hour of departure from `sched_dep_time` (1745)"
        "\n          instead of `hour` and `minute`: the same number for every flight."
    )
    changed = branches.deliver_again(root)
    print(
        f"  data    month {branches.SPOILT_MONTH} was delivered again by another system: "
        f"{changed:,} rows with"
        "\n          `sched_dep_time` in minutes since midnight (1065), `air_time` in steps of 5."
        "\n          Nothing read either of them."
    )
    branches.write_smoothing(root, "1.3.0")
    print("  package vendor/smoothing 1.2.0 -> 1.3.0: another way to compute the same shares.")
    print("  seed    the model is trained again with another one.")
    run(root, "build", "auc", "--set", f"delay_model.seed={SEED}")
    run(root, "diff", "b1", "b2")
    print("\n`whence diff` lists what differs. Which of it moved the AUC, it cannot say.")


def ask_why(root: Path) -> Any:
    """Ask, on the terminal, as a page and as JSON, and check the answer."""
    say("\n3. Which change did it? Mixes of both branches are built; what they share is not.")
    run(root, "why", "auc", "b1", "b2", "--html", "why.html")
    print(f"\nThe same as a page: {root / 'why.html'}")
    print("Asked again, nothing is built: all mixes are in the store. For a program:")
    return as_json(root, "why", "auc", "b1", "b2")["why"]


def check(answer: Any) -> None:
    """Print the facts of the tour; end it where the answer is another than the truth."""
    inside = {r["change"]: r for cause in answer["causes"] for r in cause["refinements"]}
    facts = {
        "verdict": answer["verdict"],
        "causes": [[cause["kind"], sorted(cause["changes"])] for cause in answer["causes"]],
        "columns": inside.get(DATA, {}).get("columns"),
        "partition": inside.get(DATA, {}).get("partition"),
        "lines": inside.get(CODE, {}).get("lines"),
        "states": {change["id"]: change["state"] for change in answer["changes"]},
        "baseline": round(answer["baseline"]["band"]["mean"], 4),
        "candidate": round(answer["candidate"]["band"]["mean"], 4),
    }
    print(json.dumps(facts, indent=2))
    wanted = {
        "verdict": "explained",
        "causes": [["interaction", sorted([CODE, DATA])]],
        "columns": ["sched_dep_time"],
        "partition": f"month = {branches.SPOILT_MONTH}",
    }
    wrong = {name: facts[name] for name, want in wanted.items() if facts[name] != want}
    if facts["states"].get(PACKAGE) not in ("inert", "no effect"):
        wrong["package"] = facts["states"].get(PACKAGE)
    if wrong:
        sys.exit(f"The answer should be {wanted}, but for {wrong}.")


def take_back(root: Path, answer: Any) -> None:
    """Type what the answer suggests, and see the metric come back."""
    say("\n4. What if one of the two is taken back? The answer says what to type.")
    words = answer["next"][0].split()
    made = as_json(root, *words[1:])["build"]["id"]
    repaired, left = value(root, made), words[words.index("--apply") + 1]
    # Build b2 was trained with seed 1, so this is to be compared with branch A at that seed.
    before, after = (answer[side]["values"][str(SEED)] for side in ("baseline", "candidate"))
    print(
        f"\n{made} is branch B without {left}. Its AUC is {repaired:.4f}; with seed {SEED} too,"
        f"\nbranch A has {before:.4f} and branch B {after:.4f}."
    )
    if abs(repaired - before) > 0.1 * abs(after - before):
        sys.exit("The metric did not come back.")


def main() -> None:
    """Run the tour."""
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    began = time.monotonic()
    given = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="whence-tour-")
    root = Path(given).resolve()
    if root.exists() and any(root.iterdir()):
        sys.exit(f"{root} is not empty: name a new folder for the copy.")
    say("Which change moved the metric? A tour of `whence why` on flights from New York.")
    print(f"Everything happens in a copy: {root}")
    branch_a(root)
    branch_b(root)
    answer = ask_why(root)
    check(answer)
    take_back(root, answer)
    say(f"\n{time.monotonic() - began:.0f} s. The method and its limits: docs/guide/why.md")


if __name__ == "__main__":
    main()
