"""The pages on how to write a driver show what ``celeriac plugins new`` writes, and that is a driver that works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from celeriac.cli.scaffold import KINDS, write_plugin

ROOT = Path(__file__).parents[2]
_COMMAND = re.compile(r"^\$ celeriac plugins new (\w+) (\w+)$", re.MULTILINE)
#: A block whose first line is a comment that names a file.
_FILE = re.compile(r"^```\w+\n# (\S+\.(?:py|toml))\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def install(source: Path, site: Path) -> None:
    """Have Python find the distribution in its directory, as `pip install -e` would, in no time."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    information = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(points))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_a_driver_that_passes_the_kit(kind, tmp_path):
    # Given the distribution that the command of the page writes
    page = (ROOT / "docs" / "how-to" / f"write-a-{kind}.md").read_text()
    told, name = _COMMAND.search(page).groups()
    assert told == kind
    source, site = tmp_path / "source", tmp_path / "site"
    write_plugin(kind, name, str(source))
    # Then what the page shows of it is what is there
    shown = dict(_FILE.findall(page))
    assert shown.pop("pyproject.toml").strip() in (source / "pyproject.toml").read_text()
    assert {file: (source / file).read_text() for file in shown} == shown
    assert list(shown) == [f"src/celeriac_{name}/{kind}.py"]
    # And its tests pass
    install(source, site)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(source / "src")))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert " passed" in tests.stdout
