"""``import celeriac``: what is there is what ``__all__`` says, sorted, and each name is the real thing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import celeriac


def test_all_is_sorted_and_every_name_of_it_is_there():
    assert list(celeriac.__all__) == sorted(celeriac.__all__, key=lambda name: (not name.isupper(), name))
    for name in celeriac.__all__:
        assert getattr(celeriac, name) is not None
    assert set(celeriac.__all__) <= set(dir(celeriac))


def test_every_lazy_name_leads_to_its_home_and_there_is_no_other():
    assert set(celeriac._HOMES) == set(celeriac.__all__)
    for name, home in celeriac._HOMES.items():
        assert vars(importlib.import_module(home))[name] is getattr(celeriac, name)


def test_a_checker_of_types_sees_the_same_names():
    tree = ast.parse(Path(celeriac.__file__).read_text())
    [branch] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in ast.walk(branch) if isinstance(node, ast.ImportFrom) for alias in node.names}
    seen |= {node.target.id for node in ast.walk(branch) if isinstance(node, ast.AnnAssign)}
    assert seen - {None} == set(celeriac.__all__)


def test_a_name_that_is_not_there_is_an_error_as_of_any_module():
    with pytest.raises(AttributeError, match="module 'celeriac' has no attribute 'Nothing'"):
        _ = celeriac.Nothing


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert celeriac.__version__ == version("celeriac")


@pytest.mark.parametrize(
    "module", ["celeriac.app", "celeriac.result", "celeriac.results", "celeriac.canvas", "celeriac.plugin"]
)
def test_the_facades_of_the_parts_say_what_is_there(module):
    found = importlib.import_module(module)
    assert list(found.__all__) == sorted(found.__all__)
    for name in found.__all__:
        assert hasattr(found, name)


def test_a_star_import_works_in_a_new_process():
    program = "from celeriac import *; import celeriac; print(sorted(set(celeriac.__all__) - set(globals())))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_can_be_compared_as_numbers():
    from celeriac.app.version import version_info_of

    assert celeriac.VERSION is celeriac.version_info
    assert ".".join(map(str, celeriac.VERSION[:3])) == celeriac.__version__
    assert celeriac.VERSION >= (0, 1)
    assert version_info_of("1.2rc1+local") == (1, 2, 0, "rc1", "local")
