"""The pages on how to write a driver show what ``celeriac plugins new`` writes, and that is drivers which work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from celeriac.cli.scaffold import KINDS, write_plugin
from celeriac.testing.conformance import CompressorHarness, CompressorSuite, VerdictKind, run

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


def pages() -> dict[str, tuple[str, str]]:
    """The text of each page, and the name that its driver has, by the kind."""
    found = {}
    for kind in KINDS:
        page = (ROOT / "docs" / "how-to" / f"write-a-{kind}.md").read_text()
        told, name = _COMMAND.search(page).groups()
        assert told == kind
        found[kind] = page, name
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_what_its_command_writes(kind, tmp_path):
    page, name = pages()[kind]
    write_plugin(kind, name, str(tmp_path / "source"))

    shown = dict(_FILE.findall(page))

    assert shown.pop("pyproject.toml").strip() in (tmp_path / "source" / "pyproject.toml").read_text()
    assert list(shown) == [f"src/celeriac_{name}/{kind}.py"]
    assert {file: (tmp_path / "source" / file).read_text() for file in shown} == shown


def test_the_compressor_that_is_shown_passes_the_kit():
    page, _ = pages()["serializer"]
    (shown,) = re.findall(r"^```python\n(import zlib.*?)^```$", page, re.MULTILINE | re.DOTALL)
    module: dict[str, Any] = {}
    exec(shown, module)  # what our own page shows
    case = type("Case", (CompressorSuite,), {"make_harness": lambda _: CompressorHarness(module["Deflate"])})
    assert {verdict.kind for verdict in run(case)} == {VerdictKind.PASSED}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_is_shown_passes_the_kit(tmp_path):
    # Given all the drivers of the pages, installed
    site, sources = tmp_path / "site", []
    for kind, (_, name) in pages().items():
        sources.append(tmp_path / f"celeriac-{name}")
        write_plugin(kind, name, str(sources[-1]))
        install(sources[-1], site)
    paths = [str(site), *(str(source / "src") for source in sources)]
    # When the tests run that came with them, in one process: its start takes longer than most of them
    tests = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-W", "error", "--import-mode=importlib", *(str(source / "tests") for source in sources)),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    # Then they pass
    assert tests.returncode == 0, tests.stdout + tests.stderr
    for suite in ("TestBroker", "TestBackend", "TestSerializer", "TestPool"):
        assert len(re.findall(rf"::{suite}::\w+ PASSED", tests.stdout)) > 5, tests.stdout
