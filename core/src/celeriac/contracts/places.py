"""Where a user's files are, when nothing says where."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, Literal

#: By the kind of files: the variable of the XDG base directories that moves them, and where they are without it.
_XDG: Final = {"data": ("XDG_DATA_HOME", ".local/share"), "state": ("XDG_STATE_HOME", ".local/state")}


def user_directory(kind: Literal["data", "state"]) -> Path:
    """The directory for files of that kind: ``CELERIAC_HOME``, or the platform's place for a user's files."""
    home = os.environ.get("CELERIAC_HOME")
    if home:
        return Path(home).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "celeriac"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "celeriac"
    variable, default = _XDG[kind]
    # XDG: a relative path in the variable is to be ignored.
    given = os.environ.get(variable, "")
    return (Path(given) if os.path.isabs(given) else Path.home() / default) / "celeriac"
