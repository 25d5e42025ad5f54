"""Environment variables as observations: salted digests, never values.

Kept free of heavy imports, because the path of a build that changes nothing uses it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

#: Stands for the whole environment, where code iterated over it.
ALL = "*"

#: Differ between two terminals without meaning anything to a pipeline; left out of ALL.
VOLATILE = frozenset({
    "_", "SHLVL", "PWD", "OLDPWD", "TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION",
    "TERM_SESSION_ID", "COLORTERM", "COLUMNS", "LINES", "WINDOWID", "DISPLAY", "WAYLAND_DISPLAY",
    "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_TTY",
    "XDG_SESSION_ID", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PS1", "PROMPT_COMMAND",
    "PYTEST_CURRENT_TEST", "INVOCATION_ID", "JOURNAL_STREAM", "TMUX", "TMUX_PANE", "STY",
    "VIRTUAL_ENV_PROMPT",
})  # fmt: skip

#: Read by libraries for their own housekeeping. They count where the project itself reads them.
HOUSEKEEPING = VOLATILE | frozenset({
    "HOME", "PATH", "USER", "LOGNAME", "LNAME", "USERNAME", "SHELL", "EDITOR", "PAGER",
    "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "HOSTNAME",
    "VIRTUAL_ENV", "CONDA_PREFIX", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CI",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS",
    "SYSTEMROOT", "PATHEXT", "COMSPEC", "SOURCE_DATE_EPOCH", "DEBUG_COLORS",
    "PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONWARNINGS", "PYTHONSTARTUP",
    "PYTHONBREAKPOINT", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED",
    "PYTHONASYNCIODEBUG", "PYTHONNODEBUGRANGES", "PYTHON_COLORS", "PYTHON_GIL",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "BLIS_NUM_THREADS", "ARROW_NUM_THREADS",
    "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "LOKY_PICKLER",
    "JOBLIB_MULTIPROCESSING", "JOBLIB_TEMP_FOLDER", "JOBLIB_START_METHOD", "KMP_INIT_AT_FORK",
    "KMP_DUPLICATE_LIB_OK", "MPLCONFIGDIR", "POLARS_TEMP_DIR", "POLARS_VERBOSE",
    "NETRC", "SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "BROWSER",
})  # fmt: skip


def value_digest(name: str, value: str | None, salt: str) -> str:
    """Salted digest of one variable's value, "absent" for None."""
    if value is None:
        return "absent"
    import hashlib

    text = f"env\n{salt}\n{name}\n{value}"
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def env_digest(name: str, salt: str, secrets: Collection[str] = ()) -> str:
    """Digest of the variable `name` as it is now in this process, or of all (`ALL`).

    Examples
    --------
    >>> env_digest("NO_SUCH_VARIABLE", "salt")
    'absent'
    """
    # `_data`: a look of our own must not be seen by the recorder.
    data = os.environ._data  # type: ignore[attr-defined]
    if name == ALL:
        rows = sorted(
            (os.fsdecode(key), os.fsdecode(value))
            for key, value in data.items()
            if not is_left_out(os.fsdecode(key), secrets)
        )
        return value_digest(ALL, "\n".join(f"{key}={value!r}" for key, value in rows), salt)
    value = data.get(os.fsencode(name))
    return value_digest(name, None if value is None else os.fsdecode(value), salt)


def is_left_out(name: str, secrets: Collection[str]) -> bool:
    """Whether the variable is no part of `ALL`."""
    return name in VOLATILE or name in secrets or name.startswith("WHENCE_")
