"""Packages in other versions than are installed, for mixes that need them.

The wanted versions are installed once into a folder of their own, without what they depend on, and
that folder goes first on the module path of the workers: only what differs is laid over what is
there.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whence.engine.environment import Environment
from whence.engine.session import Stores, scan_environment
from whence.errors import WhenceError
from whence.graph.digest import digest_text

_LIMIT_S = 600


class NotInstallable(WhenceError):
    """A package cannot be had in the version that a build was made with."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a mix runs with: `path` is laid over the installed packages, "" for nothing."""

    path: str
    environment: Environment


class Environments:
    """The environments of mixes, made once each and kept below `.whence/environments`."""

    def __init__(self, stores: Stores, installed: Environment) -> None:
        self.stores = stores
        self.plain = Overlay("", installed)
        self._folder = stores.config.state_dir / "environments"
        self._known: dict[str, Overlay] = {}
        self._lock = threading.Lock()

    def with_versions(self, wanted: Mapping[str, str]) -> Overlay:
        """An environment with these packages in these versions.

        Raises
        ------
        NotInstallable
            If an installer cannot get one of them.
        """
        here = self.plain.environment.lock()
        other = {name: version for name, version in wanted.items() if here.get(name) != version}
        if not other:
            return self.plain
        specs = [f"{name}=={version}" for name, version in sorted(other.items())]
        name = digest_text("overlay", sys.version, *specs).partition(":")[2][:32]
        with self._lock:
            if name not in self._known:
                # Of this name, since folders of the project are otherwise its code to workers.
                folder = self._folder / name / "site-packages"
                if not folder.is_dir():
                    self._install(specs, folder)
                environment = scan_environment(self.stores, str(folder))
                self._known[name] = Overlay(str(folder), environment)
            return self._known[name]

    def _install(self, specs: list[str], folder: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=".tmp-", dir=self._folder)
        place = Path(temporary) / "site-packages"
        try:
            done = subprocess.run(
                [*_installer(), "--quiet", "--no-deps", "--target", str(place), *specs],
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.strip()]
                reason = lines[-1] if lines else "the installer gave no reason"
                raise NotInstallable(
                    f"{', '.join(specs)} cannot be installed: {reason}",
                    "make it available to pip, or compare builds with equal packages.",
                )
            Path(temporary).replace(folder.parent)
        except subprocess.TimeoutExpired:
            raise NotInstallable(
                f"Installing {', '.join(specs)} took more than {_LIMIT_S} s.",
                "install it by hand once, so that it is in pip's cache.",
            ) from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _installer() -> list[str]:
    """pip of this interpreter, else uv."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    raise NotInstallable("Neither pip nor uv is here to install packages.", "install one of them.")
