"""What each distribution has, and how its files look."""

from __future__ import annotations

import configparser
import re
import subprocess

import pytest

MOST_LINES = 450
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}

#: A lint or type exception: which one, and then why. Several on one line share the reason at its end.
EXCEPTION = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b")
REASONED = re.compile(r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w,\s-]+\])(?:\s+#|\s+-)\s*\w")

# Spelled in pieces, so that this file does not mention them.
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "tmp/ba" + "sh_jobs"]) + r")/")


def test_each_distribution_describes_itself(house):
    wrong = []
    for each in house.distributions:
        expected = "celeriac" if each.name == "core" else f"celeriac-{each.name}"
        project = each.project
        for truth, complaint in [
            (project["name"] == expected, f"is not named {expected}"),
            (re.fullmatch(r"\d+\.\d+\.\d+", project.get("version", "")), "has no static version X.Y.Z"),
            (project.get("readme") == "README.md", "does not name its README.md"),
            (project.get("requires-python") == ">=3.11", "does not require Python >=3.11"),
            (project.get("license") == "BSD-3-Clause", "is not under BSD-3-Clause"),
            (project.get("description"), "has no description"),
            ((each.directory / "README.md").is_file(), "has no README.md"),
            ((each.source / each.package / "__init__.py").is_file(), f"has no package {each.package}"),
            ((each.source / each.package / "py.typed").is_file(), "has no py.typed"),
        ]:
            if not truth:
                wrong.append(f"{each.name} {complaint}")
    assert wrong == []


def test_each_distribution_ships_one_package(house):
    more = {
        each.name: sorted(path.name for path in each.source.iterdir() if not path.name.endswith(".egg-info"))
        for each in house.distributions
    }
    expected = {each.name: [each.package] for each in house.distributions}
    # The one that is there to be somebody else's package.
    expected["celery"] = ["celeriac_celery", "celery"]
    assert more == expected


def test_a_plugin_requires_the_kernel_by_version(house):
    loose = [
        plugin.name
        for plugin in house.plugins
        if not any(re.match(r"celeriac\s*[><=~]", each) for each in plugin.project.get("dependencies", []))
    ]
    assert loose == []


def test_the_suite_names_every_plugin(house, pytestconfig):
    parser = configparser.ConfigParser()
    parser.read(pytestconfig.rootpath / "setup.cfg")
    extras = parser["options.extras_require"]

    def plugins_in(text: str) -> set[str]:
        return set(re.findall(r"^celeriac-([\w-]+)", text, re.MULTILINE))

    standard = plugins_in(parser["options"]["install_requires"])
    optional = set().union(*(plugins_in(text) for text in extras.values()))
    assert not standard & optional
    assert {plugin.name for plugin in house.plugins} == standard | optional
    # Only who asks for it gets what takes the name of another package.
    assert plugins_in(extras["all"]) == optional - {"celery"}


#: Doors only: what they offer has its home under a name of its own.
WHERE_USERS_OF_CELERY_LOOK = {"celeriac.utils", "celeriac.utils.log"}


def test_a_module_has_one_noun(house):
    long = {name: lines for name, module in house.modules.items() if (lines := module.text.count("\n")) > MOST_LINES}
    nameless = [
        name
        for name in house.modules
        if NAMES_OF_NOTHING & set(name.split(".")) and name not in WHERE_USERS_OF_CELERY_LOOK
    ]
    assert not long
    assert not nameless


def test_an_exception_from_the_rules_says_which_and_why(house):
    unreasoned = [
        f"{name}:{number}: {line.strip()}"
        for name, module in house.modules.items()
        for number, line in enumerate(module.text.splitlines(), 1)
        if EXCEPTION.search(line) and not REASONED.search(line)
    ]
    assert unreasoned == []


@pytest.mark.parametrize(
    ("line", "reasoned"),
    [
        ("import x  # noqa: F401  # re-exported", True),
        ("import x  # type: ignore[attr-defined]  # noqa: F401  # re-exported", True),
        ("import x  # noqa: F401", False),
        ("import x  # noqa", False),
        ("import x  # type: ignore", False),
        ("import x  # type: ignore[attr-defined]", False),
    ],
)
def test_a_reason_is_told_from_none(line, reasoned):
    assert EXCEPTION.search(line)
    assert bool(REASONED.search(line)) is reasoned


@pytest.fixture
def tracked(pytestconfig):
    """The files that git has in the project, without those that are deleted and not committed yet."""
    root = pytestconfig.rootpath
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    paths = [root / name for name in listed.decode().split("\0") if name and (root / name).is_file()]
    assert paths
    return paths


def test_nothing_large_was_added_by_accident(pytestconfig, tracked):
    large = {str(path.relative_to(pytestconfig.rootpath)) for path in tracked if path.stat().st_size > 200_000}
    assert large == set()


def test_no_file_speaks_of_the_machine_it_was_written_on(pytestconfig, tracked):
    root = pytestconfig.rootpath
    leaks = []
    for path in tracked:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if MACHINE_PATHS.search(line):
                leaks.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    assert leaks == []


def test_a_machine_path_is_told_from_a_url():
    assert MACHINE_PATHS.search("see /" + "work/main")
    assert not MACHINE_PATHS.search("https://example.org/" + "work/main")
