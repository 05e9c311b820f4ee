"""Concurrency ``auto`` is what the process may use, not what the machine has."""

from __future__ import annotations

import os

import pytest

from celeriac.pools.processors import processors
from celeriac.worker.boot import concurrency_of


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 64 processors whose ``proc`` and ``sys`` are made by the test: paths to content."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)

    def make(files):
        for path, content in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return tmp_path

    return make


CGROUPS = {
    "no control groups at all": ({}, 64),
    "version 2, no quota": (
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "max 100000\n"},
        64,
    ),
    "version 2, four processors": (
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "400000 100000\n"},
        4,
    ),
    "version 2, one and a half": (
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "150000 100000\n"},
        2,
    ),
    "version 2, a tenth": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
    "version 2, the quota of the group around": (
        {
            "proc/self/cgroup": "0::/pod/app\n",
            "sys/fs/cgroup/pod/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "300000 100000\n",
        },
        3,
    ),
    "version 2, in a container that sees its own group as the root": (
        {"proc/self/cgroup": "0::/kubepods/pod1/c2\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"},
        2,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "5:memory:/app\n4:cpu,cpuacct:/app\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "500000\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000\n",
        },
        5,
    ),
    "version 1, no quota": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/app\n",
            "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
        },
        64,
    ),
    "version 1 beside an idle version 2": (
        {
            "proc/self/cgroup": "4:cpu:/docker/x\n0::/docker/x\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        3,
    ),
    "nonsense": ({"proc/self/cgroup": "0::/app\nwhat\n", "sys/fs/cgroup/app/cpu.max": "soon\n"}, 64),
    "a quota above what there is": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"},
        64,
    ),
}


@pytest.mark.parametrize(("files", "expected"), CGROUPS.values(), ids=CGROUPS.keys())
def test_the_quota_of_the_container_bounds_the_processors(machine, files, expected):
    assert processors(machine(files)) == expected


def test_affinity_bounds_them_too(machine, monkeypatch):
    root = machine({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "800000 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert processors(root) == 2


@pytest.mark.covers("settings.worker_concurrency")
def test_auto_is_that_number_unless_the_pool_knows_better(monkeypatch):
    monkeypatch.setattr("celeriac.worker.boot.processors", lambda: 3)
    assert [concurrency_of(value) for value in ("auto", None, 0, "0", "")] == [3] * 5
    assert concurrency_of("auto", lambda available: available * 100) == 300
    assert concurrency_of("7", lambda available: available * 100) == 7
