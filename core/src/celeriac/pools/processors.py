"""How many processors this process may use: those that it may run on, and the quota of the container that it is in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")


def processors(root: Path = _ROOT) -> int:
    """At least one.  `root` is where the file systems of the kernel (``proc``, ``sys``) are found."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        allowed = os.cpu_count() or 2
    quota = min(_quotas(root), default=math.inf)
    return allowed if quota >= allowed else max(1, math.ceil(quota))


def _quotas(root: Path) -> Iterator[float]:
    """The quotas, in processors, of the control groups of this process and of all around them, of version 1 and 2."""
    mount = root / "sys/fs/cgroup"
    for controllers, group in _groups(root):
        if not controllers:
            for place in (mount, mount / "unified"):
                yield from _each(_quota_v2, place, group)
        elif "cpu" in controllers.split(","):
            for name in dict.fromkeys(("cpu", controllers, "cpu,cpuacct", "cpuacct,cpu")):
                yield from _each(_quota_v1, mount / name, group)


def _groups(root: Path) -> list[tuple[str, PurePosixPath]]:
    """The controllers and path of each group of this process; no controllers for the one of version 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux, or hidden
        return []
    found = [line.split(":", 2) for line in lines]
    return [(fields[1], PurePosixPath(fields[2])) for fields in found if len(fields) == 3]


def _each(quota_of: Callable[[Path], float | None], place: Path, group: PurePosixPath) -> Iterator[float]:
    # In a container the path may be that of the host, of which only the innermost part is to be seen, as the root.
    for around in (group, *group.parents):
        try:
            quota = quota_of(place / str(around).lstrip("/"))
        except (OSError, ValueError, ZeroDivisionError):  # no such group here, or without such a file
            continue
        if quota is not None:
            yield quota


def _quota_v2(group: Path) -> float | None:
    quota, period = (group / "cpu.max").read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(group: Path) -> float | None:
    quota = int((group / "cpu.cfs_quota_us").read_text())
    return None if quota <= 0 else quota / int((group / "cpu.cfs_period_us").read_text())
