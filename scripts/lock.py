"""Write requirements/lock.txt: what pyproject.toml asks for, as it is installed here, pinned.

    python -m venv .venv-lock
    .venv-lock/bin/pip install -e '.[dev]'
    .venv-lock/bin/python scripts/lock.py

Only names and versions: where a package came from is the business of whoever installs it.
Torch has its own file, since its wheels do not exist for every Python.
"""

import argparse
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "lock.txt"
APART = {"torch"}


def closure(wanted: list[Requirement]) -> dict[str, str]:
    """Name -> version of everything that `wanted` needs in this interpreter."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(requirement, extra) for requirement in wanted for extra in ("", *requirement.extras)]
    while todo:
        requirement, extra = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen or name in APART or name == "whence":
            continue
        seen.add((name, extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed here.\n  Fix: pip install -e '.[dev]', then again.")
        # A local part ("+cpu") names a place, not a version.
        found[name] = installed.version.partition("+")[0]
        for text in installed.requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                todo += [(need, wish) for wish in ("", *need.extras)]
    return found


def wanted() -> list[Requirement]:
    """The core, and every extra but torch's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *(t for e, ts in extras.items() if e != "torch" for t in ts)]
    requirements = [Requirement(text) for text in texts]
    return [one for one in requirements if one.marker is None or one.marker.evaluate()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say what would change")
    arguments = parser.parse_args()
    pins = closure(wanted())
    head = "# Written by scripts/lock.py: every version that whence is tested with.\n"
    text = head + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins))
    if not arguments.check:
        LOCK.write_text(text)
        print(f"{LOCK.relative_to(ROOT)}: {len(pins)} distributions")
    elif text != LOCK.read_text():
        sys.exit(f"{LOCK.relative_to(ROOT)} is not what is installed.\n  Fix: leave out --check.")


if __name__ == "__main__":
    main()
