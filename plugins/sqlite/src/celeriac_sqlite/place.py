"""Where the file is: what a URL names, and the place that is used when nothing is configured."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from celeriac.contracts.places import user_directory
from celeriac.contracts.urls import mask_password
from celeriac.exceptions import ImproperlyConfigured

_PREFIX = "sqlite://"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_FORMS = "sqlite:///relative.db, sqlite:////absolute/path.db, or sqlite:// for the default place"


def data_directory() -> Path:
    """The directory of embedded files: ``CELERIAC_HOME``, or the platform's place for a user's data."""
    return user_directory("data")


def embedded_file(app_name: str | None) -> Path:
    """The file that producers and workers of the app share when nothing is configured."""
    name = _NOT_IN_A_NAME.sub("_", app_name or "").strip("._")
    return data_directory() / f"{name[:100] or 'celeriac'}.db"


def prepare_directory(path: Path) -> None:
    """Make the directory of embedded files, for its user alone; any other place is the user's to make."""
    if path.parent == data_directory():
        with suppress(OSError):  # opening the file will fail and say why
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def url_of(path: Path) -> str:
    """The URL of a file."""
    return _PREFIX + "/" + quote(str(path.absolute()))


def path_of(url: str, app_name: str | None = None) -> Path:
    """The absolute path that `url` names; relative ones start at the current directory.

    Raises ImproperlyConfigured for a URL that names no file.
    """
    if not url.startswith(_PREFIX):
        raise ImproperlyConfigured(f"{mask_password(url)!r} is not a URL of an SQLite file; the forms are {_FORMS}")
    rest = url.removeprefix(_PREFIX)
    if rest in {"", "/"}:
        return embedded_file(app_name)
    if not rest.startswith("/"):
        raise ImproperlyConfigured(
            f"{mask_password(url)!r} names a host, and an SQLite file has none; the forms are {_FORMS}"
        )
    name = unquote(rest[1:])
    if name == ":memory:":
        raise ImproperlyConfigured(
            f"{mask_password(url)!r}: an in-memory file cannot be shared by processes; use memory:// (celeriac-memory)"
        )
    if "?" in rest:
        raise ImproperlyConfigured(
            f"{mask_password(url)!r} has a query, and these URLs have no options: they are the settings sqlite_*"
            " (a ? in the name of a file is written %3F)"
        )
    return Path(os.path.abspath(Path(name).expanduser()))
