"""The pool does what every pool must do, in a process that is patched from its first line."""

from __future__ import annotations


def test_it_passes_the_suite(verdicts_on_pool):
    found = verdicts_on_pool("eventlet", "import eventlet; eventlet.monkey_patch()")
    assert [verdict for verdict in found if verdict[0] == "failed"] == []
    passed = {test for kind, test, _ in found if kind == "passed"}
    assert {"a running job is terminated and no other", "a long job holds nobody back"} <= passed
