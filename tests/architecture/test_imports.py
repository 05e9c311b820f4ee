"""Who may import whom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

#: What core may import besides the standard library: its five dependencies, and vine, whose promises kombu takes.
KERNEL_DEPENDENCIES = {"click", "importlib_metadata", "kombu", "pluggy", "stevedore", "vine"}

#: What one module is for, and what only those who load that module by its name need to have.
FOR_WHO_HAS_IT = {("celeriac.contrib.pytest", "pytest")}

#: The part of core that plugins are written against.
PUBLIC_TO_PLUGINS = {"plugin", "contracts", "exceptions", "pools", "protocol", "bootsteps", "signals"}
#: A scheduler is a subclass of beat's, as in Celery, and its entries have schedules.
PUBLIC_TO_PLUGINS |= {"beat", "schedules"}
#: And celeriac itself, the façade that applications import: where a framework calls, nobody hands the app over.
PUBLIC_TO_PLUGINS |= {""}


#: Distributions whose modules are not called as they are.
IMPORTED_AS = {"backports.zstd": "backports", "pyyaml": "yaml"}
#: With what newer versions of Python bring.
STANDARD = sys.stdlib_module_names | {"compression"}


def top(name: str) -> str:
    return name.partition(".")[0]


def foreign_to_core(house):
    allowed = sys.stdlib_module_names | KERNEL_DEPENDENCIES | {"celeriac"}
    return [
        str(each)
        for each in house.imports_of(house.core)
        if top(each.imported) not in allowed and (each.importer, top(each.imported)) not in FOR_WHO_HAS_IT
    ]


def forbidden_in_plugins(house):
    violations = []
    for plugin in house.plugins:
        for each in house.imports_of(plugin):
            first, _, rest = each.imported.partition(".")
            outside = first == "celeriac" and top(rest) not in PUBLIC_TO_PLUGINS
            another = first.startswith("celeriac_") and first != plugin.package
            if outside or another:
                violations.append(str(each))
    return violations


def undeclared_by_plugins(house):
    """Third-party modules that a plugin imports and its pyproject.toml doesn't require."""
    violations = []
    for plugin in house.plugins:
        requirements = [
            plugin.project.get("dependencies", []),
            *plugin.project.get("optional-dependencies", {}).values(),
        ]
        declared = {re.split(r"[^\w.-]", each)[0].lower().replace("-", "_") for group in requirements for each in group}
        declared |= {IMPORTED_AS[each] for each in declared & IMPORTED_AS.keys()}
        allowed = STANDARD | KERNEL_DEPENDENCIES | declared | {"celeriac", plugin.package}
        violations += [
            str(each)
            for each in house.imports_of(plugin)
            if top(each.imported) not in allowed and not top(each.imported).startswith("celeriac_")
        ]
    return violations


def heavy_in_plugin_modules(house):
    """Third-party modules that come along when the kernel imports the hookimpls of a plugin."""
    violations = []
    for plugin in house.plugins:
        by_importer = {}
        for each in house.imports_of(plugin):
            by_importer.setdefault(each.importer, []).append(each)
        reached, pending = set(), [plugin.package, f"{plugin.package}.plugin"]
        while pending:
            importer = pending.pop()
            if importer in reached:
                continue
            reached.add(importer)
            for each in by_importer.get(importer, []):
                if each.deferred:
                    continue
                if top(each.imported) == plugin.package:
                    pending.append(each.imported)
                elif top(each.imported) not in sys.stdlib_module_names | {"celeriac", "pluggy"}:
                    violations.append(str(each))
    return violations


def test_core_imports_its_five_dependencies_and_nothing_else(house):
    assert foreign_to_core(house) == []


def test_a_plugin_imports_the_public_part_of_core_and_no_other_plugin(house):
    assert forbidden_in_plugins(house) == []


def test_a_plugin_requires_what_it_imports(house):
    assert undeclared_by_plugins(house) == []


def test_asking_a_plugin_for_its_hooks_imports_no_third_party(house):
    assert heavy_in_plugin_modules(house) == []


def test_no_imports_make_a_circle_not_even_inside_functions(house):
    circle = house.circle()
    assert not circle, "\n".join(circle)


def test_no_module_meets_a_half_imported_package(house):
    circle = house.circle_at_import()
    assert not circle, "\n".join(circle)


def test_the_layers_of_core_are_kept(pytestconfig):
    # Given the contracts of pyproject.toml, when import-linter judges the installed core
    lint_imports = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [lint_imports, "--no-cache"],
        cwd=pytestconfig.rootpath,
        # Its box drawing needs UTF-8 wherever the tests run.
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # Then none is broken
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", result.stdout), result.stdout


# --- that each rule can be broken -------------------------------------------------------------------------------------

CORE = {"core/pyproject.toml": '[project]\nname = "celeriac"\n', "core/src/celeriac/__init__.py": ""}
PLUGIN = {
    "plugins/redis/pyproject.toml": '[project]\nname = "celeriac-redis"\ndependencies = ["celeriac", "redis>=5"]\n',
    "plugins/redis/src/celeriac_redis/__init__.py": "",
}


@pytest.mark.parametrize(
    "second",
    [
        pytest.param("import celeriac.first", id="when imported"),
        pytest.param("def late():\n    from celeriac import first", id="in a function"),
        pytest.param("def late():\n    from . import first", id="relative"),
        pytest.param("import importlib\ndef late():\n    importlib.import_module('celeriac.first')", id="by name"),
    ],
)
def test_a_circle_is_seen(build_house, second):
    house = build_house(
        {**CORE, "core/src/celeriac/first.py": "from celeriac import second", "core/src/celeriac/second.py": second}
    )
    assert len(house.circle()) == 2


def test_a_circle_through_the_front_of_a_package_is_seen(build_house):
    house = build_house(
        {
            **CORE,
            "core/src/celeriac/app/__init__.py": "from celeriac.app.base import Celery",
            "core/src/celeriac/app/base.py": "from celeriac.results.one import Result",
            "core/src/celeriac/results/__init__.py": "",
            "core/src/celeriac/results/one.py": "import celeriac.app.registry",
            "core/src/celeriac/app/registry.py": "",
        }
    )
    assert house.circle() == []
    assert "celeriac.results.one line 1 imports celeriac.app.registry" in house.circle_at_import()


def test_what_only_a_type_checker_imports_makes_no_circle(build_house):
    house = build_house(
        {
            **CORE,
            "core/src/celeriac/first.py": "from celeriac import second",
            "core/src/celeriac/second.py": (
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import celeriac.first"
            ),
        }
    )
    assert house.circle() == []


def test_a_client_library_in_core_is_seen(build_house):
    house = build_house({**CORE, "core/src/celeriac/broker.py": "def connect():\n    import redis"})
    assert foreign_to_core(house) == ["celeriac.broker line 2 imports redis in a function"]


@pytest.mark.parametrize("name", ["celeriac.app", "celeriac.worker.consumer", "celeriac_sqlite", "celeriac.results"])
def test_a_plugin_that_reaches_inside_is_seen(build_house, name):
    house = build_house({**CORE, **PLUGIN, "plugins/redis/src/celeriac_redis/broker.py": f"import {name}"})
    assert forbidden_in_plugins(house) == [f"celeriac_redis.broker line 1 imports {name}"]


def test_an_undeclared_requirement_of_a_plugin_is_seen(build_house):
    house = build_house({**CORE, **PLUGIN, "plugins/redis/src/celeriac_redis/broker.py": "import redis, hiredis"})
    assert undeclared_by_plugins(house) == ["celeriac_redis.broker line 1 imports hiredis"]


def test_a_client_library_behind_the_hooks_of_a_plugin_is_seen(build_house):
    source = "plugins/redis/src/celeriac_redis/"
    house = build_house(
        {
            **CORE,
            **PLUGIN,
            f"{source}plugin.py": "from celeriac_redis import broker\ndef later():\n    import redis",
            f"{source}broker.py": "import redis.client",
        }
    )
    assert heavy_in_plugin_modules(house) == ["celeriac_redis.broker line 1 imports redis.client"]
