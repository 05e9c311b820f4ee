"""Writes the stubs of the package ``celery``, by which type checkers find what it has: `make stubs`.

At run time its modules are made when they are imported; a stub says of each name in which of our modules it is.
"""

from __future__ import annotations

import ast
import importlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from celeriac_celery.absences import ABSENT
from celeriac_celery.doors import ALIASES, DOORS, PACKAGES, RENAMED, homes_of
from celeriac_celery.driver_modules import DRIVEN

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "plugins" / "celery" / "src" / "celery"
MODULES = json.loads((ROOT / "tests" / "data" / "celery-modules.json").read_text())
HEAD = '"""Made by `make stubs`: where each name is."""\n'


def stubs():
    """The text of each stub, by its path below the package."""
    found = {"__init__.pyi": facade()}
    for name in sorted({*MODULES, *DOORS, *ALIASES, *DRIVEN} - {"celery"}):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        path = name.removeprefix("celery.").replace(".", "/")
        is_package = name in PACKAGES or hasattr(module, "__path__")
        found[f"{path}/__init__.pyi" if is_package else f"{path}.pyi"] = stub(name, module)
    return found


def facade():
    ours = importlib.import_module("celeriac")
    own = {"VERSION", "version_info", "version_info_t"}
    places = {name: ("celeriac", name) for name in {*ours.__all__} - own}
    places["maybe_patch_concurrency"] = ("celeriac_celery.pool_names", "maybe_patch_concurrency")
    places |= {name: ("celeriac_celery.version", name) for name in ("VERSION", "VERSION_BANNER", "version_info_t")}
    return written([], places, ["SERIES: str", "__version__: str", "version_info: version_info_t"])


def stub(name, module):
    """All of our module of that name, by a star, so that it may change; the rest one by one."""
    wanted, lines, places = {*MODULES.get(name, ())}, [], {}
    for each in sorted({*getattr(module, "__all__", ()), *wanted}):
        if f"{name}:{each}" in ABSENT or each.startswith("__") or not hasattr(module, each):
            continue
        home, found = place(name, each)
        if each not in wanted and home is not None and each not in offered(home):
            continue
        places[each] = home, found
    star = next((home for home in homes(name) if is_same(name, home)), None)
    if star is None or any(home != star and each in offered(star) for each, (home, _) in places.items()):
        star = None
    else:
        places = {each: found for each, found in places.items() if found[0] != star or each not in offered(star)}
    lines = [f"{each}: Any" for each, (_, found) in places.items() if found is None]
    there = {each: found for each, (_, found) in places.items() if found is not None}
    if lines:
        there["Any"] = ("typing", "Any")
    return written([star] if star is not None else [], there, lines)


def homes(name):
    """The modules in which a name of that module is looked for."""
    if name in DRIVEN:
        return ()
    return homes_of(name) if name in DOORS else (ALIASES.get(name, name.replace("celery", "celeriac", 1)),)


def is_same(name, home):
    """Whether it is our module of that name, and there is one."""
    return name in ALIASES or (home == name.replace("celery", "celeriac", 1) and find_spec(home) is not None)


def written(stars, places, lines):
    imports, more = [f"from {star} import *" for star in stars], []
    for name, (module, original) in sorted(places.items(), key=lambda each: (each[1][0], each[0])):
        if name == original:
            imports.append(f"from {module} import {name} as {name}")
        else:  # by another name an import is not offered to others
            imports.append(f"from {module} import {original} as _{name}")
            more.append(f"{name} = _{name}")
    return HEAD + "".join("\n" + "\n".join(part) + "\n" for part in (imports, [*lines, *more]) if part)


def offered(module):
    """What a star brings from a module."""
    found = importlib.import_module(module)
    here = [name for name, home in bindings(module).items() if home[0] == module and not name.startswith("_")]
    return getattr(found, "__all__", here)


def place(module, name):
    """Where a name is looked up, and where a checker finds it: module and name, None if that is only known later."""
    if (renamed := RENAMED.get(module, {}).get(name)) is not None:
        home, _, attribute = renamed.partition(":")
        return home, defined(home, attribute)
    if module in DRIVEN:
        found = getattr(importlib.import_module(module), name)
        return None, defined(found.__module__, found.__qualname__) if isinstance(found, type) else None
    for home in homes(module):
        try:
            if hasattr(importlib.import_module(home), name):
                return home, defined(home, name)
        except ModuleNotFoundError:
            continue
    return None, None


def defined(module, name):
    """Where a name is defined, past all modules that only import it."""
    if not module.startswith("celeriac"):
        return module, name
    found = bindings(module).get(name)
    if found is None:
        return None
    return (module, name) if found == (module, name) else defined(*found)


@cache
def bindings(module):
    """What a module binds at its top, and where that is from."""
    file = importlib.import_module(module).__file__
    found = {}
    for node in statements(ast.parse(Path(file).read_text()).body):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update((alias.asname or alias.name, (node.module, alias.name)) for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = (module, node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update((each.id, (module, each.id)) for each in targets if isinstance(each, ast.Name))
    return found


def statements(body):
    for node in body:
        yield node
        if isinstance(node, ast.If):  # TYPE_CHECKING
            yield from statements(node.body)


def main():
    for path in PACKAGE.rglob("*.pyi"):
        path.unlink()
    for path, text in stubs().items():
        (PACKAGE / path).parent.mkdir(parents=True, exist_ok=True)
        (PACKAGE / path).write_text(text)


if __name__ == "__main__":
    main()
