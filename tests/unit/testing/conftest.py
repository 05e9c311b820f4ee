"""What the tests of the conformance kit share."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import VerdictKind, run


@pytest.fixture
def failed():
    """Return ``failed(suite, make_harness, expected)``: which of those tests fail; of all, if none is expected to."""

    def run_tests(suite, make_harness, expected):
        case = type("Case", (suite,), {"make_harness": lambda _: make_harness()})
        found = [verdict for words in expected or [""] for verdict in run(case, only=words)]
        return {verdict.test for verdict in found if verdict.kind is VerdictKind.FAILED}

    return run_tests
