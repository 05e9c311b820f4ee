"""The version as numbers, for programs that compare it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from celeriac import __version__


class version_info_t(NamedTuple):  # noqa: N801  # the name that callers know
    """The parts of a version; `releaselevel` is what follows the numbers, such as ``rc1``, `serial` a build."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str


def version_info_of(text: str) -> version_info_t:
    """The parts of a version as text."""
    numbers, level, serial = re.fullmatch(r"([\d.]+)([^+]*)\+?(.*)", text).groups()  # type: ignore[union-attr]  # ours is one
    major, minor, micro = (*map(int, numbers.strip(".").split(".")), 0, 0)[:3]
    return version_info_t(major, minor, micro, level, serial)


VERSION: Final = version_info_of(__version__)
version_info: Final = VERSION

__all__ = ["VERSION", "version_info", "version_info_of", "version_info_t"]
