"""Each test of the kit is failed by a driver that breaks what it is about: one that nothing fails shows nothing."""

from __future__ import annotations

import importlib.util
from collections import defaultdict

import pytest

from celeriac.testing.conformance import (
    BackendSuite,
    BrokerSuite,
    CompressorSuite,
    PoolSuite,
    SchedulerSuite,
    SerializerSuite,
)
from celeriac.testing.conformance.suite import test_names, words_of


def mutants(path):
    """The suite of a module of broken drivers, and the tests that they fail; running the module shows that they do."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SUITE, set().union(*module.MUTANTS.values())


@pytest.fixture(scope="module")
def failed_by_a_mutant(pytestconfig):
    found = defaultdict(set)
    for path in sorted((pytestconfig.rootpath / "tests").rglob("test_broken_*.py")):
        suite, tests = mutants(path)
        found[suite] |= tests
    return found


@pytest.mark.parametrize(
    "suite", [BrokerSuite, BackendSuite, SerializerSuite, CompressorSuite, PoolSuite, SchedulerSuite]
)
def test_every_test_is_failed_by_a_mutant(suite, failed_by_a_mutant):
    tests = {words_of(name) for name in test_names(suite)}
    assert sorted(tests - failed_by_a_mutant[suite]) == []
    assert failed_by_a_mutant[suite] <= tests
