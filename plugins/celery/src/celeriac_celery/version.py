"""The release of Celery whose API this is, as programs compare it."""

from __future__ import annotations

from typing import NamedTuple


class version_info_t(NamedTuple):  # noqa: N801  # Celery's name
    """A version, in its parts."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str


VERSION = version_info_t(5, 7, 0, "", "")
VERSION_BANNER = "5.7.0 (collider)"
