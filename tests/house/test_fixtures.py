"""The fixtures of tests/conftest.py, tried in pytest runs of their own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def tests_of_a_person(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Write tests beside our conftest and run them in a process; returns the run's result."""
    monkeypatch.delenv("CELERIAC_REQUIRE_SERVICES", raising=False)

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST.read_text())
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess("-p", "no:xdist", "-W", "error", *arguments)

    return run


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_test_has_a_home_of_its_own_and_no_setting_of_the_person_who_runs_it(tests_of_a_person, monkeypatch):
    monkeypatch.setenv("CELERIAC_HOME", "/nowhere")
    monkeypatch.setenv("CELERIAC_PLUGINS_DISABLE", "sqlite")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://production")
    result = tests_of_a_person(
        """
        import os

        def test_environment(tmp_path):
            names = {name for name in os.environ if name.startswith(("CELERIAC_", "CELERY_"))}
            assert names == {"CELERIAC_HOME"}
            assert os.environ["CELERIAC_HOME"].startswith(str(tmp_path))
        """
    )
    result.assert_outcomes(passed=1)


@given(st.integers())
def test_the_isolation_of_each_test_leaves_property_tests_alone(number):
    assert isinstance(number, int)


def test_wait_until_returns_what_the_condition_returned(wait_until):
    answers = iter([None, 0, "", "ready"])
    assert wait_until(lambda: next(answers)) == "ready"


def test_wait_until_fails_at_its_deadline_and_says_what_it_waited_for(wait_until):
    with pytest.raises(pytest.fail.Exception, match=r"not within 0\.01 s: the worker is up"):
        wait_until(lambda: False, timeout=0.01, message="the worker is up")


def test_a_spawned_process_is_killed_with_its_children_when_the_test_ends(tests_of_a_person, pytester, wait_until):
    # Given a test that leaves a process behind, which itself has a child in a process group of its own
    result = tests_of_a_person(
        """
        import sys
        from pathlib import Path

        PARENT = '''
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
        print("child", child.pid, flush=True)
        time.sleep(600)
        '''

        def test_leaves_a_process(spawn):
            spawned = spawn(sys.executable, "-c", __import__("textwrap").dedent(PARENT))
            child = spawned.wait_for_output("child ").split()[1]
            assert spawned.session_pids() == sorted([spawned.pid, int(child)])
            Path(__file__).with_name("pids").write_text(f"{spawned.pid} {child}")
        """
    )
    # Then neither outlives the test
    result.assert_outcomes(passed=1)
    for pid in (pytester.path / "pids").read_text().split():
        wait_until(lambda pid=pid: not Path("/proc", pid).exists(), message=f"{pid} is gone")


def test_the_report_of_a_failed_test_shows_what_its_processes_printed(tests_of_a_person):
    result = tests_of_a_person(
        """
        import sys

        def test_fails(spawn):
            assert spawn(sys.executable, "-c", "print('what' + ' the worker said'); raise SystemExit(3)").wait() == 0
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*exit code 3*", "what the worker said"])


def test_waiting_for_output_ends_when_the_process_does(spawn):
    spawned = spawn(sys.executable, "-c", "print('half')")
    with pytest.raises(pytest.fail.Exception, match="ended with 0 and never printed 'whole'"):
        spawned.wait_for_output("whole")


def test_waiting_for_output_goes_on_while_a_child_may_print(spawn):
    program = "import os, sys, time\nif os.fork() == 0:\n    time.sleep(0.2)\n    print('late')"
    assert "late" in spawn(sys.executable, "-c", program).wait_for_output("late")


def test_a_signal_reaches_the_process_and_its_exit_code_tells(spawn):
    spawned = spawn(sys.executable, "-c", "import time; print('up'); time.sleep(600)")
    spawned.wait_for_output("up")
    spawned.signal(signal.SIGTERM)
    assert spawned.wait() == -signal.SIGTERM
    assert spawned.session_pids() == []


NEEDS_REDIS = """
def test_needs_redis(redis_url):
    assert redis_url.startswith("redis://")
"""


def test_a_missing_server_skips_and_says_how_to_have_it(tests_of_a_person, monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{closed_port()}")
    result = tests_of_a_person(NEEDS_REDIS, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs redis, which is not there (127.0.0.1:*); start it (*) or set REDIS_URL*"])


def test_a_missing_server_fails_when_servers_are_required(tests_of_a_person, monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("CELERIAC_REQUIRE_SERVICES", "1")
    tests_of_a_person(NEEDS_REDIS).assert_outcomes(errors=1)


def test_whatever_is_skipped_fails_when_servers_are_required(tests_of_a_person, monkeypatch):
    monkeypatch.setenv("CELERIAC_REQUIRE_SERVICES", "1")
    result = tests_of_a_person(
        """
        import pytest

        @pytest.mark.skip(reason="of no use")
        def test_of_no_use(): ...

        @pytest.mark.xfail(strict=True)
        def test_expected(): assert False
        """
    )
    result.assert_outcomes(errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*of no use; CELERIAC_REQUIRE_SERVICES=1 makes this a failure*"])


def test_a_module_that_is_skipped_fails_as_well(tests_of_a_person, monkeypatch):
    monkeypatch.setenv("CELERIAC_REQUIRE_SERVICES", "1")
    tests_of_a_person("import pytest; pytest.importorskip('of_nobody')").assert_outcomes(errors=1)


def test_a_server_that_answers_is_used_at_the_url_of_its_variable(tests_of_a_person, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.getsockname()[1]}")
        tests_of_a_person(NEEDS_REDIS).assert_outcomes(passed=1)


def test_nothing_of_this_run_points_at_the_home_of_a_person(celeriac_home):
    assert os.environ["CELERIAC_HOME"] == str(celeriac_home)
